"""A point in time by which something must be done."""

from __future__ import annotations

import time
from typing import Self

__all__ = ["Deadline"]


class Deadline:
    """A moment by the monotonic clock; `Deadline(5)` is five seconds from now, `Deadline(None)` is never.

    Attributes:
        limit: What set it, in words for a message, such as `"timeout= of start"`; empty where nobody asked for it.
    """

    __slots__ = ("_at", "limit")

    def __init__(self, seconds: float | None, limit: str = "") -> None:
        self._at = None if seconds is None else time.monotonic() + seconds
        self.limit: str = limit

    def remaining(self) -> float:
        """Return the seconds left, 0.0 when it has passed, `inf` when it never does."""
        return float("inf") if self._at is None else max(0.0, self._at - time.monotonic())

    @property
    def expired(self) -> bool:
        """Whether it has passed."""
        return self._at is not None and time.monotonic() >= self._at

    def sooner(self, seconds: float | None, limit: str = "") -> Self:
        """Return the deadline that comes first: this one, or `seconds` from now."""
        other = type(self)(seconds, limit)
        if other._at is None or (self._at is not None and self._at <= other._at):
            return self
        return other

    def __repr__(self) -> str:
        return f"<Deadline in {self.remaining():.1f} s>"
