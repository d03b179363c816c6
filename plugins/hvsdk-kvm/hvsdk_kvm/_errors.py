"""libvirt's error codes in hvsdk's words. Several codes mean different things to different verbs."""

from __future__ import annotations

import errno

import libvirt
from hvsdk.driver import Operation, errors

from hvsdk_kvm._event_loop import take_last_error

__all__ = ["code_of", "is_lost", "translate"]


def _codes(*names: str) -> frozenset[int]:
    """Return the numbers of those codes that this build of the binding knows."""
    return frozenset(code for name in names if (code := getattr(libvirt, f"VIR_ERR_{name}", None)) is not None)


_TABLE: dict[int, type[errors.HvsdkError]] = {}
for _error, _names in (
    (errors.DomainNotFoundError, ("NO_DOMAIN",)),
    (errors.SnapshotNotFoundError, ("NO_DOMAIN_SNAPSHOT", "NO_DOMAIN_CHECKPOINT")),
    (errors.NetworkNotFoundError, ("NO_NETWORK", "NO_INTERFACE", "NO_NETWORK_PORT")),
    (errors.StoragePoolNotFoundError, ("NO_STORAGE_POOL",)),
    (errors.VolumeNotFoundError, ("NO_STORAGE_VOL",)),
    (
        errors.NotFoundError,
        ("NO_NODE_DEVICE", "NO_SECRET", "NO_NWFILTER", "NO_DOMAIN_METADATA", "NO_DOMAIN_BACKUP", "DEVICE_MISSING"),
    ),
    (
        errors.AlreadyExistsError,
        ("DOM_EXIST", "NETWORK_EXIST", "STORAGE_VOL_EXIST", "STORAGE_POOL_BUILT", "NETWORK_PORT_EXIST"),
    ),
    (errors.AuthenticationError, ("AUTH_FAILED", "AUTH_CANCELLED", "AUTH_UNAVAILABLE")),
    (errors.PermissionDeniedError, ("OPERATION_DENIED", "ACCESS_DENIED")),
    (errors.OperationTimeoutError, ("OPERATION_TIMEOUT",)),
    (errors.GuestAgentError, ("AGENT_UNRESPONSIVE", "AGENT_UNSYNCED", "AGENT_COMMAND_TIMEOUT", "AGENT_COMMAND_FAILED")),
    (
        errors.UnsupportedError,
        ("NO_SUPPORT", "CONFIG_UNSUPPORTED", "ARGUMENT_UNSUPPORTED", "OPERATION_UNSUPPORTED", "CPU_INCOMPATIBLE"),
    ),
    (errors.BusyError, ("RESOURCE_BUSY", "BLOCK_COPY_ACTIVE")),
    (errors.InsufficientResourcesError, ("NO_MEMORY",)),
    (
        errors.InvalidSpecError,
        ("XML_ERROR", "XML_DETAIL", "XML_INVALID_SCHEMA", "INVALID_ARG", "INVALID_MAC", "OS_TYPE", "NO_NAME"),
    ),
    (errors.AlreadyExistsError, ("MULTIPLE_DOMAINS",)),
    (errors.CancelledError, ("OPERATION_ABORTED",)),
    (
        errors.PowerStateError,
        ("OPERATION_INVALID", "SNAPSHOT_REVERT_RISKY", "MIGRATE_UNSAFE", "CHECKPOINT_INCONSISTENT"),
    ),
):
    _TABLE.update(dict.fromkeys(_codes(*_names), _error))

_LOST = _codes("INVALID_CONN", "RPC", "NO_SERVER", "NO_CLIENT", "GNUTLS_ERROR")
_LOST_IN_TRANSPORT = _codes("INTERNAL_ERROR", "SYSTEM_ERROR")
_TRANSPORT = {libvirt.VIR_FROM_RPC, libvirt.VIR_FROM_REMOTE}
_CERTIFICATE = _codes("GNUTLS_ERROR", "SYSTEM_ERROR", "RPC", "AUTH_FAILED")
_SSH = _codes("SSH", "LIBSSH")
_POWER = frozenset(("start", "shutdown", "power_off", "reboot", "reset", "pause", "unpause", "suspend", "resume"))
_GUEST_ANSWERS = frozenset(("shutdown", "reboot"))
_MAKES = frozenset(("create_domain", "clone", "rename", "create_snapshot", "create_volume", "attach_disk", "migrate"))
_NOT_OF_DOMAINS = frozenset(
    (
        *("list_storage_pools", "list_volumes", "create_volume", "delete_volume", "open_volume"),
        *("list_networks", "list_nodes", "list_domains", "host_info"),
    )
)
_AMBIGUOUS = _codes("INTERNAL_ERROR", "OPERATION_FAILED", "OPERATION_INVALID")
_NO_ROOM = ("free space", "not enough", "allocate memory", "free memory", "out of memory", "insufficient memory")

_KEPT_LOCAL = "Missing URI parameter 'root'"
_HINTS = (
    ("virtlogd-sock", 'no virtlogd runs here: write stdio_handler = "file" into <root>/etc/qemu.conf'),
    ("'libvirt-qemu'", "install Debian's libvirt-daemon-system: it makes the user that the QEMU driver needs"),
    (
        _KEPT_LOCAL,
        "this process uses qemu:///embed, and libvirt then keeps that driver for qemu:// without a daemon; name the "
        "daemon's transport: qemu+unix:///system",
    ),
    ("pid file", "another process has this root open; one root serves one process at a time"),
    ("cacert.pem", "TLS needs the CA's certificate: pkipath= names the directory with cacert.pem in it"),
    ("libvirt-sock", "is the daemon running there, and may this user reach its socket?"),
)
"""What to do about messages that hold these words, which are not translated."""


def code_of(exc: BaseException) -> int | None:
    """Return libvirt's code of an error, also where the binding has lost it; `None` for other errors."""
    if not isinstance(exc, libvirt.libvirtError):
        return None
    last = take_last_error()
    if exc.err is None:
        exc.err = last
    return exc.get_error_code()


def is_lost(exc: BaseException) -> bool:
    """Whether the connection is gone."""
    if not isinstance(exc, libvirt.libvirtError):
        return False
    code = code_of(exc)
    return code in _LOST or (code in _LOST_IN_TRANSPORT and exc.get_error_domain() in _TRANSPORT)


def translate(exc: BaseException, operation: Operation) -> errors.HvsdkError | None:
    """Return hvsdk's error for libvirt's."""
    if not isinstance(exc, libvirt.libvirtError):
        return _of_python(exc)
    code = code_of(exc)
    message = exc.get_error_message() or str(exc)
    hint = next((hint for words, hint in _HINTS if words in message), None)
    return _class(exc, code, message, operation.verb)(message, native_code=code, hint=hint)


def _of_python(exc: BaseException) -> errors.HvsdkError | None:
    """Return hvsdk's error for what goes wrong on this side: files of an embedded driver, texts that C cannot hold."""
    if isinstance(exc, UnicodeEncodeError) or (isinstance(exc, ValueError) and "null character" in str(exc)):
        return errors.InvalidSpecError("libvirt takes no text with a NUL or half a surrogate pair in it")
    if not isinstance(exc, OSError) or isinstance(exc, errors.HvsdkError):
        return None
    kind = (
        errors.PermissionDeniedError
        if isinstance(exc, PermissionError)
        else errors.InsufficientResourcesError
        if exc.errno in (errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE)
        else errors.OperationFailedError
    )
    return kind(str(exc))


def _class(exc: libvirt.libvirtError, code: int | None, message: str, verb: str) -> type[errors.HvsdkError]:
    if code is None:
        return errors.OperationFailedError
    if verb == "open" and (found := _at_open(exc, code, message)):
        return found
    if is_lost(exc):
        return errors.ConnectionLostError
    if exc.get_error_domain() == libvirt.VIR_FROM_TEST and code in _codes("INTERNAL_ERROR") and verb in _POWER:
        return errors.PowerStateError  # only the test driver says so; the core reads the state before it believes it
    return _by_verb(code, message, verb) or _TABLE.get(code) or errors.OperationFailedError


def _at_open(exc: libvirt.libvirtError, code: int, message: str) -> type[errors.HvsdkError] | None:
    if "certificate" in message.lower() and code in _CERTIFICATE and exc.get_error_domain() in _TRANSPORT:
        return errors.CertificateError
    if code in _SSH or "Host key verification failed" in message or "Permission denied (" in message:
        return errors.AuthenticationError
    if code in _codes("NO_CONNECT") or is_lost(exc) or _KEPT_LOCAL in message:
        return errors.ConnectError
    return errors.ConnectError if code in _LOST_IN_TRANSPORT | _codes("OPERATION_FAILED") else None


def _by_verb(code: int, message: str, verb: str) -> type[errors.HvsdkError] | None:
    """Tell what an ambiguous code means to this verb."""
    if code in _codes("OPERATION_TIMEOUT"):
        return errors.BusyError if "lock" in message else errors.OperationTimeoutError
    if code in _codes("INVALID_ARG") and "unsupported flags" in message:
        return errors.UnsupportedError
    if "No space left on device" in message or (
        code in _codes("INTERNAL_ERROR") and any(words in message.lower() for words in _NO_ROOM)
    ):
        return errors.InsufficientResourcesError
    if code in _AMBIGUOUS and verb in _MAKES and "already" in message:
        return errors.AlreadyExistsError  # the core looks the name up
    if code in _codes("OPERATION_INVALID") and verb in _NOT_OF_DOMAINS:
        return errors.OperationFailedError  # a pool or network that is not active has no power state
    if code in _codes("AGENT_UNRESPONSIVE") and verb in _GUEST_ANSWERS:
        return errors.GuestAgentError
    return None
