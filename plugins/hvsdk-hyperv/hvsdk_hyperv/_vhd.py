"""VHD files, the older format. Nothing of the file is believed: it may be damaged, or made to do damage."""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator, Sequence
from uuid import UUID

from hvsdk.driver import errors

from hvsdk_hyperv._host_files import DamagedDiskError, HostFile, HostFiles, take
from hvsdk_hyperv._layers import PARENT, ZERO, BlockLayer, Layer, ParentLink, Piece

__all__ = ["MAGIC", "FixedVhdLayer", "VhdLayer", "read_vhd"]

MAGIC = b"conectix"
SECTOR = 512
_FOOTER = struct.Struct(">8sIIQI4sI4sQQHBBII16sB")
_HEADER = struct.Struct(">8sQQIIII16sII512s")
_HEADER_LENGTH = 1024
_LOCATOR = struct.Struct(">4sIIIQ")
_LOCATORS_AT, _LOCATORS = 576, 8
_FIXED, _DYNAMIC, _DIFFERENCING = 2, 3, 4
_NOWHERE = 0xFFFFFFFF
_MOST = 2040 << 30
_MOST_TABLE = 64 << 20
_MOST_NAME = 64 << 10
_WINDOW = 1 << 30


def read_vhd(files: HostFiles, file: HostFile) -> Layer:
    """Return a VHD, parsed.

    Raises:
        DamagedDiskError: It is none, or is damaged.
        UnsupportedError: It is of a kind that is not known.
    """
    if file.size < SECTOR:
        raise DamagedDiskError(f"{file.path} is no virtual disk")
    footer = take(files, file, file.size - SECTOR, SECTOR, "the footer")
    if footer[:8] != MAGIC:
        raise DamagedDiskError(f"{file.path} is no virtual disk, or its end is missing")
    if not _whole(footer, 64):
        raise DamagedDiskError(f"{file.path} is damaged: the checksum of its footer is wrong")
    _, _, version, at, _, _, _, _, _, size, _, _, _, kind, _, raw, _ = _FOOTER.unpack_from(footer)
    if version >> 16 != 1 or kind not in (_FIXED, _DYNAMIC, _DIFFERENCING):
        raise errors.UnsupportedError(f"{file.path} is a VHD of version {version:#x} and type {kind}")
    if not 0 < size <= _MOST or size % SECTOR:
        raise DamagedDiskError(f"{file.path} is damaged: it says that its disk has {size} bytes")
    if kind == _FIXED:
        return FixedVhdLayer(files, file, size, UUID(bytes=raw))
    return VhdLayer(files, file, size, UUID(bytes=raw), at, differencing=kind == _DIFFERENCING)


def _whole(data: bytes, at: int) -> bool:
    """Return whether the checksum at an offset of a structure is that of the rest."""
    (told,) = struct.unpack_from(">I", data, at)
    return bool(told == ~(sum(data) - sum(data[at : at + 4])) & 0xFFFFFFFF)


class FixedVhdLayer(Layer):
    """A VHD that is its disk, with a footer."""

    def __init__(self, files: HostFiles, file: HostFile, size: int, one: UUID) -> None:
        super().__init__(files, file)
        self.size, self.id = size, one
        if size > file.size - SECTOR:
            raise DamagedDiskError(f"{file.path} is damaged: it is shorter than its disk")

    @property
    def window(self) -> int:
        return _WINDOW

    def pieces(self, ranges: Sequence[tuple[int, int]]) -> list[Piece]:
        return [Piece(offset, length, offset) for offset, length in ranges if length]


class VhdLayer(BlockLayer):
    """A VHD with blocks, each of which begins with the bitmap of its sectors."""

    sector = SECTOR
    first_bit_is_highest = True

    def __init__(
        self, files: HostFiles, file: HostFile, size: int, one: UUID, header_at: int, *, differencing: bool
    ) -> None:
        super().__init__(files, file)
        self.size, self.id = size, one
        header = take(files, file, header_at, _HEADER_LENGTH, "the header")
        if header[:8] != b"cxsparse" or not _whole(header, 36):
            raise DamagedDiskError(f"{file.path} is damaged: its header is not whole")
        _, _, table_at, version, entries, self.block, _, parent, _, _, name = _HEADER.unpack_from(header)
        if version >> 16 != 1:
            raise errors.UnsupportedError(f"{file.path} is a VHD whose header is of version {version:#x}")
        if not SECTOR * 8 <= self.block <= 256 << 20 or self.block & (self.block - 1):
            raise DamagedDiskError(f"{file.path} is damaged: it says that its blocks have {self.block} bytes")
        self.absent = PARENT if differencing else ZERO
        if differencing:
            self.parent = ParentLink(paths=self._names(header, name), ids=frozenset({UUID(bytes=parent)}))
        self._read_table(table_at, entries, header_at)

    def _names(self, header: bytes, name: bytes) -> list[str]:
        """Return what the parent is called, the path from this file's folder first."""
        found = {}
        for number in range(_LOCATORS):
            platform, _, length, _, at = _LOCATOR.unpack_from(header, _LOCATORS_AT + number * _LOCATOR.size)
            if platform in (b"W2ru", b"W2ku") and length <= _MOST_NAME:
                data = take(self.files, self.file, at, length, "the name of its parent")
                found[platform] = data.decode("utf-16-le", "replace").rstrip("\0")
        names = [found.get(b"W2ru"), found.get(b"W2ku"), name.decode("utf-16-be", "replace").partition("\0")[0]]
        return [one for one in names if one]

    def _read_table(self, at: int, entries: int, header_at: int) -> None:
        count = -(-self.size // self.block)
        if entries < count:
            raise DamagedDiskError(f"{self.file.path} is damaged: its block table is too small for its disk")
        if count * 4 > _MOST_TABLE:
            raise errors.UnsupportedError(f"{self.file.path} has {count} blocks, which are more than are read")
        self._table = array("I", take(self.files, self.file, at, count * 4, "its block table"))
        if struct.pack("=H", 1) != struct.pack(">H", 1):
            self._table.byteswap()
        taken = [(0, SECTOR), (header_at, header_at + _HEADER_LENGTH), (at, at + count * 4)]
        self._check_places(self._spans(), [*taken, (self.file.size - SECTOR, self.file.size)])

    def _spans(self) -> Iterator[tuple[int, int]]:
        for number, entry in enumerate(self._table):
            if entry != _NOWHERE:
                begin = entry * SECTOR
                yield begin, begin + self._bitmap_space + min(self.block, self.size - number * self.block)

    @property
    def _bitmap_space(self) -> int:
        return -(-self._bitmap_length // SECTOR) * SECTOR

    def _place(self, block: int) -> tuple[int, bool]:
        entry = self._table[block]
        if entry == _NOWHERE:
            return self.absent, False
        return entry * SECTOR + self._bitmap_space, True

    def _bitmap_at(self, block: int) -> int:
        return self._table[block] * SECTOR
