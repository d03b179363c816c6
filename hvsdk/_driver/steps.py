"""Verbs of several steps, written as generators: each long step is yielded as a task, and what comes of it sent back."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from typing import Any, TypeAlias, TypeVar

from hvsdk._deadline import Deadline
from hvsdk._driver.task import BackgroundTask, Task

__all__ = ["Pause", "Steps", "StepsTask", "finish", "in_background"]

T = TypeVar("T")
Steps: TypeAlias = Generator[Task[Any], Any, T]
"""Yields the tasks to see through, and returns the result of all."""

_LONGEST_PAUSE = 1.0


class StepsTask(Task[T]):
    """Steps as one task.

    The first step begins at once, so that what is refused at once is raised where it was asked for. A task that fails,
    or is cancelled, raises inside the generator, which takes back what the steps before it made.
    """

    def __init__(self, steps: Steps[T]) -> None:
        self._steps = steps
        self._task: Task[Any] | None = None
        self._result: T | None = None
        self._advance(lambda: next(steps))

    def _advance(self, move: Callable[[], Task[Any]]) -> None:
        self._task = None
        try:
            self._task = move()
        except StopIteration as end:
            self._result = end.value

    def poll(self) -> tuple[bool, float | None, T | None]:
        if self._task is None:
            return True, 1.0, self._result
        try:
            done, share, value = self._task.poll()
        except BaseException as exc:
            failure = exc
            self._advance(lambda: self._steps.throw(failure))
        else:
            if not done:
                return False, share, None
            self._advance(lambda: self._steps.send(value))
        if self._task is None:
            return True, 1.0, self._result
        return False, None, None

    def cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def wait(self, seconds: float) -> None:
        task = self._task
        if task is None:
            return
        if task.can_wait:
            task.wait(seconds)
        else:
            time.sleep(seconds)


class Pause(Task[None]):
    """Some time to pass before the next step."""

    def __init__(self, seconds: float) -> None:
        self._until = Deadline(seconds)

    def poll(self) -> tuple[bool, float | None, None]:
        return self._until.expired, None, None


def finish(task: Task[T], seconds: float | None = None) -> T:
    """See a task through on this thread. Only for work that must come to its end whoever waits for it.

    Raises:
        TimeoutError: It was not done in so many seconds.
    """
    deadline, pause = Deadline(seconds), 0.02
    while True:
        done, _, result = task.poll()
        if done:
            value: T = result  # type: ignore[assignment]
            return value
        if deadline.expired:
            raise TimeoutError(f"not done in {seconds} s")
        pause = min(pause * 1.6, _LONGEST_PAUSE)
        if task.can_wait:
            task.wait(pause)
        else:
            time.sleep(pause)


def in_background(steps: Steps[T]) -> Task[T]:
    """Return a task for steps of which none may be left out, even when nobody waits for them any more."""
    task = StepsTask(steps)
    return BackgroundTask(lambda: finish(task), cancel=task.cancel)
