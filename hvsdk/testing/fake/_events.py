"""What changed, in order: the product's push, with a history that ends somewhere."""

from __future__ import annotations

import threading
from collections import deque

from hvsdk.enums import EventKind

__all__ = ["ChangeLog"]


class ChangeLog:
    """Changes by number. A token is the number of the last change that its holder has seen.

    Args:
        lock: The world's lock, held by whoever calls a method.
        size: How many changes are kept; who falls further behind has lost some.
    """

    def __init__(self, lock: threading.RLock, size: int) -> None:
        self.condition: threading.Condition = threading.Condition(lock)
        self._entries: deque[tuple[str, EventKind | None]] = deque(maxlen=size)
        self.last: int = 0
        self._lost_before = 0

    def record(self, native_id: str, kind: EventKind | None = None) -> None:
        """Remember that something happened to a domain, and wake those who wait."""
        self.last += 1
        self._entries.append((native_id, kind))
        self.condition.notify_all()

    def since(self, token: int) -> dict[str, EventKind | None] | None:
        """Return what happened after `token`, one entry for each domain, or `None` when some of it is gone."""
        missed = self.last - token
        if token < self._lost_before or not 0 <= missed <= len(self._entries):
            return None
        found: dict[str, EventKind | None] = {}
        start = len(self._entries) - missed
        for position in range(start, len(self._entries)):
            native_id, kind = self._entries[position]
            found[native_id] = kind or found.pop(native_id, None)
        return found

    def lose(self) -> None:
        """Forget the history, so that every token handed out so far has lost something."""
        self.last += 1
        self._lost_before = self.last
        self._entries.clear()
        self.condition.notify_all()
