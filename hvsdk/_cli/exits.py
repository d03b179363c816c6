"""Exit codes, which scripts can rely on."""

from __future__ import annotations

from enum import IntEnum

from hvsdk import errors

__all__ = ["Exit", "exit_for"]


class Exit(IntEnum):
    """How a command ended."""

    DONE = 0
    FAILED = 1
    """It could not be done at all."""
    USAGE = 2
    """The command line, or the fleet's file, makes no sense."""
    PARTIAL = 3
    """A part was done, or some hosts did not answer: what is printed is not all there is."""
    NOT_FOUND = 4
    """Nothing fits what was asked for."""
    REFUSED = 5
    """It may not be done: rights, policy, a read-only host, or you said no."""


def exit_for(error: BaseException) -> Exit:
    """Return the code for an error that ended a command."""
    if isinstance(error, errors.NotFoundError):
        return Exit.NOT_FOUND
    if isinstance(error, (errors.PermissionDeniedError, errors.VetoError)):
        return Exit.REFUSED
    if isinstance(error, (errors.InvalidSpecError, errors.BackendError, TypeError, ValueError)):
        return Exit.USAGE
    return Exit.FAILED
