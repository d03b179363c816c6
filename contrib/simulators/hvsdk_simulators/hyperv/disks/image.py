"""A virtual hard disk that is open: what its formats have in common."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Literal, Self
from uuid import UUID

import attrs

__all__ = ["PARENT", "ZERO", "BrokenChainError", "DiskError", "DiskInfo", "DiskType", "Format", "Image", "Piece"]

Format = Literal["vhdx", "vhd"]
DiskType = Literal["dynamic", "fixed", "differencing"]

ZERO = -1
"""Source of a piece that reads as zeros."""
PARENT = -2
"""Source of a piece that the parent has."""
_STEP = 1 << 20


class DiskError(Exception):
    """A file is no virtual hard disk, or a wrong one for what was asked."""


class BrokenChainError(DiskError):
    """The parent of a differencing disk is not there, or is not what it was."""


@attrs.frozen(kw_only=True)
class DiskInfo:
    """What a file says of its disk.

    Attributes:
        size: Bytes that a guest sees.
        file_size: Bytes of the file.
        block_size: Bytes of a block; of a fixed VHD 0.
        id: What Windows shows as DiskIdentifier.
        content_id: What a child remembers of its parent; a VHDX gets another one when it is written.
        parent_path: Path on Windows, as the file has it.
        parent_id: The parent's `content_id` as the child remembers it.
    """

    format: Format
    type: DiskType
    size: int
    file_size: int
    block_size: int
    id: UUID
    content_id: UUID
    logical_sector_size: int = 512
    physical_sector_size: int = 4096
    parent_path: str | None = None
    parent_id: UUID | None = None


@attrs.frozen
class Piece:
    """Bytes of a disk, and where they are: at an offset of the file, `ZERO`, or `PARENT`."""

    offset: int
    length: int
    source: int


class Image(ABC):
    """A disk that is open; use it in a `with` block."""

    size: int
    sector = 512

    def __init__(self, path: Path, file: IO[bytes]) -> None:
        self.path = path
        self.parent: Image | None = None
        self._file = file

    # ---- what a format supplies --------------------------------------------------------------------------

    @property
    @abstractmethod
    def info(self) -> DiskInfo:
        """What the file says of its disk."""

    @abstractmethod
    def pieces(self, offset: int, length: int) -> Iterator[Piece]:
        """Yield where the bytes of a range are, in order and without gaps."""

    @abstractmethod
    def parent_names(self) -> list[str]:
        """Return what the file calls its parent: full paths, or paths that begin at its own folder."""

    @abstractmethod
    def set_parent(self, parent: Image, name: str) -> None:
        """Lie on another file from now on."""

    @abstractmethod
    def resize(self, size: int) -> None:
        """Have another size. What lies beyond is forgotten, and what is new is zeros."""

    @abstractmethod
    def _store(self, offset: int, data: memoryview) -> None:
        """Write whole sectors."""

    # ---- reading and writing -----------------------------------------------------------------------------

    def read(self, offset: int, length: int) -> bytes:
        """Return bytes, whichever file of the chain has them."""
        self._check(offset, length)
        data = bytearray(length)
        for piece in self.pieces(offset, length):
            at = piece.offset - offset
            if piece.source >= 0:
                data[at : at + piece.length] = self._read_file(piece.source, piece.length)
            elif piece.source == PARENT and self.parent is not None:
                inside = max(0, min(piece.length, self.parent.size - piece.offset))
                data[at : at + inside] = self.parent.read(piece.offset, inside) if inside else b""
        return bytes(data)

    def write(self, offset: int, data: bytes) -> None:
        """Write bytes at any place; blocks come to be as they are needed."""
        self._check(offset, len(data))
        if not data:
            return
        first, last = offset // self.sector * self.sector, -(-(offset + len(data)) // self.sector) * self.sector
        last = max(min(last, self.size), offset + len(data))
        head, tail = self.read(first, offset - first), self.read(offset + len(data), last - offset - len(data))
        self._store(first, memoryview(head + data + tail))

    def extents(self, *, own: bool = False) -> list[tuple[int, int]]:
        """Return (offset, length) of all that is stored in the chain, or in this file alone, in order.

        With `own`, zeros that hide what the parent has count as stored.
        """
        found: list[list[int]] = []
        for offset, length in self._stored(0, self.size, own):
            if found and found[-1][0] + found[-1][1] == offset:
                found[-1][1] += length
            else:
                found.append([offset, length])
        return [(offset, length) for offset, length in found]

    def _stored(self, offset: int, length: int, own: bool) -> Iterator[tuple[int, int]]:
        for piece in self.pieces(offset, length):
            if piece.source >= 0 or (own and piece.source == ZERO and self.parent is not None):
                yield piece.offset, piece.length
            elif piece.source == PARENT and not own and self.parent is not None:
                inside = min(piece.length, self.parent.size - piece.offset)
                if inside > 0:
                    yield from self.parent._stored(piece.offset, inside, False)

    def _zero_tail(self, old: int, new: int, block: int) -> None:
        """Make what a bigger disk gets in its last block zeros: something may be left from a bigger disk before it."""
        end = min(-(-old // block) * block, new)
        for piece in list(self.pieces(old, end - old)) if end > old else []:
            if piece.source >= 0:
                self._write_file(piece.source, bytes(piece.length))

    # ---- the file ----------------------------------------------------------------------------------------

    def _read_file(self, at: int, length: int) -> bytes:
        self._file.seek(at)
        data = self._file.read(length)
        return data + bytes(length - len(data))

    def _write_file(self, at: int, data: bytes | memoryview) -> None:
        self._file.seek(at)
        self._file.write(data)

    def _file_size(self) -> int:
        return os.fstat(self._file.fileno()).st_size

    def _check(self, offset: int, length: int) -> None:
        if offset < 0 or length < 0 or offset + length > self.size:
            raise DiskError(f"{length} bytes at {offset} are not within a disk of {self.size}")

    # ---- the end -----------------------------------------------------------------------------------------

    def close(self) -> None:
        """Close this file and those of its parents; twice is harmless."""
        self._file.close()
        if self.parent is not None:
            self.parent.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def copy_range(source: Image, target: Image, offset: int, length: int, *, zeros: bool) -> None:
    """Copy bytes, with `zeros` those as well."""
    for at in range(offset, offset + length, _STEP):
        data = source.read(at, min(_STEP, offset + length - at))
        if zeros or data.count(0) != len(data):
            target.write(at, data)
