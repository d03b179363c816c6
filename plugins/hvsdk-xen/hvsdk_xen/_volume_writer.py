"""Writing a disk through XAPI, which takes a disk as one stream only: what is written is gathered in a sparse file first.

An empty disk gets a VHD, in which holes cost nothing. One that had data gets all its bytes, since what a VHD leaves out
may stay as it was.
"""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator

from hvsdk.driver import BackgroundTask, DiskReader, DiskWriter, Result, Task, errors, finish

from hvsdk_xen._export import give_up, task_failure
from hvsdk_xen._ranges import Ranges
from hvsdk_xen._tasks import XenTask
from hvsdk_xen._verbs import VerbSession
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
        host: Reference of the host that it is sent to, `None` for the master.
        content: Opens the disk for reading, `None` when it is empty. What was not written over is taken from it before
            the disk is sent.
    """

    def __init__(
        self, session: VerbSession, vdi: str, size: int, host: str | None, content: Callable[[], DiskReader] | None
    ) -> None:
        self.size = size
        self._session = session
        self._vdi = vdi
        self._host = host
        self._content = content
        self._whole = content is not None
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._given_up = False
        self._share: float | None = None
        self._dirty = False
        self._file = tempfile.TemporaryFile(prefix="hvsdk-")  # noqa: SIM115  # closed by close and abort
        self._written = bytearray(-(-size // BLOCK_SIZE))
        """One byte for each block: whether it has data."""
        self._ours = Ranges()
        """What was written over, as long as the rest is not taken in."""
        try:
            self._file.truncate(size)
        except BaseException as exc:
            self._file.close()
            raise _plain(exc) from exc

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        with self._held():
            self._dirty = True
            view = memoryview(data).cast("B")
            self._put(offset, view)
            self._note(offset, len(view))

    def zero(self, offset: int, length: int) -> None:
        with self._held():
            self._dirty = True
            self._note(offset, length)
            while length > 0:
                block, within = divmod(offset, BLOCK_SIZE)
                count = min(length, BLOCK_SIZE - within)
                if self._written[block]:
                    self._put(offset, memoryview(bytes(count)))
                offset, length = offset + count, length - count

    def _note(self, offset: int, length: int) -> None:
        if self._content is not None:
            self._ours.add(offset, offset + length)

    def _put(self, offset: int, view: memoryview) -> None:
        if not view:
            return
        for block in range(offset // BLOCK_SIZE, (offset + len(view) - 1) // BLOCK_SIZE + 1):
            self._written[block] = 1
        try:
            while view:
                count = os.pwrite(self._file.fileno(), view, offset)
                view, offset = view[count:], offset + count
        except OSError as exc:
            raise _plain(exc) from exc

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

    drop = abort

    @contextlib.contextmanager
    def _held(self) -> Iterator[None]:
        with self._lock:
            try:
                if self._file.closed:
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
            if self._dirty:
                self._take_in()
                self._send()
                self._dirty = False

    def _take_in(self) -> None:
        """Read what was there before and has not been written over."""
        if self._content is None:
            return
        reader = self._content()
        try:
            for extent in reader.extents():
                if not extent.zero:
                    for begin, end in self._ours.gaps(extent.offset, extent.offset + extent.length):
                        for offset in range(begin, end, _CHUNK):
                            self._check()
                            self._put(offset, memoryview(reader.read(offset, min(_CHUNK, end - offset))))
        finally:
            reader.close()
        self._content = None

    def _check(self) -> None:
        """Stop here when the caller has given up."""
        if self._stop.is_set():
            raise BackgroundTask.cancelled()

    # ---- sending -----------------------------------------------------------------------------------------

    def _send(self) -> None:
        """Send the disk, and return when XAPI says that it has it."""
        session = self._session
        task = str(session.call("task.create", f"hvsdk: write {self._vdi}", "", deadline=session.soon()))
        following: XenTask[None] = session.follow_task(task, "import_raw_vdi", lambda _: None)
        try:
            self._upload(task)
        except BaseException:
            found = task_failure(session, task)
            give_up(session, following)
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
            self._host, "PUT", "/import_raw_vdi", query, deadline=session.soon(), length=length, task=task
        ) as exchange:
            sent = 0
            for piece in pieces:
                self._check()
                exchange.send(piece)
                sent += len(piece)
                self._share = sent / length
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


def _plain(exc: BaseException) -> BaseException:
    if isinstance(exc, OSError) and exc.errno == errno.ENOSPC:
        return errors.InsufficientResourcesError(
            f"{tempfile.gettempdir()} has no room to gather the disk in; set TMPDIR to a directory that has"
        )
    return exc
