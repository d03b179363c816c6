"""What Windows says, in hvsdk's errors. Never by messages, which come in the host's language."""

from __future__ import annotations

from hvsdk.driver import errors

__all__ = ["CATEGORIES", "FAULTS", "HINTS", "HRESULTS", "IDS", "LASTING", "SUBCODES"]

Kind = type[errors.HvsdkError]

HRESULTS: dict[str, Kind] = {
    "0x80070005": errors.PermissionDeniedError,
    "0x80070002": errors.NotFoundError,  # no such file
    "0x80070003": errors.NotFoundError,  # no such path
    "0x80070020": errors.BusyError,  # somebody has the file open
    "0x80070021": errors.BusyError,
    "0x80070050": errors.AlreadyExistsError,
    "0x800700B7": errors.AlreadyExistsError,
    "0x80070070": errors.InsufficientResourcesError,  # no space
    "0x80070027": errors.InsufficientResourcesError,
    "0x8007000E": errors.InsufficientResourcesError,  # no memory
    "0x800705AA": errors.InsufficientResourcesError,
    "0x800705AF": errors.InsufficientResourcesError,
    "0x80070032": errors.UnsupportedError,
    "0x80070057": errors.InvalidSpecError,
    "0x8007007B": errors.InvalidSpecError,  # no name of a file
    "0x80338111": errors.InvalidSpecError,  # the message is too large
    "0x00008001": errors.PermissionDeniedError,
}
"""By the exception's number; the more telling kinds are looked for first, see `_errors`."""

IDS: dict[str, Kind] = {
    "InvalidState": errors.PowerStateError,
    "VMNotInExpectedState": errors.PowerStateError,
    "AccessDenied": errors.PermissionDeniedError,
    "UnauthorizedAccess": errors.PermissionDeniedError,
    "ObjectNotFound": errors.NotFoundError,
    "ObjectInUse": errors.BusyError,
    "OutOfMemory": errors.InsufficientResourcesError,
    "CommandNotFoundException": errors.UnsupportedError,
    "NamedParameterNotFound": errors.UnsupportedError,
    "NotSupported": errors.UnsupportedError,
    "InvalidParameter": errors.InvalidSpecError,
    "OperationTimeout": errors.OperationFailedError,
}
"""By the record's id."""

CATEGORIES: dict[str, Kind] = {
    "ObjectNotFound": errors.NotFoundError,
    "ResourceExists": errors.AlreadyExistsError,
    "PermissionDenied": errors.PermissionDeniedError,
    "SecurityError": errors.PermissionDeniedError,
    "NotImplemented": errors.UnsupportedError,
    "ResourceBusy": errors.BusyError,
    "ResourceUnavailable": errors.BusyError,
    "DeadlockDetected": errors.BusyError,
    "QuotaExceeded": errors.InsufficientResourcesError,
    "LimitsExceeded": errors.InsufficientResourcesError,
    "InvalidArgument": errors.InvalidSpecError,
    "InvalidData": errors.InvalidSpecError,
    "InvalidOperation": errors.OperationFailedError,
}
"""By the record's category."""

LASTING = frozenset({"0x80070020", "0x80070021"})
"""Whatever has a file open may keep it."""


def _higher(name: str, where: str, value: int) -> str:
    """Return how a limit of WinRM's is raised, for a PowerShell there."""
    return f"raise {name}, as an administrator there: winrm set {where} '@{{{name}=\"{value}\"}}'"


FAULTS: dict[int, tuple[Kind, str | None]] = {
    5: (
        errors.PermissionDeniedError,
        "the user needs the group Remote Management Users, or rights to the listener (winrm configSDDL default)",
    ),
    2150858843: (errors.ConnectionLostError, None),
    995: (errors.ConnectionLostError, None),
    2150859173: (
        errors.BusyError,
        f"close other sessions of this user, or {_higher('MaxShellsPerUser', 'winrm/config/winrs', 100)}",
    ),
    2150859174: (errors.BusyError, _higher("MaxConcurrentOperationsPerUser", "winrm/config/service", 4294967295)),
    2150859179: (errors.BusyError, _higher("MaxConcurrentUsers", "winrm/config/winrs", 50)),
    0x80338111: (errors.InvalidSpecError, _higher("MaxEnvelopeSizekb", "winrm/config", 8192)),
    0x8007000E: (
        errors.InsufficientResourcesError,
        _higher("MaxMemoryPerShellMB", "winrm/config/winrs", 2048),
    ),
}
"""WinRM's own faults by number: what they are, and what to do."""

SUBCODES: dict[str, Kind] = {
    "AccessDenied": errors.PermissionDeniedError,
    "TimedOut": errors.ConnectionLostError,
    "QuotaLimit": errors.BusyError,
    "Concurrency": errors.BusyError,
    "InvalidSelectors": errors.ConnectionLostError,
    "DestinationUnreachable": errors.ConnectionLostError,
    "ActionNotSupported": errors.UnsupportedError,
    "UnsupportedFeature": errors.UnsupportedError,
}
"""Faults without a number, by the name that WS-Management gives them."""

_LIMITS = (
    "what a domain may have follows from this host, its Windows and the generation (generation 2 with firmware='uefi'): "
    "processors, memory, formats and buses of disks"
)
_VOLUMES = "host.storage_pool(…).volumes() lists them"
HINTS: dict[tuple[Kind, str], str] = {
    (errors.PowerStateError, "clone"): "shut it down first, or make a full clone",
    (errors.PowerStateError, "create_snapshot"): "start() it first, or leave quiesce and memory out",
    (errors.PowerStateError, "migrate"): "shut it down first, or migrate it live",
    (errors.InvalidSpecError, "create_domain"): _LIMITS,
    (errors.InvalidSpecError, "reconfigure"): _LIMITS,
    (errors.VolumeNotFoundError, "create_domain"): _VOLUMES,
    (errors.VolumeNotFoundError, "attach_disk"): _VOLUMES,
    (errors.VolumeNotFoundError, "insert_media"): _VOLUMES,
}
"""What to do, by error and verb: where a script refused without saying it, and where Windows refused a specification."""
