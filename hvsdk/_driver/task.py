"""Work that goes on at the product after the call that began it has returned."""

from __future__ import annotations

import contextvars
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from hvsdk import errors

__all__ = ["BackgroundTask", "Task"]

T = TypeVar("T")


class Task(ABC, Generic[T]):
    """What a driver's verb returns when the product goes on working. Only the core waits for it.

    All methods may raise vendor errors, which the core translates; a task that failed raises from `poll`.
    """

    @abstractmethod
    def poll(self) -> tuple[bool, float | None, T | None]:
        """Return (done, progress from 0.0 to 1.0 or `None`, the verb's result once done). One round trip at most."""

    def cancel(self) -> None:
        """Ask the product to stop; return at once. The core keeps polling until the task has ended.

        Where nothing can be stopped, the default does nothing. A cancelled task raises `CancelledError` from `poll`, or
        is done when it was too late; whoever makes something in a task removes what is half made when it is cancelled.
        """

    def wait(self, seconds: float) -> None:
        """Return when something may have changed, at most `seconds` later. The core sleeps when it is not overridden."""
        raise NotImplementedError

    @property
    def can_wait(self) -> bool:
        """Whether `wait` is overridden."""
        return type(self).wait is not Task.wait


class BackgroundTask(Task[T]):
    """A blocking vendor call as a task: it runs on a daemon thread while the core polls.

    Args:
        work: The blocking call; what it returns is the task's result, what it raises comes out of `poll`.
        progress: Tells how far it is (0.0 to 1.0, or `None`); called by `poll`, so it may make one round trip.
        cancel: Asks the product to stop the call; `work` then removes what is half made and raises `cancelled()`. A task
            that makes something should have it. Without it a cancelled call runs to its end: the core waits for that up
            to a minute, and then removes the domain, snapshot or volume that it returned.
    """

    def __init__(
        self,
        work: Callable[[], T],
        *,
        progress: Callable[[], float | None] | None = None,
        cancel: Callable[[], Any] | None = None,
    ) -> None:
        self._work = work
        self._progress = progress
        self._cancel = cancel
        self._done = threading.Event()
        self._result: T | None = None
        self._error: BaseException | None = None
        context = contextvars.copy_context()
        threading.Thread(target=context.run, args=(self._run,), name="hvsdk-task", daemon=True).start()

    def _run(self) -> None:
        try:
            self._result = self._work()
        except BaseException as exc:  # handed to whoever polls
            self._error = exc
        finally:
            self._done.set()

    def poll(self) -> tuple[bool, float | None, T | None]:
        if self._done.is_set():
            if self._error is not None:
                raise self._error
            return True, 1.0, self._result
        return False, self._progress() if self._progress is not None else None, None

    def cancel(self) -> None:
        if self._cancel is not None and not self._done.is_set():
            self._cancel()

    def wait(self, seconds: float) -> None:
        self._done.wait(seconds)

    @classmethod
    def cancelled(cls) -> errors.CancelledError:
        """Return the error to raise from `work` when it noticed that it was cancelled and has cleaned up."""
        return errors.CancelledError("cancelled")
