"""Making things that are made whole or not at all."""

from __future__ import annotations

import time
from collections.abc import Callable
from http.client import HTTPException
from typing import TypeVar

from hvsdk.connections import UnreachableError
from hvsdk.driver import Deadline, Undoable, errors

from hvsdk_vmware._answer import AnswerError
from hvsdk_vmware._calls import FAILURES
from hvsdk_vmware._errors import words_of

__all__ = ["UNDO_SECONDS", "Making", "is_lost", "look_for"]

T = TypeVar("T")

UNDO_SECONDS = 60.0
_LATE_SECONDS = 5.0
"""How long is looked for what a server may still make whose answer was lost."""
_LOOK_AGAIN_SECONDS = 0.25
_LOST = (ConnectionError, HTTPException, AnswerError, TimeoutError, errors.ConnectError)


def is_lost(exc: BaseException) -> bool:
    """Whether it is not known what became of a call."""
    return isinstance(exc, _LOST) and not isinstance(exc, UnreachableError)


def look_for(find: Callable[[], T | None]) -> T | None:
    """Return what a server may still make whose answer was lost, as soon as it is found; `None` when it does not come."""
    limit = Deadline(_LATE_SECONDS)
    while True:
        found = find()
        if found is not None or limit.expired:
            return found
        time.sleep(_LOOK_AGAIN_SECONDS)


class Making(Undoable):
    """What one verb has made so far, as what takes it back."""

    def __init__(self) -> None:
        super().__init__()
        self._undo: list[tuple[str, Callable[[BaseException], None]]] = []

    def takes_back(self, what: str, undo: Callable[[BaseException], None]) -> None:
        """Note how something is taken back, before it is asked for: its answer may be lost.

        Args:
            what: It in words, for whoever has to clean up by hand.
            undo: Is called with what went wrong.
        """
        self._undo.append((what, undo))

    def take_back(self, exc: BaseException) -> None:
        """Take all back, the last first.

        Raises:
            OperationFailedError: In place of a connection that was lost, when nothing is left of what was made.
        """
        left, undo = [], self._undo
        self._undo = []
        for what, undone in reversed(undo):
            try:
                undone(exc)
            except FAILURES as failure:
                left.append(f"{what} ({words_of(failure)})")
        if left:
            exc.add_note(f"hvsdk: what was made could not be removed again: {'; '.join(left)}")
        elif is_lost(exc) and not isinstance(exc, TimeoutError):  # after a timeout the server may still carry it out
            raise errors.OperationFailedError(
                f"the connection was lost half-way ({exc or type(exc).__name__}); what had been made is removed again"
            ) from exc
