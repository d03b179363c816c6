"""The product's own errors, and what they are in ours: the file that each backend has under this name."""

from __future__ import annotations

from typing import Any

from hvsdk import errors
from hvsdk.enums import PowerState

__all__ = ["CODES", "FakeError", "translate"]

CODES: dict[str, type[errors.HvsdkError]] = {
    "ALREADY_EXISTS": errors.AlreadyExistsError,
    "BAD_POWER_STATE": errors.PowerStateError,
    "BUSY": errors.BusyError,
    "CONNECTION_LOST": errors.ConnectionLostError,
    "DISK_NOT_FOUND": errors.DiskNotFoundError,
    "DOMAIN_NOT_FOUND": errors.DomainNotFoundError,
    "FENCED": errors.PermissionDeniedError,
    "INTERNAL_ERROR": errors.OperationFailedError,
    "INVALID_PARAMETER": errors.InvalidSpecError,
    "LOGIN_REFUSED": errors.AuthenticationError,
    "NETWORK_NOT_FOUND": errors.NetworkNotFoundError,
    "NIC_NOT_FOUND": errors.NicNotFoundError,
    "NODE_NOT_FOUND": errors.NodeNotFoundError,
    "NO_MEMORY": errors.InsufficientResourcesError,
    "NO_SPACE": errors.InsufficientResourcesError,
    "NO_TOOLS": errors.GuestAgentError,
    "PERMISSION_DENIED": errors.PermissionDeniedError,
    "POOL_NOT_FOUND": errors.StoragePoolNotFoundError,
    "SESSION_INVALID": errors.SessionExpiredError,
    "SNAPSHOT_NOT_FOUND": errors.SnapshotNotFoundError,
    "TASK_CANCELLED": errors.CancelledError,
    "TASK_FAILED": errors.OperationFailedError,
    "TOOLS_NOT_READY": errors.GuestAgentError,
    "UNSUPPORTED": errors.UnsupportedError,
    "VOLUME_IN_USE": errors.BusyError,
    "VOLUME_NOT_FOUND": errors.VolumeNotFoundError,
}
"""Every code that the product can answer with, and the error that a caller sees."""

HINTS = {
    "FENCED": "take the fence away first: unfence()",
    "NO_TOOLS": "install the guest's tools, or use power_off() or reset()",
    "VOLUME_IN_USE": "detach or delete what uses the volume first",
}


class FakeError(Exception):
    """What the product raises, as a vendor's client library would.

    Attributes:
        code: One of `CODES`, or something that nothing maps.
        state: The power state that was in the way, for `BAD_POWER_STATE`.
    """

    def __init__(self, code: str, message: str = "", *, state: PowerState | None = None) -> None:
        super().__init__(f"{code}: {message}" if message else code)
        self.code = code
        self.message = message or f"the product answered {code}"
        self.state = state


def translate(exc: BaseException) -> errors.HvsdkError | None:
    """Return our error for a `FakeError`, `None` for anything else: a bug should look like a bug."""
    if not isinstance(exc, FakeError):
        return None
    more: dict[str, Any] = {"native_code": exc.code, "hint": HINTS.get(exc.code)}
    if exc.code == "BAD_POWER_STATE":
        more["state"] = exc.state
    if exc.code == "VOLUME_IN_USE":
        more["lasting"] = True
    if exc.code == "TOOLS_NOT_READY":
        more["not_yet"] = True
    return CODES.get(exc.code, errors.OperationFailedError)(exc.message, **more)
