"""What becomes of the answer of a long operation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from hvsdk.driver import Steps, StepsTask, Task

__all__ = ["turned"]

T = TypeVar("T")


def turned(task: Task[Any], make: Callable[[Any], T]) -> Task[T]:
    """Return a task whose result is made of what the operation answers."""

    def steps() -> Steps[T]:
        answer = yield task
        return make(answer)

    return StepsTask(steps())
