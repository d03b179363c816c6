"""Making things that are made whole or not at all."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from http.client import HTTPException
from typing import Any, NoReturn, TypeVar

from hvsdk.driver import BackgroundTask, Deadline, Steps, StepsTask, Task, errors, finish

from hvsdk_vmware._answer import AnswerError
from hvsdk_vmware._calls import FAILURES
from hvsdk_vmware._errors import words_of
from hvsdk_vmware._wire import UnreachableError

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


class Making:
    """What one verb has made so far, as what takes it back."""

    def __init__(self) -> None:
        self._undo: list[tuple[str, Callable[[BaseException], None]]] = []
        self._stop = threading.Event()
        self._running: StepsTask[Any] | None = None

    def begin(self, steps: Callable[[], Steps[T]]) -> Task[T]:
        """Carry the steps out on a thread of their own; when they fail or are cancelled, all is taken back."""

        def work() -> T:
            task = StepsTask(self._guarded(steps))
            self._running = task
            if self.cancelled:
                task.cancel()
            return finish(task)

        return _MakingTask(self, BackgroundTask(work))

    def takes_back(self, what: str, undo: Callable[[BaseException], None]) -> None:
        """Note how something is taken back, before it is asked for: its answer may be lost.

        Args:
            what: It in words, for whoever has to clean up by hand.
            undo: Is called with what went wrong.
        """
        self._undo.append((what, undo))

    @property
    def cancelled(self) -> bool:
        """Whether the caller has given up."""
        return self._stop.is_set()

    def check(self) -> None:
        """Stop here when the caller has given up."""
        if self.cancelled:
            raise BackgroundTask.cancelled()

    def cancel(self) -> None:
        """Have what goes on taken back."""
        self._stop.set()
        if self._running is not None:
            self._running.cancel()

    def undo(self) -> NoReturn:
        """Take back what has come to its end, and raise what says so."""
        given_up = BackgroundTask.cancelled()
        self._take_back(given_up)
        raise given_up

    def _guarded(self, steps: Callable[[], Steps[T]]) -> Steps[T]:
        try:
            result = yield from steps()
            self.check()
        except BaseException as exc:
            self._take_back(exc)
            raise
        return result

    def _take_back(self, exc: BaseException) -> None:
        """Take all back, the last first.

        Raises:
            OperationFailedError: In place of a connection that was lost, when nothing is left of what was made.
        """
        left, undo = [], self._undo
        self._undo = []
        for what, take_back in reversed(undo):
            try:
                take_back(exc)
            except FAILURES as failure:
                left.append(f"{what} ({words_of(failure)})")
        if left:
            exc.add_note(f"hvsdk: what was made could not be removed again: {'; '.join(left)}")
        elif is_lost(exc) and not isinstance(exc, TimeoutError):  # after a timeout the server may still carry it out
            raise errors.OperationFailedError(
                f"the connection was lost half-way ({exc or type(exc).__name__}); what had been made is removed again"
            ) from exc


class _MakingTask(Task[T]):
    """Work that makes something. Given up before its end was told, it is taken back, even when it had just come to it."""

    def __init__(self, making: Making, work: Task[T]) -> None:
        self._making = making
        self._work: Task[Any] = work

    def poll(self) -> tuple[bool, float | None, T | None]:
        done, share, result = self._work.poll()
        if not done or not self._making.cancelled:
            return done, share, result
        self._work = BackgroundTask(self._making.undo)
        return False, None, None

    def cancel(self) -> None:
        self._making.cancel()

    def wait(self, seconds: float) -> None:
        self._work.wait(seconds)
