"""The faults of the service, as Windows words them."""

from __future__ import annotations

from .soap import Fault

__all__ = [
    "aborted",
    "bad_element",
    "bad_parameter",
    "no_command",
    "no_selector",
    "no_shell",
    "not_found",
    "timed_out",
    "too_many_operations",
    "too_many_processes",
    "too_many_shells",
    "too_small",
    "unsupported_action",
    "wrong_resource",
]

_UNEXPECTED = "http://schemas.dmtf.org/wbem/wsman/1/wsman/faultDetail/UnexpectedSelectors"
_VALUE = "http://schemas.dmtf.org/wbem/wsman/1/wsman/faultDetail/InvalidValue"
_ENVELOPE = "http://schemas.dmtf.org/wbem/wsman/1/wsman/faultDetail/MinimumEnvelopeLimit"
_SELECTORS = (
    "The WS-Management service cannot process the request because the request contained invalid selectors for the "
    "resource. "
)
_QUOTA = "The WS-Management service cannot process the request. "


def timed_out() -> Fault:
    """A Receive for which nothing came in time."""
    reason = "The WS-Management service cannot complete the operation within the time specified in OperationTimeout.  "
    return Fault("Receiver", "w:TimedOut", reason, 2150858793)


def no_shell(shell: str) -> Fault:
    """A shell that is not there."""
    message = (
        f"The request for the Windows Remote Shell with ShellId {shell} failed because the shell was not found on the "
        "server. Possible causes are: the specified ShellId is incorrect or the shell no longer exists on the server. "
        "Provide the correct ShellId or create a new shell and retry the operation. "
    )
    return Fault("Sender", "w:InvalidSelectors", _SELECTORS, 2150858843, _UNEXPECTED, message)


def no_command() -> Fault:
    """A command that is not there."""
    message = (
        "The Windows Remote Shell received a request to perform an operation on a command identifier that does not "
        "exist. Either the command has completed execution or the client specified an invalid command identifier. "
    )
    return Fault("Sender", "w:InvalidSelectors", _SELECTORS, 2150858843, _UNEXPECTED, message)


def no_selector() -> Fault:
    """A request that names no shell."""
    message = (
        "The Windows Remote Shell cannot process the request. The operation requires the following selector: ShellId. "
        "Retry with the correct selector. "
    )
    return Fault("Sender", "w:InvalidSelectors", _SELECTORS, 2150858843, _UNEXPECTED, message)


def bad_parameter(*, provider: bool = False) -> Fault:
    """An argument without meaning, such as an empty command; some are told by what is behind the service."""
    return Fault("Sender", "w:InvalidParameter", "The parameter is incorrect. ", 87, _VALUE, provider=provider)


def bad_element(name: str) -> Fault:
    """An element that does not belong where it stands."""
    reason = f"The SOAP packet contains an element {name} that is invalid. "
    return Fault("Sender", "w:SchemaValidationError", reason, 2150858817)


def too_many_shells(limit: int) -> Fault:
    """The quota of shells."""
    message = (
        f"This user is allowed a maximum number of {limit} concurrent shells, which has been exceeded. Close existing "
        "shells or raise the quota for this user. "
    )
    return Fault("Sender", "w:QuotaLimit", _QUOTA + message, 2150859173)


def too_many_operations(limit: int) -> Fault:
    """The quota of operations."""
    message = (
        f"This user is allowed a maximum number of {limit} concurrent operations, which has been exceeded. Close existing "
        "operations for this user, or raise the quota for this user. "
    )
    return Fault("Sender", "w:QuotaLimit", _QUOTA + message, 2150859174)


def too_many_processes(limit: int) -> Fault:
    """The quota of processes in one shell."""
    message = f"The maximum number of {limit} processes per shell has been exceeded. "
    return Fault("Sender", "w:QuotaLimit", _QUOTA + message, 2150859241)


def too_small() -> Fault:
    """An answer of the size that the client takes would hold nothing."""
    reason = "The WS-Management service cannot process the request: the maximum envelope size is too small. "
    return Fault("Sender", "w:EncodingLimit", reason, None, _ENVELOPE)


def aborted() -> Fault:
    """An operation whose shell was taken away."""
    reason = "The I/O operation has been aborted because of either a thread exit or an application request. "
    return Fault("Receiver", "w:InternalError", reason, 995)


def not_found() -> Fault:
    """A program that is not there."""
    return Fault("Receiver", "w:InternalError", "The system cannot find the file specified. ", 2147942402)


def unsupported_action(action: str) -> Fault:
    """An action that is not one of this service."""
    reason = f"The action {action} is not supported by the service. "
    return Fault("Sender", "a:ActionNotSupported", reason, 2150858768)


def wrong_resource() -> Fault:
    """A resource that is not there, such as one of PowerShell remoting."""
    reason = "The WS-Management service cannot process the request. The resource URI is missing or it has an incorrect format. "
    return Fault("Sender", "a:DestinationUnreachable", reason, 2150858752)
