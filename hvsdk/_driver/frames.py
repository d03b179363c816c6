"""Tracebacks that show nothing of what a login was given."""

from __future__ import annotations

__all__ = ["without_frames"]


def without_frames(exc: BaseException) -> BaseException:
    """Return an error without the frames of its traceback, and of the errors that led to it: their variables show secrets.

    What shows tracebacks with local variables would print the password that a vendor's library was handed.
    """
    at: BaseException | None = exc
    while at is not None:
        at.with_traceback(None)
        at = at.__cause__ or at.__context__
    return exc
