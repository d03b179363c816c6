"""Which parts of a disk were written, however small and in whatever order the pieces came."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator

__all__ = ["Ranges"]


class Ranges:
    """Ranges of bytes, kept apart and in order: those that touch are one."""

    def __init__(self) -> None:
        self._begins: list[int] = []
        self._ends: list[int] = []

    def add(self, begin: int, end: int) -> None:
        """Add the bytes from `begin` to before `end`."""
        if begin >= end:
            return
        first = bisect_left(self._ends, begin)
        last = bisect_right(self._begins, end)
        if first < last:
            begin, end = min(begin, self._begins[first]), max(end, self._ends[last - 1])
        self._begins[first:last] = [begin]
        self._ends[first:last] = [end]

    def gaps(self, begin: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield what is missing from `begin` to before `end`, in order."""
        for number in range(bisect_right(self._ends, begin), len(self._begins)):
            if self._begins[number] >= end:
                break
            if begin < self._begins[number]:
                yield begin, self._begins[number]
            begin = self._ends[number]
        if begin < end:
            yield begin, end
