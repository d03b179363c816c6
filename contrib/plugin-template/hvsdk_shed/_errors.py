"""Shed's errors in hvsdk's words. By code, never by text: texts are translated and change."""

from __future__ import annotations

from hvsdk.driver import errors
from hvsdk_shed._client import ShedError

ERRORS: dict[str, type[errors.HvsdkError]] = {
    "bad-power": errors.PowerStateError,
    "no-machine": errors.DomainNotFoundError,
    "no-shed": errors.ConnectError,
}


def translate(exc: BaseException) -> errors.HvsdkError | None:
    """Return our error for one of Shed's, or `None` for "not mine"."""
    if not isinstance(exc, ShedError):
        return None
    return ERRORS.get(exc.code, errors.OperationFailedError)(str(exc), native_code=exc.code)
