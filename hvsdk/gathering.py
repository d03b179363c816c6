"""Writing a volume, for drivers whose product takes one as one stream only: what is written is gathered in a sparse file.

It lies in the directory for temporary files (`TMPDIR`), which needs room for what is written.
"""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
import threading
from abc import abstractmethod
from collections.abc import Callable, Iterator
from typing import IO

from hvsdk import errors
from hvsdk._driver.base import Result
from hvsdk._driver.disk_io import DiskReader, DiskWriter
from hvsdk._driver.task import BackgroundTask, Task
from hvsdk._ranges import Ranges

__all__ = ["GatheringWriter", "no_room", "temporary_file"]

_PIECE = 1 << 20


class GatheringWriter(DiskWriter):
    """A volume that is sent whole when it is flushed or closed.

    A subclass implements `send`. While it runs, `data` and `gathered` tell what there is to send, `check` stops it when
    the caller has given up, and `share` is the progress that the task tells.

    Args:
        size: Bytes of the volume.
        content: Opens what is on the volume for reading, `None` when it is empty. What has not been written over is taken
            from it before the volume is sent the first time.
    """

    def __init__(self, size: int, content: Callable[[], DiskReader] | None) -> None:
        self.size = size
        self.share: float | None = None
        self._content = content
        self._written = Ranges()
        """What was written over, as long as the rest is not taken in."""
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._given_up = False
        self._dirty = False
        self._file = temporary_file()
        try:
            with no_room():
                self._file.truncate(size)
        except BaseException:
            self._file.close()
            raise

    @abstractmethod
    def send(self) -> None:
        """Send all that was gathered, and return once the product has it. What fails is tried again, or given up."""

    # ---- gathering ---------------------------------------------------------------------------------------

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        with self._held():
            view = memoryview(data).cast("B")
            self._put(offset, view)
            self._note(offset, len(view))

    def zero(self, offset: int, length: int) -> None:
        with self._held():
            for begin, end in self.data(offset, offset + length):
                for at in range(begin, end, _PIECE):
                    self._put(at, memoryview(bytes(min(_PIECE, end - at))))
            self._note(offset, length)

    def flush(self) -> Result[None]:
        return self._begin(self._send_all)

    def close(self) -> Result[None]:
        """Send what was written and has not been sent; when that fails, it can be tried again or given up."""
        if self._file.closed:
            return None
        if not self._dirty:
            self._file.close()
            return None
        return self._begin(self._finish)

    def abort(self) -> None:
        """Give it up without waiting: what is under way notices that, and closes the file when it ends."""
        self._given_up = True
        self._stop.set()
        if self._lock.acquire(blocking=False):
            try:
                self._file.close()
            finally:
                self._lock.release()

    # ---- for `send` --------------------------------------------------------------------------------------

    def data(self, begin: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield the parts of a range that may hold something else than zeros, as (begin, end)."""
        while begin < end:
            try:
                begin = os.lseek(self._file.fileno(), begin, os.SEEK_DATA)
            except OSError as exc:
                if exc.errno == errno.ENXIO:
                    return
                raise
            if begin >= end:
                return
            hole = min(end, os.lseek(self._file.fileno(), begin, os.SEEK_HOLE))
            yield begin, hole
            begin = hole

    def gathered(self, offset: int, length: int) -> bytes:
        """Return bytes that were gathered."""
        return os.pread(self._file.fileno(), length, offset)

    def blocks(self, size: int) -> Iterator[int]:
        """Yield the numbers of the blocks of this size that may hold something else than zeros, in order."""
        last = -1
        for begin, end in self.data(0, self.size):
            for number in range(max(last + 1, begin // size), -(-end // size)):
                last = number
                yield number

    def check(self) -> None:
        """Stop here when the caller has given up."""
        if self._stop.is_set():
            raise BackgroundTask.cancelled()

    # ---- inside ------------------------------------------------------------------------------------------

    def _note(self, offset: int, length: int) -> None:
        self._dirty = self._dirty or length > 0
        if self._content is not None:
            self._written.add(offset, offset + length)

    def _put(self, offset: int, view: memoryview) -> None:
        with no_room():
            while view:
                count = os.pwrite(self._file.fileno(), view, offset)
                view, offset = view[count:], offset + count

    @contextlib.contextmanager
    def _held(self) -> Iterator[None]:
        with self._lock:
            try:
                if self._file.closed or self._given_up:
                    raise errors.OperationFailedError("the volume was closed, or the connection that it was opened on")
                yield
            finally:
                if self._given_up:
                    self._file.close()

    def _begin(self, work: Callable[[], None]) -> Task[None]:
        if not self._given_up:
            self._stop.clear()
        return BackgroundTask(work, progress=lambda: self.share, cancel=self._stop.set)

    def _finish(self) -> None:
        self._send_all()
        with self._lock:
            self._file.close()

    def _send_all(self) -> None:
        with self._held():
            if self._dirty:
                self._take_in()
                self.send()
                self._dirty = False

    def _take_in(self) -> None:
        """Read what was there before and has not been written over."""
        if self._content is None:
            return
        reader = self._content()
        try:
            for extent in reader.extents():
                if not extent.zero:
                    self._take_extent(reader, extent.offset, extent.offset + extent.length)
        finally:
            reader.close()
        self._content = None

    def _take_extent(self, reader: DiskReader, begin: int, end: int) -> None:
        for start, stop in self._written.gaps(begin, end):
            for offset in range(start, stop, _PIECE):
                self.check()
                data = reader.read(offset, min(_PIECE, stop - offset))
                if data.count(0) != len(data):
                    self._put(offset, memoryview(data))


def temporary_file() -> IO[bytes]:
    """Return a file that goes when it is closed."""
    return tempfile.TemporaryFile(prefix="hvsdk-")


@contextlib.contextmanager
def no_room() -> Iterator[None]:
    """Say what to do when the directory for temporary files is full.

    Raises:
        InsufficientResourcesError: It is.
    """
    try:
        yield
    except OSError as exc:
        if exc.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        raise errors.InsufficientResourcesError(
            f"{tempfile.gettempdir()} has no room to gather the disk in; set TMPDIR to a directory that has"
        ) from exc
