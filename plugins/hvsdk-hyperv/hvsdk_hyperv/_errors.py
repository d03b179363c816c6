"""The errors of the host, of WinRM and of the wire in hvsdk's words."""

from __future__ import annotations

import inspect
import socket
from collections.abc import Iterable
from typing import Any

import requests
from hvsdk.driver import Operation, PowerState, errors, system_error
from winrm.exceptions import WinRMError, WinRMOperationTimeoutError, WinRMTransportError, WSManFaultError

from hvsdk_hyperv._causes import causes
from hvsdk_hyperv._error_table import CATEGORIES, FAULTS, HINTS, HRESULTS, IDS, LASTING, SUBCODES
from hvsdk_hyperv._login_errors import LoginRefusedError, translated
from hvsdk_hyperv._refused import RefusedError
from hvsdk_hyperv._shell import ShellEndedError
from hvsdk_hyperv._states import power_state
from hvsdk_hyperv._wsman import AnswerError

__all__ = ["translate"]

_NOT_FOUND = 404
_OF_THE_DOMAIN = frozenset(
    (
        *("start", "shutdown", "power_off", "reboot", "reset", "pause", "unpause", "suspend", "resume", "get_domain"),
        *(
            "rename",
            "set_notes",
            "set_tags",
            "set_metadata",
            "set_autostart",
            "fence",
            "unfence",
            "screenshot",
            "console",
        ),
    )
)
"""Verbs that name nothing but the domain, so that what is not there is it."""


def translate(exc: BaseException, operation: Operation) -> errors.HvsdkError | None:
    """Return hvsdk's error for what a call raised; `None` for a bug of ours."""
    if isinstance(exc, RefusedError):
        error = _of_operation(exc, operation)
        if error.hint is None and (exc.kind is None) == isinstance(error, errors.InvalidSpecError):
            error.hint = HINTS.get((type(error), operation.verb))
        if isinstance(error, errors.BusyError) and error.hint and operation.arguments.get("disks") == "delete":
            error.hint += '; disks="keep" removes the domain alone'
        return error
    if isinstance(exc, WSManFaultError):
        return _of_fault(exc, operation)
    if isinstance(exc, LoginRefusedError):
        return translated(exc)
    if isinstance(exc, WinRMTransportError) and exc.code == _NOT_FOUND:
        told = "a server answers there, but no WinRM at that path of the URL"
        return _lost(
            told, operation, native_code=exc.code, hint="WinRM is at /wsman, unless its URLPrefix says otherwise"
        )
    if isinstance(exc, WinRMTransportError) and operation.verb == "open":
        return errors.ConnectError(
            f"a server answers there with HTTP status {exc.code}, and not as WinRM does",
            native_code=exc.code,
            hint="WinRM is at port 5986 with TLS and at 5985 without",
        )
    if isinstance(exc, (WinRMTransportError, AnswerError, ShellEndedError, WinRMOperationTimeoutError)):
        return _lost(str(exc) or "the host did not answer in time", operation)
    if isinstance(exc, WinRMError):
        return errors.ConnectError(str(exc)) if operation.verb == "open" else errors.OperationFailedError(str(exc))
    if isinstance(exc, requests.RequestException):
        return _of_requests(exc, operation)
    if isinstance(exc, OSError) and not isinstance(exc, errors.HvsdkError):
        return system_error(exc, operation)
    return None


def _lost(told: str, operation: Operation, **more: Any) -> errors.HvsdkError:
    kind = errors.ConnectError if operation.verb == "open" else errors.ConnectionLostError
    return kind(told, **more)


def _of_operation(exc: RefusedError, operation: Operation) -> errors.HvsdkError:
    message = str(exc).strip()
    code = next((one for one in exc.hresults if one in HRESULTS), None) or exc.error_id or None
    if exc.kind is not None:
        return _own(exc, message)
    kind = _kind_of(exc)
    if kind is errors.PowerStateError and operation.native_id is None:
        kind = errors.OperationFailedError
    if (
        kind is errors.NotFoundError
        and operation.verb in _OF_THE_DOMAIN
        and "ObjectNotFound"
        in (
            exc.error_id,
            exc.category,
        )
    ):
        kind = errors.DomainNotFoundError
    if kind is errors.BusyError:
        return errors.BusyError(message, lasting=not LASTING.isdisjoint(exc.hresults), native_code=code)
    return kind(message, native_code=code)


def _kind_of(exc: RefusedError) -> type[errors.HvsdkError]:
    """Return what an error of a cmdlet is: by its number where that says more than the category it came with."""
    for number in exc.hresults:
        if number in HRESULTS:
            return HRESULTS[number]
    return IDS.get(exc.error_id) or CATEGORIES.get(exc.category) or errors.OperationFailedError


def _own(exc: RefusedError, message: str) -> errors.HvsdkError:
    """Return the error that a script of ours named."""
    kind: type[errors.HvsdkError] = getattr(errors, f"{exc.kind}Error", errors.OperationFailedError)
    details = dict(exc.details)
    if "state" in details:
        details["state"] = power_state(str(details["state"]))
    if "states" in details:
        details.setdefault("hint", f"that takes a domain that is {_one_of(details['states'])}")
    known = _takes(kind)
    return kind(message, **{name: value for name, value in details.items() if name in known})


def _one_of(states: Iterable[str]) -> str:
    found = dict.fromkeys(power_state(str(one)) for one in states)
    return " or ".join(str(state) for state in found if state is not PowerState.CHANGING)


def _takes(kind: type[errors.HvsdkError]) -> frozenset[str]:
    names: set[str] = set()
    for cls in kind.__mro__:
        if "__init__" in vars(cls):
            names.update(inspect.signature(vars(cls)["__init__"]).parameters)
    return frozenset(names - {"self", "message", "more", "args", "kwargs"})


def _of_fault(exc: WSManFaultError, operation: Operation) -> errors.HvsdkError:
    told = " ".join((exc.reason or "").split())
    number = exc.wsman_fault_code
    if number is None:
        subcode = (exc.fault_subcode or "").rpartition(":")[2]
        kind, hint = SUBCODES.get(subcode, errors.OperationFailedError), None
    else:
        kind, hint = FAULTS.get(number, (errors.OperationFailedError, None))
    if kind is errors.ConnectionLostError or (kind is errors.OperationFailedError and operation.verb == "open"):
        return _lost(told, operation, native_code=number, hint=hint)
    return kind(told, native_code=number, hint=hint)


def _of_requests(exc: requests.RequestException, operation: Operation) -> errors.HvsdkError:
    told = f"the connection to the host broke off ({type(exc).__name__})"
    for cause in causes(exc):
        if isinstance(cause, errors.HvsdkError):
            return cause
        if isinstance(cause, socket.gaierror):
            told = f"the name of the host is not known here: {cause.strerror or cause}"
        elif isinstance(cause, OSError) and cause.strerror and not isinstance(cause, requests.RequestException):
            told = f"the connection to the host failed: {cause.strerror}"
    if isinstance(exc, requests.Timeout):
        return _lost("the host did not answer in time", operation)
    return _lost(told, operation)
