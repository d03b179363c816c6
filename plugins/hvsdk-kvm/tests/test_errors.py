"""libvirt's errors in hvsdk's words, from real libvirt where one can make it say them."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import hvsdk
import libvirt
import pytest
from hvsdk import errors
from hvsdk.driver import Operation
from kvm_support import OpenDriver, finish, soon, world_domain

from hvsdk_kvm._driver import KvmDriver

UNKNOWN_ID = "00000000-0000-4000-8000-000000000001"


def made(code: int, message: str = "something", domain: int = libvirt.VIR_FROM_QEMU) -> libvirt.libvirtError:
    """Return an error as libvirt raises it; its constructor reads the thread's last one."""
    error = libvirt.libvirtError(message)
    error.err = (code, domain, message, 2, message, None, None, -1, -1)
    return error


def told(exc: BaseException, verb: str = "get_domain") -> Any:
    return KvmDriver.translate(exc, Operation(id="1", verb=verb))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("NO_DOMAIN", errors.DomainNotFoundError),
        ("NO_DOMAIN_SNAPSHOT", errors.SnapshotNotFoundError),
        ("NO_NETWORK", errors.NetworkNotFoundError),
        ("NO_STORAGE_POOL", errors.StoragePoolNotFoundError),
        ("NO_STORAGE_VOL", errors.VolumeNotFoundError),
        ("DEVICE_MISSING", errors.NotFoundError),
        ("DOM_EXIST", errors.AlreadyExistsError),
        ("STORAGE_VOL_EXIST", errors.AlreadyExistsError),
        ("OPERATION_INVALID", errors.PowerStateError),
        ("MIGRATE_UNSAFE", errors.PowerStateError),
        ("AUTH_FAILED", errors.AuthenticationError),
        ("OPERATION_DENIED", errors.PermissionDeniedError),
        ("ACCESS_DENIED", errors.PermissionDeniedError),
        ("INVALID_CONN", errors.ConnectionLostError),
        ("NO_SERVER", errors.ConnectionLostError),
        ("OPERATION_TIMEOUT", errors.OperationTimeoutError),
        ("AGENT_UNRESPONSIVE", errors.GuestAgentError),
        ("NO_SUPPORT", errors.UnsupportedError),
        ("CONFIG_UNSUPPORTED", errors.UnsupportedError),
        ("RESOURCE_BUSY", errors.BusyError),
        ("NO_MEMORY", errors.InsufficientResourcesError),
        ("XML_ERROR", errors.InvalidSpecError),
        ("INVALID_ARG", errors.InvalidSpecError),
        ("OPERATION_ABORTED", errors.CancelledError),
        ("OPERATION_FAILED", errors.OperationFailedError),
        ("INTERNAL_ERROR", errors.OperationFailedError),
    ],
)
def test_codes_have_their_error(name: str, expected: type[errors.HvsdkError]) -> None:
    code = getattr(libvirt, f"VIR_ERR_{name}")
    error = told(made(code))
    assert type(error) is expected
    assert error.native_code == code


@pytest.mark.parametrize(
    ("code", "domain", "verb", "message", "expected"),
    [
        (1, libvirt.VIR_FROM_RPC, "pause", "client socket is closed", errors.ConnectionLostError),
        (38, libvirt.VIR_FROM_RPC, "pause", "Cannot recv data", errors.ConnectionLostError),
        (1, libvirt.VIR_FROM_TEST, "pause", "domain 'd' not running", errors.PowerStateError),
        (1, libvirt.VIR_FROM_QEMU, "start", "process exited while connecting", errors.OperationFailedError),
        (1, libvirt.VIR_FROM_STORAGE, "create_volume", "Not enough free space", errors.InsufficientResourcesError),
        (68, libvirt.VIR_FROM_QEMU, "pause", "cannot acquire state change lock", errors.BusyError),
        (8, libvirt.VIR_FROM_QEMU, "set_notes", "unsupported flags (0x4)", errors.UnsupportedError),
        (9, libvirt.VIR_FROM_QEMU, "create_domain", "domain 'd' already exists", errors.AlreadyExistsError),
        (55, libvirt.VIR_FROM_QEMU, "rename", "domain 'd' already exists", errors.AlreadyExistsError),
        (38, libvirt.VIR_FROM_RPC, "open", "Failed to connect socket", errors.ConnectError),
        (5, libvirt.VIR_FROM_NONE, "open", "no connection driver", errors.ConnectError),
        (38, libvirt.VIR_FROM_RPC, "open", "Cannot read CA certificate", errors.CertificateError),
        (45, libvirt.VIR_FROM_RPC, "open", "authentication failed", errors.AuthenticationError),
        (38, libvirt.VIR_FROM_RPC, "open", "end of file: Permission denied (publickey).", errors.AuthenticationError),
    ],
)
def test_ambiguous_codes_are_told_apart(
    code: int, domain: int, verb: str, message: str, expected: type[errors.HvsdkError]
) -> None:
    assert type(told(made(code, message, domain), verb)) is expected


def test_an_error_without_details_is_a_failure() -> None:
    error = libvirt.libvirtError("nothing is known")
    error.err = None
    assert type(told(error)) is errors.OperationFailedError


def test_what_is_not_libvirts_passes() -> None:
    assert told(ValueError("a bug")) is None


def test_a_missing_virtlogd_says_what_to_write() -> None:
    error = told(
        made(38, "Failed to connect socket to '/run/libvirt/virtlogd-sock'", libvirt.VIR_FROM_LOGGING), "start"
    )
    assert "stdio_handler" in str(error)


def test_a_domain_that_is_not_there(embed: KvmDriver) -> None:
    with pytest.raises(libvirt.libvirtError) as caught:
        embed.get_domain(UNKNOWN_ID, frozenset(), deadline=soon())
    assert isinstance(told(caught.value), errors.DomainNotFoundError)


@pytest.mark.parametrize("native_id", ["", "web-1", "'; drop", "1" * 40, "ü"])
def test_an_id_that_is_no_uuid_is_not_there(embed: KvmDriver, native_id: str) -> None:
    with pytest.raises(errors.DomainNotFoundError):
        embed.get_domain(native_id, frozenset(), deadline=soon())


VERBS = ("shutdown", "reboot", "reset", "pause", "unpause", "suspend", "resume")


@pytest.mark.parametrize("verb", VERBS)
def test_qemu_refuses_power_verbs_of_a_domain_that_is_off(embed: KvmDriver, verb: str) -> None:
    domain = embed.connection.defineXML(
        "<domain type='qemu'><name>off</name><memory>1024</memory><os><type arch='x86_64' machine='pc'>hvm</type></os></domain>"
    )
    with pytest.raises((libvirt.libvirtError, errors.PowerStateError)) as caught:
        finish(getattr(embed, verb)(domain.UUIDString(), deadline=soon()))
    error = caught.value if isinstance(caught.value, errors.HvsdkError) else told(caught.value, verb)
    assert isinstance(error, errors.PowerStateError)


def test_the_test_drivers_state_errors_become_idempotence(test_host: hvsdk.Host) -> None:
    domain = test_host.domain("one")
    domain.start()
    domain.pause()
    domain.pause()
    assert domain.power_state == "paused"
    with pytest.raises(errors.PowerStateError) as caught:
        domain.suspend()
    assert caught.value.state == "paused"


def test_libvirt_prints_nothing(open_driver: OpenDriver, world: Callable[..., str], capfd: Any) -> None:
    driver = open_driver(world(world_domain("one")))
    with pytest.raises(libvirt.libvirtError):
        driver.get_domain(UNKNOWN_ID, frozenset(), deadline=soon())
    assert capfd.readouterr().err == ""


def test_an_embedded_driver_logs_where_the_environment_says(embed_host: hvsdk.Host, capfd: Any) -> None:
    domain = embed_host.create_domain(hvsdk.DomainSpec(name="web", memory="16MiB"))
    domain.start()  # libvirt warns that a domain of root is tainted
    domain.power_off()
    assert capfd.readouterr().err == ""


def test_a_daemon_that_is_not_there_is_named_with_a_hint(open_driver: OpenDriver, tmp_path: Any) -> None:
    with pytest.raises(libvirt.libvirtError) as caught:
        open_driver(f"qemu+unix:///system?socket={tmp_path}/libvirt-sock")
    error = told(caught.value, "open")
    assert type(error) is errors.ConnectError
    assert "daemon running" in str(error)


@pytest.mark.parametrize(
    ("exc", "expected"),
    [
        (PermissionError(13, "Permission denied"), errors.PermissionDeniedError),
        (OSError(28, "No space left on device"), errors.InsufficientResourcesError),
        (OSError(5, "Input/output error"), errors.OperationFailedError),
        (ValueError("embedded null character"), errors.InvalidSpecError),
    ],
)
def test_what_fails_on_this_side_is_told_in_hvsdks_words_too(exc: Exception, expected: type) -> None:
    assert type(told(exc, "delete")) is expected


@pytest.mark.parametrize("exc", [ValueError("a bug"), KeyError("a bug"), errors.OperationTimeoutError("ours")])
def test_what_is_not_libvirts_is_left_alone(exc: Exception) -> None:
    assert told(exc) is None


@pytest.mark.parametrize("key", ["a\0b", "\ud800"])
def test_a_text_that_no_name_can_be_finds_nothing(test_host: hvsdk.Host, key: str) -> None:
    with pytest.raises(errors.DomainNotFoundError):
        test_host.domain(key)
    with pytest.raises(errors.InvalidSpecError):
        test_host.domain("one").rename(key)


def test_a_state_of_what_is_no_domain_is_no_power_state() -> None:
    exc = made(libvirt.VIR_ERR_OPERATION_INVALID, "storage pool 'x' is not active")
    assert type(told(exc, "create_volume")) is errors.OperationFailedError
    assert type(told(exc, "suspend")) is errors.PowerStateError


def test_a_handle_that_is_collected_meanwhile_takes_no_error_away(
    open_driver: OpenDriver, world: Callable[..., str]
) -> None:
    driver = open_driver(world(world_domain("one")))
    connection = driver.connection

    class Cycle:
        def __init__(self) -> None:
            self.itself = self
            self.handle = connection.lookupByName("one")

    def look_up() -> libvirt.libvirtError:
        try:
            connection.lookupByUUIDString(UNKNOWN_ID)
        except libvirt.libvirtError as exc:
            return exc
        raise AssertionError("there is no such domain")

    thresholds = gc.get_threshold()
    gc.disable()
    Cycle()
    gc.set_threshold(1)
    gc.enable()
    try:
        lost = look_up()
    finally:
        gc.set_threshold(*thresholds)
    assert lost.err is None, "the garbage was not collected at that moment"
    error = told(lost)
    assert isinstance(error, errors.DomainNotFoundError)
    assert error.native_code == libvirt.VIR_ERR_NO_DOMAIN
