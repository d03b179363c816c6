"""Writing a disk: a new file is made beside it, and takes its place when it is whole."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any
from uuid import uuid4

from hvsdk.driver import DiskReader, errors, finish
from hvsdk.gathering import GatheringWriter

from hvsdk_hyperv._session import FAILURES, NO_ANSWER, HyperVSession
from hvsdk_hyperv._vhdx_metadata import Metadata
from hvsdk_hyperv._vhdx_writer import VhdxPlan, plan_vhdx

__all__ = ["VolumeWriter"]

_PIECE = 1 << 20
"""Bytes of one request."""
_LAST_SECONDS = 3600.0
"""The last step looks through all disks that might lie on this one."""


class VolumeWriter(GatheringWriter):
    """A VHDX that is made anew when it is flushed or closed; until then, and when that fails, the volume is as it was.

    Args:
        session: The connection.
        volume: What `volume_writing.look` wants: `pool` and `name`.
        seen: What is replaced: its `path`, and `size` and `written` of the file.
        metadata: What disk it is, and stays.
        content: Opens the disk for reading, `None` when it is empty.
    """

    def __init__(
        self,
        session: HyperVSession,
        volume: Mapping[str, Any],
        seen: Mapping[str, Any],
        metadata: Metadata,
        content: Callable[[], DiskReader] | None,
    ) -> None:
        super().__init__(metadata.size, content)
        self._session = session
        self._volume = volume
        self._seen = seen
        self._metadata = metadata

    def send(self) -> None:
        """Send the file and put it in the place of the old one."""
        present = [number for number in self.blocks(self._metadata.block) if self._has_data(number)]
        plan = plan_vhdx(self._metadata, present)
        arguments = {"path": self._seen["path"], "token": uuid4().hex[:8], "length": plan.length}
        part = self._call("volume_writing.create", arguments)["part"]
        try:
            self._send_pieces(part, self._pieces(plan, present), plan.length)
            self.check()
            self._put_in_place(part, plan.length)
        except BaseException:
            with contextlib.suppress(*FAILURES):
                self._call("volume_writing.abort", {"part": part})
            raise

    def _put_in_place(self, part: str, length: int) -> None:
        arguments = {**self._volume, "seen": self._seen, "part": part, "length": length}
        try:
            task = self._session.begin("volume_writing.finish", arguments, deadline=self._session.soon())
            self._seen = finish(task, _LAST_SECONDS)
        except (*NO_ANSWER, errors.ConnectionLostError) as exc:
            self._seen = self._seen_after(exc, part)

    def _seen_after(self, silence: BaseException, part: str) -> Mapping[str, Any]:
        """Look whether the new file is in its place, when there was no answer to that."""
        path = self._seen["path"]
        try:
            outcome = self._call("volume_writing.outcome", {"part": part, "path": path})
        except FAILURES as exc:
            raise errors.OutcomeUnknownError(
                f"the host does not say whether the new content of {path} is in its place",
                hint="read the volume before it is used: it is the old or the new one as a whole",
            ) from exc
        if outcome["part"]:
            raise silence
        seen: Mapping[str, Any] = outcome["seen"]
        return seen

    def _send_pieces(self, part: str, pieces: Iterable[tuple[int, bytes]], length: int) -> None:
        for batch in _batches(pieces):
            self.check()
            ranges = [{"offset": offset, "data": base64.b64encode(data).decode()} for offset, data in batch]
            self._call("volume_writing.write", {"part": part, "ranges": ranges})
            offset, data = batch[-1]
            self.share = (offset + len(data)) / length

    def _pieces(self, plan: VhdxPlan, present: Sequence[int]) -> Iterator[tuple[int, bytes]]:
        """Yield the file's content in order, without what is zeros."""
        for at, table in plan.tables:
            for offset in range(0, len(table), _PIECE):
                yield at + offset, table[offset : offset + _PIECE]
        for number in present:
            for offset, data in self._data_of(number):
                yield plan.places[number] + offset, data

    def _has_data(self, block: int) -> bool:
        return next(self._data_of(block), None) is not None

    def _data_of(self, block: int) -> Iterator[tuple[int, bytes]]:
        """Yield what of a block is not zeros, with where in the block it is."""
        start = block * self._metadata.block
        for begin, end in self.data(start, min(start + self._metadata.block, self.size)):
            for at in range(begin, end, _PIECE):
                data = self.gathered(at, min(_PIECE, end - at))
                if data.count(0) != len(data):
                    yield at - start, data

    def _call(self, operation: str, arguments: Mapping[str, Any]) -> Any:
        return self._session.repeatable(operation, arguments, deadline=self._session.soon())


def _batches(pieces: Iterable[tuple[int, bytes]]) -> Iterator[list[tuple[int, bytes]]]:
    """Yield pieces together, as many as one request takes."""
    batch: list[tuple[int, bytes]] = []
    room = _PIECE
    for piece in pieces:
        if batch and len(piece[1]) > room:
            yield batch
            batch, room = [], _PIECE
        batch.append(piece)
        room -= len(piece[1])
    if batch:
        yield batch
