"""Virtual Hard Disk images as XAPI streams them: read while they come, and made for sending.

A stream has, in this order: a copy of the footer, the header of a dynamic disk, the table of blocks, and the blocks
that have data. The footer's `current size` is the disk's size to the byte; its cylinders, heads and sectors describe a
shorter disk, whose reader would lose the end. See Microsoft's Virtual Hard Disk Image Format Specification.
"""

from __future__ import annotations

import array
import struct
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence

import attrs
from hvsdk.driver import Extent, errors

__all__ = ["BLOCK_SIZE", "SECTOR", "BrokenVhdError", "VhdMap", "read_map", "vhd_head", "vhd_length"]

SECTOR = 512
BLOCK_SIZE = 2 * 2**20
_FOOTER, _HEADER = struct.Struct(">8sIIQI4sI4sQQIII16sB427x"), struct.Struct(">8sQQIIII16sI4x512s192s256x")
_DYNAMIC, _DIFFERENCING = 3, 4
_UNUSED = 0xFFFFFFFF
_LARGEST = 64 * 2**40
_MOST_BLOCKS = 2**25
"""Of a disk of that size in blocks as XAPI makes them; a table takes four bytes of memory for each."""
_EPOCH = 946684800
"""2000-01-01, from which the format counts seconds."""
_TABLE_OFFSET = 2048


class BrokenVhdError(errors.OperationFailedError):
    """A stream that says it is a VHD is none, or one that cannot be read in one pass."""


@attrs.frozen
class VhdMap:
    """What the beginning of a VHD tells.

    Attributes:
        size: Bytes of the disk.
        block_size: Bytes of a block.
        table: For each block the sector of the file that it begins at; `None` for one that is not in the file.
        differencing: Whether it only has what differs from a parent.
    """

    size: int
    block_size: int
    table: Sequence[int]
    differencing: bool

    def place(self, block: int) -> int | None:
        """Return the byte of the file where a block's bitmap begins, `None` for a block that is not there."""
        sector = self.table[block]
        return None if sector == _UNUSED else sector * SECTOR

    @property
    def bitmap_size(self) -> int:
        """Bytes of a block's bitmap, whole sectors."""
        bits = self.block_size // SECTOR
        return -(-bits // (8 * SECTOR)) * SECTOR

    def in_order(self) -> bool:
        """Whether blocks come in the order of the disk, so that one pass is enough."""
        last = 0
        for sector in self.table:
            if sector != _UNUSED:
                if sector <= last:
                    return False
                last = sector
        return True

    def empty(self) -> bool:
        """Whether no block is in the file."""
        return all(sector == _UNUSED for sector in self.table)

    def extents(self) -> Iterator[Extent]:
        """Yield the whole disk in order: blocks of the file, and what lies between them as zeros."""
        begin = 0
        for block in range(1, len(self.table) + 1):
            here = self.table[begin] == _UNUSED
            if block < len(self.table) and (self.table[block] == _UNUSED) is here:
                continue
            offset = begin * self.block_size
            end = min(block * self.block_size, self.size)
            if end > offset:
                yield Extent(offset=offset, length=end - offset, zero=here)
            begin = block


def read_map(read: Callable[[int], bytes]) -> tuple[VhdMap, int]:
    """Read the beginning of a stream up to the end of its table.

    Args:
        read: Returns exactly so many bytes of the stream.

    Returns:
        What it tells, and how many bytes were read.

    Raises:
        BrokenVhdError: It is not a VHD that can be read, or its checksums are wrong.
    """
    footer = read(_FOOTER.size)
    cookie, _, _, header_at, *_, size, _, kind, _, _, _ = _FOOTER.unpack(footer)
    if cookie != b"conectix":
        raise BrokenVhdError("the server sent something that is not a VHD")
    _verify(footer, 64, "footer")
    if kind not in (_DYNAMIC, _DIFFERENCING):
        raise BrokenVhdError(f"the server sent a VHD of type {kind}, which has no table of blocks")
    position = _skip(read, _FOOTER.size, header_at)
    header = read(_HEADER.size)
    position += len(header)
    cookie, _, table_at, _, entries, block_size, *_ = _HEADER.unpack(header)
    if cookie != b"cxsparse":
        raise BrokenVhdError("the VHD that the server sent has no header")
    _verify(header, 36, "header")
    if not 0 < size <= _LARGEST or block_size < SECTOR or block_size & (block_size - 1) or block_size > 2**28:
        raise BrokenVhdError(
            f"the VHD that the server sent has impossible sizes: {size} bytes in blocks of {block_size}"
        )
    needed = -(-size // block_size)
    if needed > _MOST_BLOCKS:
        raise BrokenVhdError(f"the VHD that the server sent has {needed} blocks, more than a disk has")
    if entries < needed:
        raise BrokenVhdError(f"the VHD that the server sent knows {entries} of its {needed} blocks")
    position = _skip(read, position, table_at)
    table = array.array("I")
    assert table.itemsize == 4
    table.frombytes(read(needed * 4))
    if sys.byteorder == "little":
        table.byteswap()
    return VhdMap(size, block_size, table, kind == _DIFFERENCING), position + needed * 4


def _skip(read: Callable[[int], bytes], position: int, target: int) -> int:
    if not position <= target <= position + 2**20:
        raise BrokenVhdError("the VHD that the server sent is not laid out for reading in one pass")
    read(target - position)
    return target


def _verify(data: bytes, at: int, what: str) -> None:
    (said,) = struct.unpack_from(">I", data, at)
    if said != _checksum(data, at):
        raise BrokenVhdError(f"the checksum of the VHD's {what} is wrong: it was damaged on its way")


def _checksum(data: bytes, at: int) -> int:
    return ~(sum(data) - sum(data[at : at + 4])) & 0xFFFFFFFF


def vhd_length(blocks: int, size: int) -> int:
    """Return the bytes of a whole VHD with so many blocks that have data."""
    return _table_end(size) + blocks * (SECTOR + BLOCK_SIZE) + _FOOTER.size


def vhd_head(present: Sequence[int], size: int) -> tuple[bytes, bytes]:
    """Return what comes before the blocks of a new VHD, and its footer.

    Args:
        present: Numbers of the blocks that follow, ascending. Each is sent as a sector of ones and its data.
        size: Bytes of the disk.
    """
    entries = -(-size // BLOCK_SIZE)
    table = array.array("I", [_UNUSED]) * entries
    for number, block in enumerate(present):
        table[block] = (_table_end(size) + number * (SECTOR + BLOCK_SIZE)) // SECTOR
    if sys.byteorder == "little":
        table.byteswap()
    footer, header = _footer(size), _header(entries)
    head = footer + header
    head += bytes(_TABLE_OFFSET - len(head)) + table.tobytes()
    return head + b"\xff" * (_table_end(size) - len(head)), footer


def _table_end(size: int) -> int:
    entries = -(-size // BLOCK_SIZE)
    return _TABLE_OFFSET + -(-entries * 4 // SECTOR) * SECTOR


def _footer(size: int) -> bytes:
    cylinders, heads, sectors = _geometry(size)
    fields = (
        b"conectix",
        2,
        0x10000,
        _FOOTER.size,
        int(time.time()) - _EPOCH,
        b"hvsd",
        0x10000,
        b"\0\0\0\0",
        size,
        size,
    )
    geometry = cylinders << 16 | heads << 8 | sectors
    return _signed(_FOOTER, (*fields, geometry, _DYNAMIC, 0, uuid.uuid4().bytes, 0), 12)


def _header(entries: int) -> bytes:
    fields = (
        b"cxsparse",
        2**64 - 1,
        _TABLE_OFFSET,
        0x10000,
        entries,
        BLOCK_SIZE,
        0,
        bytes(16),
        0,
        bytes(512),
        bytes(192),
    )
    return _signed(_HEADER, fields, 6)


def _signed(layout: struct.Struct, fields: tuple[object, ...], checksum: int) -> bytes:
    at = 64 if layout is _FOOTER else 36
    return layout.pack(*fields[:checksum], _checksum(layout.pack(*fields), at), *fields[checksum + 1 :])


def _geometry(size: int) -> tuple[int, int, int]:
    """Return cylinders, heads and sectors as the specification's appendix computes them."""
    total = min(size // SECTOR, 65535 * 16 * 255)
    if total >= 65535 * 16 * 63:
        return total // 255 // 16, 16, 255
    sectors, heads = 17, max(4, (total // 17 + 1023) // 1024)
    if total // 17 >= heads * 1024 or heads > 16:
        sectors, heads = 31, 16
    if total // sectors >= heads * 1024:
        sectors, heads = 63, 16
    return total // sectors // heads, heads, sectors
