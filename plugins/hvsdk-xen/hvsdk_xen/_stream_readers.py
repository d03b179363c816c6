"""Disks read from XAPI's HTTP streams: in order, and from the beginning again where somebody goes back."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from functools import partial
from http.client import HTTPException
from typing import Protocol, TypeVar

from hvsdk.driver import Deadline, DiskReader, Extent, errors

from hvsdk_xen._export import Export
from hvsdk_xen._vhd import SECTOR, BrokenVhdError, VhdMap, read_map

__all__ = ["RawReader", "VhdReader", "check_size"]

T = TypeVar("T")

_TRIES = 3
"""How often one piece is asked for when the stream breaks."""


class Begin(Protocol):
    """Opens a stream at its beginning."""

    def __call__(self, *, deadline: Deadline | None) -> Export: ...


def check_size(found: int, expected: int, what: str) -> None:
    """Refuse a stream of another length than the disk: it would be read wrong.

    Raises:
        OperationFailedError: They differ.
    """
    if found != expected:
        raise errors.OperationFailedError(f"the {what} of the disk has {found} bytes, but the disk has {expected}")


class RawReader(DiskReader):
    """A disk as its plain bytes, holes included.

    Args:
        begin: Opens the stream.
        size: Bytes of the disk.
        deadline: For opening it now; when it is begun again that has the time of a round trip.

    Raises:
        OperationFailedError: The stream is announced to be of another length.
    """

    def __init__(self, begin: Begin, size: int, deadline: Deadline | None = None) -> None:
        self.size = size
        self._begin = begin
        self._lock = threading.Lock()
        self._export = self._opened(deadline)

    def _opened(self, deadline: Deadline | None) -> Export:
        export = self._begin(deadline=deadline)
        try:
            if export.announced is not None:
                check_size(export.announced, self.size, "raw stream")
        except BaseException:
            export.close()
            raise
        return export

    def extents(self) -> Iterable[Extent]:
        return [Extent(offset=0, length=self.size)] if self.size else []

    def read(self, offset: int, length: int) -> bytes:
        with self._lock:
            return _again(partial(self._read, offset, length), self._restart)

    def _read(self, offset: int, length: int) -> bytes:
        if offset < self._export.position:
            self._restart()
        self._export.skip(offset - self._export.position)
        return self._export.read(length)

    def _restart(self) -> None:
        self._export.close()
        self._export = self._opened(None)

    def close(self) -> None:
        with self._lock:
            self._export.close()

    def drop(self) -> None:
        """Let the connection go, with whoever reads on it."""
        self._export.drop()


class VhdReader(DiskReader):
    """A disk as a VHD that is taken apart while it comes: what is not in it is never sent.

    Args:
        begin: Opens the stream.
        size: Bytes of the disk, which the image must agree with.
        deadline: For opening it now; when it is begun again that has the time of a round trip.

    Raises:
        BrokenVhdError: It cannot be read in one pass.
    """

    def __init__(self, begin: Begin, size: int, deadline: Deadline | None = None) -> None:
        self.size = size
        self._begin = begin
        self._lock = threading.Lock()
        self._block: int | None = None
        self._data = bytearray()
        self._export, self._map = _open_vhd(begin, size, deadline)

    def extents(self) -> Iterable[Extent]:
        return self._map.extents()

    def read(self, offset: int, length: int) -> bytes:
        pieces = []
        with self._lock:
            while length > 0:
                block, within = divmod(offset, self._map.block_size)
                count = min(length, self._map.block_size - within)
                if self._map.place(block) is None:
                    pieces.append(bytes(count))
                else:
                    data = _again(partial(self._load, block), self._restart)
                    pieces.append(bytes(data[within : within + count]))
                offset, length = offset + count, length - count
        return b"".join(pieces)

    def _load(self, block: int) -> bytearray:
        """Read on until a block is there, and return its bytes."""
        if block == self._block:
            return self._data
        place = self._map.place(block)
        assert place is not None
        if place < self._export.position:
            self._restart()
        self._export.skip(place - self._export.position)
        bitmap = self._export.read(self._map.bitmap_size)
        self._block = None
        data = bytearray(self._map.block_size)
        self._export.readinto(memoryview(data))
        _blank(data, bitmap)
        self._block, self._data = block, data
        return data

    def _restart(self) -> None:
        self._export.close()
        self._export, found = _open_vhd(self._begin, self.size, None)
        if list(found.table) != list(self._map.table):
            raise errors.OperationFailedError("the disk has changed while it was read: begin again")

    def close(self) -> None:
        with self._lock:
            self._export.close()

    def drop(self) -> None:
        """Let the connection go, with whoever reads on it."""
        self._export.drop()


def _open_vhd(begin: Begin, size: int, deadline: Deadline | None) -> tuple[Export, VhdMap]:
    export = begin(deadline=deadline)
    try:
        found, _ = read_map(export.read)
        check_size(found.size, size, "VHD")
        if found.differencing or not found.in_order():
            raise BrokenVhdError("the VHD that the server sent cannot be read in one pass")
    except BaseException:
        export.close()
        raise
    return export, found


def _blank(data: bytearray, bitmap: bytes) -> None:
    """Make the sectors zero that a block's bitmap has no bit for: they were never written."""
    sectors = len(data) // SECTOR
    if sectors % 8 == 0 and bitmap.startswith(b"\xff" * (sectors // 8)):
        return
    for sector in range(sectors):
        if not bitmap[sector // 8] & (0x80 >> sector % 8):
            data[sector * SECTOR : (sector + 1) * SECTOR] = bytes(SECTOR)


def _again(work: Callable[[], T], restart: Callable[[], None]) -> T:
    """Do something, with the stream begun anew when it broke."""
    for left in reversed(range(_TRIES)):
        try:
            return work()
        except TimeoutError:
            raise  # a silent server is not asked three times
        except (errors.ConnectionLostError, OSError, HTTPException):
            if not left:
                raise
            restart()
    raise AssertionError("unreachable")
