"""Reusable daemon threads on which all driver calls run, so that a server that hangs cannot hang the caller.

A caller waits for its call as long as it likes and then walks away; the thread stays with the hanging call and is not
used again before that ends. No lock is held while a call runs.
"""

from __future__ import annotations

import contextvars
import os
import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

__all__ = ["Call", "NoAnswerError", "run", "submit"]

T = TypeVar("T")

_KEEP = 32
"""Idle threads that are kept; more than these end after their call."""


class NoAnswerError(Exception):
    """The call did not return in time; it may still be going on."""


class Call(Generic[T]):
    """One call on a worker."""

    __slots__ = ("_context", "_done", "_error", "_function", "_result")

    def __init__(self, function: Callable[[], T]) -> None:
        self._function: Callable[[], T] | None = function
        self._context: contextvars.Context | None = contextvars.copy_context()
        self._done = threading.Event()  # not a bare lock: Ctrl-C between its acquire and release would lose the answer
        self._error: BaseException | None = None
        self._result: T | None = None

    def _run(self) -> None:
        function, context = self._function, self._context
        self._function = self._context = None
        assert function is not None
        assert context is not None
        try:
            self._result = context.run(function)
        except BaseException as exc:  # handed to the caller
            self._error = exc
        finally:
            del self  # the error's traceback leads to this frame

    def result(self, seconds: float) -> T:
        """Return what the call returned, or raise what it raised.

        Raises:
            NoAnswerError: It was still going on after `seconds`.
        """
        if not self.wait(seconds):
            raise NoAnswerError
        error = self._error
        if error is not None:
            try:
                raise error
            finally:
                del error, self  # no cycle through this frame: it would keep what the call used, such as a driver
        return self._result  # type: ignore[return-value]

    def wait(self, seconds: float) -> bool:
        """Wait for the call's end; return whether it came in time."""
        return self._done.wait(None if seconds > threading.TIMEOUT_MAX else seconds)

    def raised(self, exc: BaseException) -> bool:
        """Return whether `exc` came from the call and not from the thread that waited for it."""
        return self._error is exc

    @property
    def done(self) -> bool:
        """Whether it has ended."""
        return self._done.is_set()


class _Worker:
    __slots__ = ("inbox",)

    def __init__(self) -> None:
        self.inbox: SimpleQueue[Call[Any]] = SimpleQueue()
        threading.Thread(target=self._loop, name="hvsdk-worker", daemon=True).start()

    def _loop(self) -> None:
        while True:
            call = self.inbox.get()
            call._run()
            keep = len(_idle) < _KEEP
            if keep:
                _idle.append(self)
            call._done.set()
            del call
            if not keep:
                return


_idle: deque[_Worker] = deque()


def _forget_threads() -> None:
    _idle.clear()


os.register_at_fork(after_in_child=_forget_threads)


def submit(function: Callable[[], T]) -> Call[T]:
    """Begin a call on a worker, in a copy of the present context."""
    call = Call(function)
    try:
        worker = _idle.pop()
    except IndexError:
        worker = _Worker()
    worker.inbox.put(call)
    return call


def run(function: Callable[[], T], seconds: float) -> T:
    """Run `function` on a worker and wait for it at most `seconds`.

    Raises:
        NoAnswerError: It was still going on then.
    """
    return submit(function).result(seconds)
