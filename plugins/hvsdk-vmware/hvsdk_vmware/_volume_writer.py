"""Writing a disk: vSphere takes one as one stream only, so that what is written is gathered in a sparse file first.

When it is flushed or closed it goes to vSphere as a stream-optimised VMDK, see `_volume_import`. What was on the volume
and has not been written over is read from its file before.
"""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from typing import IO

from hvsdk.driver import BackgroundTask, DiskWriter, Result, Task, errors

from hvsdk_vmware._ranges import Ranges
from hvsdk_vmware._vmdk import GRAIN
from hvsdk_vmware._vmdk_writer import vmdk_pieces

__all__ = ["VolumeWriter"]

_PIECE = 1 << 20
Content = Callable[[int, int], bytes]
"""Returns what a volume had: `content(offset, length)`."""


class VolumeWriter(DiskWriter):
    """A volume that is sent whole when it is flushed or closed.

    Args:
        size: Bytes of the volume.
        content: Reads what is on the volume, `None` when it is empty.
        send: Puts a VMDK in the place of the volume: the file, its length, something to call with the bytes that were
            sent, which raises when the caller has given up.
    """

    def __init__(
        self,
        size: int,
        content: Content | None,
        send: Callable[[IO[bytes], int, Callable[[int], None]], None],
    ) -> None:
        self.size = size
        self._content = content
        self._send = send
        self._written = Ranges()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._given_up = False
        self._dirty = False
        self._share: float | None = None
        self._file = _temporary()
        try:
            self._file.truncate(size)
        except BaseException as exc:
            self._file.close()
            raise _plain(exc) from exc

    # ---- gathering ---------------------------------------------------------------------------------------

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        with self._held():
            view = memoryview(data).cast("B")
            self._put(offset, view)
            self._note(offset, len(view))

    def zero(self, offset: int, length: int) -> None:
        with self._held():
            for begin, end in self._data(offset, offset + length):
                for at in range(begin, end, _PIECE):
                    self._put(at, memoryview(bytes(min(_PIECE, end - at))))
            self._note(offset, length)

    def _note(self, offset: int, length: int) -> None:
        self._dirty = self._dirty or length > 0
        if self._content is not None:
            self._written.add(offset, offset + length)

    def _put(self, offset: int, view: memoryview) -> None:
        try:
            while view:
                count = os.pwrite(self._file.fileno(), view, offset)
                view, offset = view[count:], offset + count
        except OSError as exc:
            raise _plain(exc) from exc

    def _data(self, begin: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield the parts of a range that may hold something else than zeros."""
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

    # ---- the end -----------------------------------------------------------------------------------------

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
        """Give it up without waiting: what is under way notices that, and takes back what it has made."""
        self._given_up = True
        self._stop.set()
        if self._lock.acquire(blocking=False):
            try:
                self._file.close()
            finally:
                self._lock.release()

    drop = abort

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
        return BackgroundTask(work, progress=lambda: self._share, cancel=self._stop.set)

    def _finish(self) -> None:
        self._send_all()
        with self._lock:
            self._file.close()

    def _send_all(self) -> None:
        with self._held():
            if not self._dirty:
                return
            self._take_in()
            with _temporary() as packed:
                length = self._pack(packed)
                packed.seek(0)

                def moved(count: int) -> None:
                    self._share = count / length
                    self._check()

                self._send(packed, length, moved)
            self._dirty = False

    def _take_in(self) -> None:
        """Read what was there before and has not been written over."""
        if self._content is None:
            return
        for begin, end in list(self._written.missing(self.size)):
            for offset in range(begin, end, _PIECE):
                self._check()
                data = self._content(offset, min(_PIECE, end - offset))
                if data.count(0) != len(data):
                    self._put(offset, memoryview(data))
        self._content = None

    def _check(self) -> None:
        """Stop here when the caller has given up."""
        if self._stop.is_set():
            raise BackgroundTask.cancelled()

    def _pack(self, packed: IO[bytes]) -> int:
        """Write the VMDK, and return its length, which has to be announced before it is sent."""
        length = 0
        try:
            for piece in vmdk_pieces(self.size, self._grains()):
                self._check()
                packed.write(piece)
                length += len(piece)
            packed.flush()
        except OSError as exc:
            raise _plain(exc) from exc
        return length

    def _grains(self) -> Iterator[tuple[int, bytes]]:
        """Yield the grains that have anything but zeros, by their numbers."""
        done = -1
        for begin, end in self._data(0, self.size):
            for number in range(max(done + 1, begin // GRAIN), -(-end // GRAIN)):
                data = os.pread(self._file.fileno(), min(GRAIN, self.size - number * GRAIN), number * GRAIN)
                done = number
                if data.count(0) != len(data):
                    yield number, data


def _temporary() -> IO[bytes]:
    return tempfile.TemporaryFile(prefix="hvsdk-")


def _plain(exc: BaseException) -> BaseException:
    if isinstance(exc, OSError) and exc.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return errors.InsufficientResourcesError(
            f"{tempfile.gettempdir()} has no room to gather the disk in; set TMPDIR to a directory that has"
        )
    return exc
