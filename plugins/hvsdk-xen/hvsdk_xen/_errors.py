"""XAPI's error codes in hvsdk's words, and what goes wrong on the wire."""

from __future__ import annotations

import http.client

import XenAPI
from hvsdk.driver import Operation, PowerState, errors, system_error

from hvsdk_xen._error_table import GUEST_NOT_YET, HINTS, LASTING, PATTERNS, TABLE
from hvsdk_xen._login import code_of
from hvsdk_xen._refusals import explain, next_step, state_word
from hvsdk_xen._rpc import AnswerError, NotSpokenError

__all__ = ["translate"]

_OF_CLASS: dict[str, type[errors.NotFoundError]] = {
    "vm": errors.DomainNotFoundError,
    "vdi": errors.VolumeNotFoundError,
    "sr": errors.StoragePoolNotFoundError,
    "vbd": errors.DiskNotFoundError,
    "vif": errors.NicNotFoundError,
    "network": errors.NetworkNotFoundError,
    "host": errors.NodeNotFoundError,
}
"""What is not there, by XAPI's class."""
_NOT_THERE = frozenset(("HANDLE_INVALID", "UUID_INVALID", "OBJECT_NOLONGER_EXISTS"))
_OF_SNAPSHOTS = frozenset(("revert_snapshot", "delete_snapshot", "changed_blocks"))
_OF_ANOTHER_HOST = frozenset(
    (
        *("HOST_OFFLINE", "HOST_NOT_LIVE", "CANNOT_CONTACT_HOST", "TLS_CONNECTION_FAILED", "HOST_HAS_NO_MANAGEMENT_IP"),
        *("HOST_MASTER_CANNOT_TALK_BACK", "HOST_UNKNOWN_TO_MASTER"),
    )
)
"""What a member that logs us in says of another one: it refuses. Only at the login may it be about the member itself."""
_UNSEEN = frozenset(("HOST_OFFLINE", "HOST_NOT_LIVE"))
_OF_OTHER_HOSTS = frozenset(("migrate", "start", "resume"))
"""Verbs that another host than the domain's own may be needed for. For all others, where the host is not seen, neither is
the domain's state."""
_STATES = frozenset(("shutoff", "running", "paused", "suspended"))


def translate(exc: BaseException, operation: Operation) -> errors.HvsdkError | None:
    """Return hvsdk's error for XAPI's or the wire's."""
    if isinstance(exc, XenAPI.Failure):
        return _of_failure(exc, operation)
    if isinstance(exc, (AnswerError, http.client.HTTPException)):
        return _of_wire(exc, operation)
    if isinstance(exc, OSError) and not isinstance(exc, errors.HvsdkError):
        return system_error(exc, operation)
    if isinstance(exc, UnicodeEncodeError):
        return errors.InvalidSpecError("XAPI keeps no text with half a surrogate pair in it")
    return None


def _of_failure(exc: XenAPI.Failure, operation: Operation) -> errors.HvsdkError:
    code = code_of(exc)
    details = [str(detail) for detail in exc.details[1:]]
    message = explain(code, details, operation)
    hint = next_step(code, details, operation) or HINTS.get(code)
    if code in _NOT_THERE:
        return _not_there(details, operation)(message, native_code=code)
    kind: type[errors.HvsdkError] = TABLE.get(code) or _by_pattern(code)
    if code == "SESSION_INVALID" and operation.verb != "open":
        kind = errors.ConnectionLostError  # it was renewed a moment ago: perhaps some of several steps were done
    if code in _OF_ANOTHER_HOST and operation.verb != "open":
        unseen = code in _UNSEEN and operation.native_id is not None and operation.verb not in _OF_OTHER_HOSTS
        kind = errors.PowerStateError if unseen else errors.OperationFailedError  # the core looks at the state then
        return kind(message, native_code=code, hint=hint)
    if kind is errors.ConnectionLostError and operation.verb == "open":
        kind = errors.ConnectError
    if kind is errors.PowerStateError and _not_of_power(code, operation):
        kind = errors.OperationFailedError
    if kind is errors.PowerStateError:
        return errors.PowerStateError(message, native_code=code, hint=hint, state=_state_told(code, details))
    if kind is errors.GuestAgentError:
        return errors.GuestAgentError(message, native_code=code, hint=hint, not_yet=code in GUEST_NOT_YET)
    if kind is errors.BusyError:
        return errors.BusyError(message, native_code=code, hint=hint, lasting=LASTING.search(code) is not None)
    return kind(message, native_code=code, hint=hint)


def _not_there(details: list[str], operation: Operation) -> type[errors.HvsdkError]:
    cls = details[0].lower() if details else ""
    if cls == "task":
        return errors.ConnectionLostError
    if cls == "vm" and operation.verb in _OF_SNAPSHOTS:
        return errors.NotFoundError
    return _OF_CLASS.get(cls, errors.NotFoundError)


def _not_of_power(code: str, operation: Operation) -> bool:
    """Whether a code that refuses a state is not about a domain's power."""
    return operation.native_id is None or code.startswith(("SR_", "HOST_"))


def _state_told(code: str, details: list[str]) -> PowerState | None:
    word = state_word(details[2]) if code == "VM_BAD_POWER_STATE" and len(details) > 2 else ""
    return PowerState(word) if word in _STATES else None


def _by_pattern(code: str) -> type[errors.HvsdkError]:
    for pattern, kind in PATTERNS:
        if pattern.search(code):
            return kind
    return errors.OperationFailedError


def _of_wire(exc: Exception, operation: Operation) -> errors.HvsdkError:
    told = str(exc) or type(exc).__name__
    if isinstance(exc, http.client.HTTPException):
        told = f"the server's answer broke off or is no HTTP ({type(exc).__name__})"
    if operation.verb != "open":
        return errors.ConnectionLostError(told)
    if isinstance(exc, NotSpokenError):
        return errors.ConnectError(told, hint="rpc='auto', or rpc='xml', does without JSON-RPC")
    return errors.ConnectError(told, hint="is that the address of a XenServer or XCP-ng host?")
