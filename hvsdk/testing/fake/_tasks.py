"""Work that goes on after the call: begun by it, ended by the last poll, and undone when it is cancelled between."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, TypeVar, cast

from hvsdk._deadline import Deadline
from hvsdk._driver.task import Task
from hvsdk.testing.fake._errors import FakeError

if TYPE_CHECKING:
    from hvsdk.testing.fake._connection import Connection
    from hvsdk.testing.fake._faults import Rule

__all__ = ["FakeTask", "Work", "at_once"]

T = TypeVar("T")
Work = Generator[None, None, T]
"""A long verb: what stands before its `yield` is done by the call, the rest in the end. Cancelled or failing between, it
gets a `FakeError` at the `yield`, and undoes what it did."""


def at_once(work: Work[T]) -> T:
    """Carry out work to its end, and return its result."""
    while True:
        try:
            next(work)
        except StopIteration as stop:
            return cast("T", stop.value)


class FakeTask(Task[T]):
    """Work that takes a number of polls, each of them a round trip.

    Args:
        connection: Where its polls go; the task is gone with the connection's world only.
        work: What is to be done; it has been begun.
        steps: How many polls it takes.
        rule: What goes wrong with it.
        cancellable: Whether it is undone when it is cancelled; otherwise it goes on.
    """

    def __init__(
        self, connection: Connection, work: Work[T], steps: int, rule: Rule | None = None, *, cancellable: bool = True
    ) -> None:
        self._connection = connection
        self._work = work
        self._steps = steps
        self._rule = rule
        self._cancellable = cancellable
        self._polls = 0
        self._end: Callable[[], T] | None = None

    def poll(self) -> tuple[bool, float | None, T | None]:
        with self._connection.round_trip("poll", Deadline(self._connection.target.timeout)):
            if self._end is None:
                self._step()
            if self._end is not None:
                return True, 1.0, self._end()
            return False, self._polls / self._steps, None

    def cancel(self) -> None:
        with self._connection.round_trip("cancel", Deadline(self._connection.target.timeout)):
            if self._end is None and self._cancellable:
                self._break(FakeError("TASK_CANCELLED", "the task was cancelled, and what it had made is removed"))

    def wait(self, seconds: float) -> None:
        """Return at once: time plays no part here, polls do."""

    def _step(self) -> None:
        if self._rule is not None and self._rule.kind == "task-stalls":
            self._polls = min(1, self._steps - 1)
            return
        self._polls += 1
        if self._polls < self._steps:
            return
        if self._rule is not None:
            self._break(FakeError("TASK_FAILED", "the task failed in its last step, and what it had made is removed"))
            return
        try:
            self._finish(at_once(self._work))
        except FakeError as exc:
            self._fail(exc)

    def _finish(self, result: T) -> None:
        self._end = lambda: result

    def _break(self, error: FakeError) -> None:
        try:
            self._work.throw(error)
        except (FakeError, StopIteration):
            self._fail(error)

    def _fail(self, error: FakeError) -> None:
        def end() -> T:
            raise FakeError(error.code, error.message, state=error.state)

        self._end = end
