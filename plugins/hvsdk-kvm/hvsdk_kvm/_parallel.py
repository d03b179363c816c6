"""A few calls at once, on threads that cannot keep the interpreter from ending."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import TypeVar

from hvsdk.driver import Deadline

__all__ = ["in_parallel"]

T = TypeVar("T")
R = TypeVar("R")


def in_parallel(function: Callable[[T], R], items: Iterable[T], *, width: int, deadline: Deadline) -> dict[T, R]:
    """Return `function(item)` by item, with at most `width` calls at a time.

    An exception is raised again here, once, and begins no further calls. What is not done by the deadline is left out:
    its thread goes on and is forgotten.
    """
    waiting = deque(items)
    total = len(waiting)
    results: dict[T, R] = {}
    failures: list[BaseException] = []
    changed = threading.Condition()

    def work() -> None:
        while True:
            with changed:
                if not waiting or failures or deadline.expired:
                    return
                item = waiting.popleft()
            try:
                result = function(item)
            except BaseException as exc:  # handed to the caller
                with changed:
                    failures.append(exc)
                    changed.notify()
                return
            with changed:
                results[item] = result
                changed.notify()

    for _ in range(min(width, total)):
        threading.Thread(target=work, name="hvsdk-kvm", daemon=True).start()
    with changed:
        changed.wait_for(
            lambda: len(results) == total or bool(failures), min(deadline.remaining(), threading.TIMEOUT_MAX)
        )
        if failures:
            raise failures[0]
        return dict(results)
