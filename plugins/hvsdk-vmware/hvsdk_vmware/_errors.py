"""vSphere's faults in hvsdk's words, and what goes wrong on the wire."""

from __future__ import annotations

import http.client
import re
from collections.abc import Iterable

from hvsdk.driver import Operation, PowerState, errors, system_error
from pyVmomi import vmodl

from hvsdk_vmware._answer import AnswerError
from hvsdk_vmware._error_table import HINTS, LASTING, NOT_YET, OF_KIND, TABLE
from hvsdk_vmware._states import STATES

__all__ = ["fault_names", "translate", "words_of"]

_WORDS = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_OF_HOSTS = ("vim.fault.InvalidHostState", "vim.fault.InvalidHostConnectionState")


def translate(exc: BaseException, operation: Operation) -> errors.HvsdkError | None:
    """Return hvsdk's error for vSphere's or the wire's."""
    if isinstance(exc, vmodl.MethodFault):
        return _of_fault(exc, operation)
    if isinstance(exc, (AnswerError, http.client.HTTPException)):
        return _of_wire(exc, operation)
    if isinstance(exc, OSError) and not isinstance(exc, errors.HvsdkError):
        return system_error(exc, operation)
    return None


def fault_names(exc: BaseException) -> Iterable[str]:
    """Return the names of a fault's class and of those above it, the nearest first."""
    return [cls.__name__ for cls in type(exc).__mro__ if "." in cls.__name__]


def words_of(exc: BaseException) -> str:
    """Return what an error says; of a fault the server's text, its kind in words without one, and what comes with it."""
    if not isinstance(exc, vmodl.MethodFault):
        return str(exc) or type(exc).__name__
    name = type(exc).__name__.rpartition(".")[2]
    told = [str(getattr(exc, "msg", None) or "")]
    told += [str(message.message or "") for message in getattr(exc, "faultMessage", None) or ()]
    details = [
        f"{field}={value}"
        for field in ("text", "name", "property", "invalidProperty", "file", "reason", "privilegeId")
        if isinstance(value := getattr(exc, field, None), str) and value
    ]
    said = dict.fromkeys(part.strip() for part in told if part.strip() and not _only_names(part, name))
    text = "; ".join(said) or _in_words(name)
    more = f" ({', '.join(details)})" if details else ""
    return f"{text}{more}"


def _only_names(text: str, name: str) -> bool:
    """Whether a text only repeats the name of the fault's kind, as those do that the server has no words for."""
    return text.strip().strip("*&.").rpartition(".")[2] == name


def _in_words(name: str) -> str:
    """Return the name of a kind as words: `DuplicateName` as `duplicate name`."""
    return _WORDS.sub(" ", name).lower()


def _of_fault(exc: vmodl.MethodFault, operation: Operation) -> errors.HvsdkError:
    names = fault_names(exc)
    code = type(exc).__name__
    known = next((name for name in names if name in TABLE), None)
    kind: type[errors.HvsdkError] = TABLE[known] if known else errors.OperationFailedError
    hint = next((HINTS[name] for name in names if name in HINTS), None)
    message = words_of(exc)
    if isinstance(exc, vmodl.fault.ManagedObjectNotFound):
        kind = _not_there(exc)
    if known == "vim.fault.NotAuthenticated" and operation.verb != "open":
        kind = errors.ConnectionLostError  # it was renewed a moment ago: perhaps some of several steps were done
    if kind is errors.ConnectionLostError and operation.verb == "open":
        kind = errors.ConnectError
    if kind is errors.PowerStateError:
        if operation.native_id is None or known in _OF_HOSTS:
            return errors.OperationFailedError(message, native_code=code, hint=hint)
        return errors.PowerStateError(message, native_code=code, hint=hint, state=_state_told(exc))
    if kind is errors.GuestAgentError:
        return errors.GuestAgentError(message, native_code=code, hint=hint, not_yet=not NOT_YET.isdisjoint(names))
    if kind is errors.BusyError:
        return errors.BusyError(message, native_code=code, hint=hint, lasting=not LASTING.isdisjoint(names))
    return kind(message, native_code=code, hint=hint)


def _not_there(exc: vmodl.fault.ManagedObjectNotFound) -> type[errors.HvsdkError]:
    kind = type(exc.obj).__name__ if exc.obj is not None else ""
    return OF_KIND.get(kind, errors.NotFoundError)


def _state_told(exc: vmodl.MethodFault) -> PowerState | None:
    """Return the state that InvalidPowerState says the domain is in."""
    told = getattr(exc, "existingState", None)
    return STATES.get(str(told)) if told is not None else None


def _of_wire(exc: Exception, operation: Operation) -> errors.HvsdkError:
    told = str(exc) or type(exc).__name__
    if isinstance(exc, http.client.HTTPException):
        told = f"the server's answer broke off or is no HTTP ({type(exc).__name__})"
    if operation.verb != "open":
        return errors.ConnectionLostError(told)
    return errors.ConnectError(told, hint="is that the address of a vCenter or an ESXi host?")
