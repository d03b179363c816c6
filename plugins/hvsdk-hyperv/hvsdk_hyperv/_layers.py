"""One file of a virtual disk: what it holds, and what is to be looked for in the file below it."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from uuid import UUID

import attrs

from hvsdk_hyperv._host_files import DamagedDiskError, HostFile, HostFiles, take_all

__all__ = ["PARENT", "ZERO", "BlockLayer", "Layer", "ParentLink", "Piece", "joined"]

ZERO = -1
"""Source of a piece that reads as zeros."""
PARENT = -2
"""Source of a piece that the file below has."""
_BITMAPS_KEPT = 32 << 20
"""Bytes of bitmaps that are remembered for one file."""


@attrs.frozen
class Piece:
    """Bytes of a disk, and where they are: at an offset of the file, `ZERO` or `PARENT`."""

    offset: int
    length: int
    source: int

    @property
    def end(self) -> int:
        """Where it ends on the disk."""
        return self.offset + self.length


@attrs.frozen(kw_only=True)
class ParentLink:
    """What a differencing disk says of the file below it.

    Attributes:
        paths: Where it may be, the best first: whole paths, or paths from the folder of this file.
        ids: What it may say that its content is.
    """

    paths: Sequence[str]
    ids: frozenset[UUID]


class Layer(ABC):
    """One file, parsed.

    Attributes:
        size: Bytes of the disk.
        id: What files above this one say that its content is.
        parent: The file below; None where there is none.
    """

    size: int
    id: UUID
    parent: ParentLink | None = None

    def __init__(self, files: HostFiles, file: HostFile) -> None:
        self.files = files
        self.file = file

    @property
    @abstractmethod
    def window(self) -> int:
        """How much of the disk is best looked at together, in bytes."""

    @abstractmethod
    def pieces(self, ranges: Sequence[tuple[int, int]]) -> list[Piece]:
        """Return where ranges of the disk are, given as (offset, length), in order.

        Raises:
            DamagedDiskError: The file does not tell.
        """


class BlockLayer(Layer):
    """A file with blocks, some of which have a bitmap of the sectors that they hold."""

    block: int
    sector: int
    first_bit_is_highest = False
    absent = ZERO
    """What is read of a sector that its block does not hold."""

    def __init__(self, files: HostFiles, file: HostFile) -> None:
        super().__init__(files, file)
        self._lock = threading.Lock()
        self._bitmaps: OrderedDict[int, bytes] = OrderedDict()

    @property
    def window(self) -> int:
        return self.block * 256

    @abstractmethod
    def _place(self, block: int) -> tuple[int, bool]:
        """Return where a block begins in the file, `ZERO` or `PARENT`, and whether a bitmap tells more."""

    @abstractmethod
    def _bitmap_at(self, block: int) -> int:
        """Return where the bitmap of a block is in the file."""

    @property
    def _bitmap_length(self) -> int:
        return -(-self.block // self.sector // 8)

    def pieces(self, ranges: Sequence[tuple[int, int]]) -> list[Piece]:
        parts = [part for offset, length in ranges for part in self._parts(offset, length)]
        places = {block: self._place(block) for block, _, _ in parts}
        bitmaps = self._read_bitmaps([block for block, (_, partial) in places.items() if partial])
        return list(joined(self._found(parts, places, bitmaps)))

    def _found(
        self,
        parts: Iterable[tuple[int, int, int]],
        places: dict[int, tuple[int, bool]],
        bitmaps: dict[int, bytes],
    ) -> Iterator[Piece]:
        for block, offset, length in parts:
            at, _ = places[block]
            if block in bitmaps:
                yield from self._sectors(bitmaps[block], at, offset, length)
            else:
                yield Piece(offset, length, at + offset % self.block if at >= 0 else at)

    def _parts(self, offset: int, length: int) -> Iterator[tuple[int, int, int]]:
        """Yield the number of each block of a range, with what of it is in the range."""
        end = offset + length
        while offset < end:
            here = min(self.block - offset % self.block, end - offset)
            yield offset // self.block, offset, here
            offset += here

    def _sectors(self, bitmap: bytes, at: int, offset: int, length: int) -> Iterator[Piece]:
        """Yield runs of sectors that a block holds, and of those that it does not."""
        start = offset - offset % self.block
        first, last = (offset - start) // self.sector, -(-(offset + length - start) // self.sector)
        for begin, end, held in self._runs(bitmap, first, last):
            low = max(offset, start + begin * self.sector)
            high = min(offset + length, start + end * self.sector)
            yield Piece(low, high - low, at + low - start if held else self.absent)

    def _runs(self, bitmap: bytes, first: int, last: int) -> Iterator[tuple[int, int, bool]]:
        """Yield runs of bits from `first` to before `last`; bytes of eight like ones are taken at once."""
        begin, held = first, self._bit(bitmap, first)
        number = first
        whole = b"\xff" if held else b"\0"
        while number < last:
            if number % 8 == 0 and bitmap[number >> 3 : (number >> 3) + 1] == whole:
                number += 8
            elif self._bit(bitmap, number) == held:
                number += 1
            else:
                yield begin, number, held
                begin, held = number, not held
                whole = b"\xff" if held else b"\0"
        yield begin, last, held

    def _bit(self, bitmap: bytes, number: int) -> bool:
        shift = 7 - number % 8 if self.first_bit_is_highest else number % 8
        return bool(bitmap[number >> 3] >> shift & 1)

    def _read_bitmaps(self, blocks: Sequence[int]) -> dict[int, bytes]:
        """Return the bitmaps of blocks; those that are not known yet are read in one request."""
        with self._lock:
            found = {block: self._bitmaps[block] for block in blocks if block in self._bitmaps}
        wanted = [block for block in blocks if block not in found]
        if wanted:
            ranges = [(self._bitmap_at(block), self._bitmap_length) for block in wanted]
            read = take_all(self.files, self.file, ranges, "a bitmap of sectors")
            found |= dict(zip(wanted, read, strict=True))
        with self._lock:
            for block in blocks:
                self._bitmaps[block] = found[block]
                self._bitmaps.move_to_end(block)
            while len(self._bitmaps) * self._bitmap_length > _BITMAPS_KEPT:
                self._bitmaps.popitem(last=False)
        return found

    def _check_places(self, places: Iterable[tuple[int, int]], taken: Iterable[tuple[int, int]]) -> None:
        """Refuse a table whose blocks lie upon each other, or upon something else. All are (begin, end) in the file.

        Raises:
            DamagedDiskError: They do, or are beyond the end of the file.
        """
        last = 0
        for begin, end in sorted([*places, *taken]):
            if begin < last:
                raise DamagedDiskError(f"blocks of {self.file.path} lie upon each other, or upon its own tables")
            last = end
        if last > self.file.size:
            raise DamagedDiskError(f"blocks of {self.file.path} are beyond the end of the file")


def joined(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Yield pieces with those that go on where the one before ends put together."""
    last: Piece | None = None
    for piece in pieces:
        if last is not None and last.end == piece.offset and _goes_on(last, piece):
            last = Piece(last.offset, last.length + piece.length, last.source)
            continue
        if last is not None:
            yield last
        last = piece
    if last is not None:
        yield last


def _goes_on(last: Piece, piece: Piece) -> bool:
    if last.source < 0 or piece.source < 0:
        return last.source == piece.source
    return last.source + last.length == piece.source
