"""Verbs that make something of several steps: whole, or not at all."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

from hvsdk._driver.steps import Steps, StepsTask, finish
from hvsdk._driver.task import BackgroundTask, Task

__all__ = ["Undoable"]

T = TypeVar("T")


class Undoable(ABC):
    """What one verb has made so far. A subclass notes what was made, and knows how it is taken back."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._running: StepsTask[Any] | None = None

    @abstractmethod
    def take_back(self, exc: BaseException) -> None:
        """Take back all that was made, the last first; what cannot be taken back becomes a note of `exc`."""

    def begin(self, steps: Callable[[], Steps[T]]) -> Task[T]:
        """Carry the steps out on a thread of their own; when they fail or are cancelled, all is taken back.

        What was cancelled is taken back even when it had just come to its end.
        """

        def work() -> T:
            task = StepsTask(self._guarded(steps))
            self._running = task
            if self.cancelled:
                task.cancel()
            return finish(task)

        return _UndoableTask(self, BackgroundTask(work))

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
        self.take_back(given_up)
        raise given_up

    def _guarded(self, steps: Callable[[], Steps[T]]) -> Steps[T]:
        try:
            result = yield from steps()
            self.check()
        except BaseException as exc:
            self.take_back(exc)
            raise
        return result


class _UndoableTask(Task[T]):
    """The steps, and their undoing when the caller gave up before their end was told."""

    def __init__(self, made: Undoable, work: Task[T]) -> None:
        self._made = made
        self._work: Task[Any] = work

    def poll(self) -> tuple[bool, float | None, T | None]:
        done, share, result = self._work.poll()
        if not done or not self._made.cancelled:
            return done, share, result
        self._work = BackgroundTask(self._made.undo)
        return False, None, None

    def cancel(self) -> None:
        self._made.cancel()

    def wait(self, seconds: float) -> None:
        self._work.wait(seconds)
