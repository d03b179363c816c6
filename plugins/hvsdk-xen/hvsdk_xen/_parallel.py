"""A few questions at once, to different members of the pool, on threads that cannot keep the interpreter from ending."""

from __future__ import annotations

import contextvars
import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import TypeVar

from hvsdk.driver import Deadline

__all__ = ["in_parallel"]

T = TypeVar("T")
R = TypeVar("R")


def in_parallel(
    function: Callable[[T], R], items: Iterable[T], *, width: int, deadline: Deadline
) -> dict[T, R | BaseException]:
    """Return by item what `function(item)` returned or raised, with at most `width` calls at a time.

    What is not done by the deadline is left out: its thread goes on and is forgotten.
    """
    waiting = deque(items)
    total = len(waiting)
    results: dict[T, R | BaseException] = {}
    changed = threading.Condition()

    def work() -> None:
        while True:
            with changed:
                if not waiting or deadline.expired:
                    return
                item = waiting.popleft()
            result: R | BaseException
            try:
                result = function(item)
            except BaseException as exc:  # handed to the caller
                result = exc
            with changed:
                results[item] = result
                changed.notify()

    for _ in range(min(width, total)):
        context = contextvars.copy_context()
        threading.Thread(target=context.run, args=(work,), name="hvsdk-xen", daemon=True).start()
    with changed:
        changed.wait_for(lambda: len(results) == total, min(deadline.remaining(), threading.TIMEOUT_MAX))
        return dict(results)
