"""Writing a disk through XAPI, which takes a disk as one stream only: what is written is gathered in a sparse file first.

An empty disk gets a VHD, in which holes cost nothing. One that had data gets all its bytes, since what a VHD leaves out
may stay as it was.
"""

from __future__ import annotations

import errno
import os
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator

from hvsdk.driver import DiskReader, DiskWriter, errors

from hvsdk_xen._export import task_failure
from hvsdk_xen._steps import finish
from hvsdk_xen._tasks import XenTask
from hvsdk_xen._verbs import FAILURES, VerbSession
from hvsdk_xen._vhd import BLOCK_SIZE, SECTOR, vhd_head, vhd_length

__all__ = ["VolumeWriter"]

_CHUNK = 2**20
_ONES = b"\xff" * SECTOR
_OK = 200
_IMPORT_SECONDS = 24 * 3600.0
"""After which XAPI itself gives a task up."""


class VolumeWriter(DiskWriter):
    """A disk that is sent whole when it is flushed or closed.

    Args:
        session: The connection.
        vdi: UUID of the disk, which nothing has attached.
        size: Bytes of the disk.
        content: Opens the disk for reading, `None` when it is empty.
    """

    def __init__(self, session: VerbSession, vdi: str, size: int, content: Callable[[], DiskReader] | None) -> None:
        self.size = size
        self._session = session
        self._vdi = vdi
        self._whole = content is not None
        self._lock = threading.Lock()
        self._dirty = False
        self._file = tempfile.TemporaryFile(prefix="hvsdk-")  # noqa: SIM115  # closed by close and abort
        self._written = bytearray(-(-size // BLOCK_SIZE))
        """One byte for each block: whether it has data."""
        try:
            self._file.truncate(size)
            if content is not None:
                self._take_in(content())
        except BaseException as exc:
            self._file.close()
            raise _plain(exc) from exc

    def _take_in(self, reader: DiskReader) -> None:
        try:
            for extent in reader.extents():
                if not extent.zero:
                    for offset in range(extent.offset, extent.offset + extent.length, _CHUNK):
                        count = min(_CHUNK, extent.offset + extent.length - offset)
                        self._put(offset, reader.read(offset, count))
        finally:
            reader.close()

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        with self._lock:
            self._dirty = True
            try:
                self._put(offset, data)
            except OSError as exc:
                raise _plain(exc) from exc

    def _put(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        view = memoryview(data).cast("B")
        if not view:
            return
        for block in range(offset // BLOCK_SIZE, (offset + len(view) - 1) // BLOCK_SIZE + 1):
            self._written[block] = 1
        while view:
            count = os.pwrite(self._file.fileno(), view, offset)
            view, offset = view[count:], offset + count

    def zero(self, offset: int, length: int) -> None:
        with self._lock:
            self._dirty = True
            while length > 0:
                block, within = divmod(offset, BLOCK_SIZE)
                count = min(length, BLOCK_SIZE - within)
                if self._written[block]:
                    os.pwrite(self._file.fileno(), bytes(count), offset)
                offset, length = offset + count, length - count

    def flush(self) -> None:
        with self._lock:
            if self._dirty:
                self._send()
                self._dirty = False

    def close(self) -> None:
        if self._file.closed:
            return
        try:
            self.flush()
        finally:
            self._file.close()

    def abort(self) -> None:
        with self._lock:
            self._dirty = False
            self._file.close()

    # ---- sending -----------------------------------------------------------------------------------------

    def _send(self) -> None:
        """Send the disk, and return when XAPI says that it has it."""
        session = self._session
        task = str(session.call("task.create", f"hvsdk: write {self._vdi}", "", deadline=session.soon()))
        following = XenTask(session, task, "import_raw_vdi", lambda _: None)
        try:
            self._upload(task)
        except BaseException:
            found = task_failure(session, task)
            following.cancel()
            _forget(session, task)
            if found is not None:
                raise found from None
            raise
        finish(following, _IMPORT_SECONDS)

    def _upload(self, task: str) -> None:
        session = self._session
        present = [block for block, has in enumerate(self._written) if has]
        form, length = ("raw", self.size) if self._whole else ("vhd", vhd_length(len(present), self.size))
        pieces = self._plain_pieces() if self._whole else self._vhd_pieces(present)
        query = {"vdi": self._vdi, "format": form}
        with session.http(
            None, "PUT", "/import_raw_vdi", query, deadline=session.soon(), length=length, task=task
        ) as exchange:
            for piece in pieces:
                exchange.send(piece)
            status = exchange.answer()
        if status != _OK:
            raise task_failure(session, task) or errors.OperationFailedError(f"the disk was refused: HTTP {status}")

    def _plain_pieces(self) -> Iterator[bytes]:
        for offset in range(0, self.size, _CHUNK):
            yield self._get(offset, min(_CHUNK, self.size - offset))

    def _vhd_pieces(self, present: Iterable[int]) -> Iterator[bytes]:
        numbers = list(present)
        head, footer = vhd_head(numbers, self.size)
        yield head
        for block in numbers:
            yield _ONES
            data = self._get(block * BLOCK_SIZE, min(BLOCK_SIZE, self.size - block * BLOCK_SIZE))
            yield data + bytes(BLOCK_SIZE - len(data))
        yield footer

    def _get(self, offset: int, length: int) -> bytes:
        return os.pread(self._file.fileno(), length, offset)


def _forget(session: VerbSession, task: str) -> None:
    try:
        session.call("task.destroy", task, deadline=session.soon())
    except FAILURES:
        return  # it is over, or goes with the toolstack


def _plain(exc: BaseException) -> BaseException:
    if isinstance(exc, OSError) and exc.errno == errno.ENOSPC:
        return errors.InsufficientResourcesError(
            f"{tempfile.gettempdir()} has no room to gather the disk in; set TMPDIR to a directory that has"
        )
    return exc
