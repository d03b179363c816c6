"""Ranges of bytes: which parts of a disk somebody has written, in whatever order."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator

__all__ = ["Ranges"]


class Ranges:
    """A set of bytes as ranges, each as long as it can be."""

    def __init__(self) -> None:
        self._begins: list[int] = []
        self._ends: list[int] = []

    def add(self, begin: int, end: int) -> None:
        """Add the bytes from `begin` up to `end`."""
        if begin >= end:
            return
        low, high = bisect_left(self._ends, begin), bisect_right(self._begins, end)
        if low < high:  # these touch it
            begin, end = min(begin, self._begins[low]), max(end, self._ends[high - 1])
        self._begins[low:high], self._ends[low:high] = [begin], [end]

    def missing(self, size: int) -> Iterator[tuple[int, int]]:
        """Yield the ranges of the first `size` bytes that are not in it, in order."""
        position = 0
        for begin, end in zip(self._begins, self._ends, strict=True):
            if position < begin:
                yield position, min(begin, size)
            position = end
        if position < size:
            yield position, size
