"""Writing a disk through XAPI, which takes a disk as one stream only.

An empty disk gets a VHD, in which holes cost nothing. One that had data gets all its bytes, since what a VHD leaves out
may stay as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from hvsdk.driver import DiskReader, errors, finish
from hvsdk.gathering import GatheringWriter

from hvsdk_xen._export import give_up, task_failure
from hvsdk_xen._tasks import XenTask
from hvsdk_xen._verbs import VerbSession
from hvsdk_xen._vhd import BLOCK_SIZE, SECTOR, vhd_head, vhd_length

__all__ = ["VolumeWriter"]

_CHUNK = 2**20
_ONES = b"\xff" * SECTOR
_OK = 200
_IMPORT_SECONDS = 24 * 3600.0
"""After which XAPI itself gives a task up."""


class VolumeWriter(GatheringWriter):
    """A disk that is sent whole when it is flushed or closed.

    Args:
        session: The connection.
        vdi: UUID of the disk, which nothing has attached.
        size: Bytes of the disk.
        host: Reference of the host that it is sent to, `None` for the master.
        content: Opens the disk for reading, `None` when it is empty.
    """

    def __init__(
        self, session: VerbSession, vdi: str, size: int, host: str | None, content: Callable[[], DiskReader] | None
    ) -> None:
        super().__init__(size, content)
        self._session = session
        self._vdi = vdi
        self._host = host
        self._whole = content is not None

    def drop(self) -> None:
        """Give it up with its connection."""
        self.abort()

    def send(self) -> None:
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
        present = list(self.blocks(BLOCK_SIZE))
        form, length = ("raw", self.size) if self._whole else ("vhd", vhd_length(len(present), self.size))
        pieces = self._plain_pieces() if self._whole else self._vhd_pieces(present)
        query = {"vdi": self._vdi, "format": form}
        with session.http(
            self._host, "PUT", "/import_raw_vdi", query, deadline=session.soon(), length=length, task=task
        ) as exchange:
            sent = 0
            for piece in pieces:
                self.check()
                exchange.send(piece)
                sent += len(piece)
                self.share = sent / length
            status = exchange.answer()
        if status != _OK:
            raise task_failure(session, task) or errors.OperationFailedError(f"the disk was refused: HTTP {status}")

    def _plain_pieces(self) -> Iterator[bytes]:
        for offset in range(0, self.size, _CHUNK):
            yield self.gathered(offset, min(_CHUNK, self.size - offset))

    def _vhd_pieces(self, present: Sequence[int]) -> Iterator[bytes]:
        head, footer = vhd_head(present, self.size)
        yield head
        for block in present:
            yield _ONES
            data = self.gathered(block * BLOCK_SIZE, min(BLOCK_SIZE, self.size - block * BLOCK_SIZE))
            yield data + bytes(BLOCK_SIZE - len(data))
        yield footer
