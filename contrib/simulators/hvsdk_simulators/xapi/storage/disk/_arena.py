"""The one file that all written blocks live in."""

import os
import tempfile
import threading
import weakref
from collections.abc import Iterable

BLOCK = 64 * 1024
"""Bytes of a block: the unit of holes, of copy-on-write and of changed block tracking."""


class Arena:
    """Numbered blocks of `BLOCK` bytes in one unlinked temporary file.

    One descriptor serves every disk, whatever their number, and nothing is left behind when the process is killed.
    """

    def __init__(self) -> None:
        self._descriptor, name = tempfile.mkstemp(prefix="disks-")
        os.unlink(name)
        self._close = weakref.finalize(self, os.close, self._descriptor)
        self._free: list[int] = []
        self._next = 0
        self._lock = threading.Lock()

    @property
    def used(self) -> int:
        """Number of blocks that hold something."""
        return self._next - len(self._free)

    def store(self, content: bytes) -> int:
        """Write a whole block somewhere and say where."""
        with self._lock:
            number = self._free.pop() if self._free else self._next
            if number == self._next:
                self._next += 1
        self.overwrite(number, content)
        return number

    def overwrite(self, number: int, content: bytes) -> None:
        """Write a whole block in the place of another."""
        view = memoryview(content)
        place = number * BLOCK
        while view:
            written = os.pwrite(self._descriptor, view, place)
            view, place = view[written:], place + written

    def load(self, number: int, count: int = 1) -> bytes:
        """Read `count` neighbouring blocks."""
        return os.pread(self._descriptor, count * BLOCK, number * BLOCK)

    def release(self, numbers: Iterable[int]) -> None:
        """Give blocks back; nobody may hold their numbers any longer."""
        with self._lock:
            self._free.extend(numbers)

    def close(self) -> None:
        """Give up all blocks. Who still reads or writes some gets an `OSError`."""
        # The number may soon be another file's.
        self._descriptor = -1
        self._close()
