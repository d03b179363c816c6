"""VHDX files, read as MS-VHDX describes them. Nothing of the file is believed: it may be damaged, or made to do damage."""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator
from uuid import UUID

import attrs
from hvsdk.driver import errors

from hvsdk_hyperv._crc32c import crc32c
from hvsdk_hyperv._host_files import DamagedDiskError, HostFile, HostFiles, take, take_all
from hvsdk_hyperv._layers import PARENT, ZERO, BlockLayer
from hvsdk_hyperv._vhdx_metadata import Metadata, read_metadata

__all__ = ["BAT_REGION", "HEADER", "MAGIC", "METADATA_REGION", "MIB", "REGION", "VhdxLayer"]

MAGIC = b"vhdxfile"
MIB = 1 << 20
HEADER = struct.Struct("<4sIQ16s16s16sHHIQ")
REGION = struct.Struct("<16sQII")
BAT_REGION = UUID("2dc27766-f623-4200-9d64-115e9bfd4a08")
METADATA_REGION = UUID("8b7ca206-4790-4b9a-b8fe-575f050f886e")
_BEGINNING = [(0, 8), (64 << 10, 4096), (128 << 10, 4096), (192 << 10, 64 << 10), (256 << 10, 64 << 10)]
"""The identifier, both headers, both region tables."""
_MOST_REGIONS = 2047
_MOST_TABLE = 64 << 20
"""Bytes of a block table that are read; it is as much as blocks of 32 MiB take for four times the largest disk."""
_STATE, _FULL, _PARTIAL = 7, 6, 7
_ZEROS = (1, 2, 3)
"""States of blocks that are undefined, zeros, or given up."""


@attrs.frozen
class _Region:
    at: int
    length: int

    @property
    def span(self) -> tuple[int, int]:
        return self.at, self.at + self.length


class VhdxLayer(BlockLayer):
    """A VHDX.

    Raises:
        DamagedDiskError: It is none, or is damaged, or was not closed as it should have been.
        UnsupportedError: It is of a kind that is not known.
    """

    def __init__(self, files: HostFiles, file: HostFile) -> None:
        super().__init__(files, file)
        magic, *headers, table, spare = take_all(files, file, _BEGINNING, "the beginning")
        if magic != MAGIC:
            raise DamagedDiskError(f"{file.path} is no VHDX")
        self.id, log = _header(headers, file.path)
        regions = _regions(table, spare, file)
        self._bat, region = regions[BAT_REGION], regions[METADATA_REGION]
        first = [(region.at, min(region.length, MIB)), (self._bat.at, min(self._bat.length, MIB))]
        metadata, self._entries = take_all(files, file, first, "its tables")
        self.metadata = read_metadata(metadata, file.path)
        self._adopt(self.metadata)
        self._read_table([log.span, self._bat.span, region.span])

    def _adopt(self, metadata: Metadata) -> None:
        self.size, self.block, self.sector = metadata.size, metadata.block, metadata.sector
        self.parent = metadata.parent
        self._ratio = (self.sector << 23) // self.block
        self.absent = PARENT if self.parent is not None else ZERO

    # ---- the table of blocks -----------------------------------------------------------------------------

    def _read_table(self, taken: list[tuple[int, int]]) -> None:
        blocks = -(-self.size // self.block)
        count = blocks + (blocks - 1) // self._ratio
        if self.parent is not None:
            count = -(-blocks // self._ratio) * (self._ratio + 1)
        if count * 8 > self._bat.length:
            raise DamagedDiskError(f"{self.file.path} is damaged: its block table is too small for its disk")
        if count * 8 > _MOST_TABLE:
            raise errors.UnsupportedError(f"{self.file.path} has {blocks} blocks, which are more than are read")
        parts = [self._entries[: count * 8]]
        for at in range(len(parts[0]), count * 8, MIB):
            parts.append(take(self.files, self.file, self._bat.at + at, min(MIB, count * 8 - at), "its block table"))
        self._table = array("Q", b"".join(parts))
        if struct.pack("=H", 1) != struct.pack("<H", 1):
            self._table.byteswap()
        del self._entries
        self._check_places(self._spans(), [(0, MIB), *taken])

    def _spans(self) -> Iterator[tuple[int, int]]:
        """Yield what the blocks and bitmaps of the table take of the file. The last block may be cut off."""
        step, size = self._ratio + 1, self.size
        for number, entry in enumerate(self._table):
            if not entry:
                continue
            state, at = entry & _STATE, entry >> 20 << 20
            if number % step == self._ratio:
                if state == _FULL and self.parent is not None:
                    yield at, at + MIB
            elif state in (_FULL, _PARTIAL):
                start = (number - number // step) * self.block
                yield at, at + min(self.block, max(0, size - start))
            elif state and state not in _ZEROS:
                raise DamagedDiskError(f"{self.file.path} is damaged: a block is in the unknown state {state}")

    def _place(self, block: int) -> tuple[int, bool]:
        entry = self._table[block + block // self._ratio]
        state = entry & _STATE
        if state == 0:
            return self.absent, False
        if state in _ZEROS:
            return ZERO, False
        if state == _PARTIAL and self.parent is None:
            raise DamagedDiskError(f"{self.file.path} is damaged: it has parts of blocks, but no parent")
        return entry >> 20 << 20, state == _PARTIAL

    def _bitmap_at(self, block: int) -> int:
        chunk, number = divmod(block, self._ratio)
        entry = self._table[chunk * (self._ratio + 1) + self._ratio]
        if entry & _STATE != _FULL:
            raise DamagedDiskError(f"{self.file.path} is damaged: a block has parts, but no bitmap tells which")
        return (entry >> 20 << 20) + number * self._bitmap_length


# ---- headers and regions ---------------------------------------------------------------------------------


def _whole(data: bytes, signature: bytes) -> bool:
    (told,) = struct.unpack_from("<I", data, 4)
    return data[:4] == signature and told == crc32c(data[:4] + bytes(4) + data[8:])


def _header(candidates: list[bytes], path: str) -> tuple[UUID, _Region]:
    """Return the id of the content, and where the log is, from the header that counts."""
    whole = [HEADER.unpack_from(data) for data in candidates if _whole(data, b"head")]
    if not whole:
        raise DamagedDiskError(f"{path} is damaged: the checksums of both its headers are wrong")
    if len(whole) == 2 and whole[0][2] == whole[1][2] and whole[0] != whole[1]:
        raise DamagedDiskError(f"{path} is damaged: it has two headers that differ, and none is newer")
    _, _, _, _, data_id, log_id, log_version, version, length, at = max(whole, key=lambda one: one[2])
    if version != 1 or log_version != 0:
        raise errors.UnsupportedError(f"{path} is of version {version}, with a log of version {log_version}")
    if any(log_id):
        raise DamagedDiskError(
            f"{path} was not closed as it should have been: its log has changes that are not in its tables yet",
            hint="let Windows do that: Mount-VHD and Dismount-VHD, or start and stop its domain",
        )
    if at % MIB or length % MIB or at < MIB:
        raise DamagedDiskError(f"{path} is damaged: its log is where it cannot be")
    return UUID(bytes_le=data_id), _Region(at, length)


def _regions(table: bytes, spare: bytes, file: HostFile) -> dict[UUID, _Region]:
    """Return the parts of a file, from the first table that is whole."""
    data = next((one for one in (table, spare) if _whole(one, b"regi")), None)
    if data is None:
        raise DamagedDiskError(f"{file.path} is damaged: the checksums of both its region tables are wrong")
    (count,) = struct.unpack_from("<I", data, 8)
    if count > _MOST_REGIONS:
        raise DamagedDiskError(f"{file.path} is damaged: it has {count} regions")
    found: dict[UUID, _Region] = {}
    for number in range(count):
        raw, at, length, required = REGION.unpack_from(data, 16 + number * REGION.size)
        one = UUID(bytes_le=raw)
        if one not in (BAT_REGION, METADATA_REGION):
            if required & 1:
                raise errors.UnsupportedError(f"{file.path} has a part that is not known and has to be: {one}")
            continue
        if one in found or at < MIB or at % MIB or length % MIB or not length or at + length > file.size:
            raise DamagedDiskError(f"{file.path} is damaged: the region {one} is where it cannot be")
        found[one] = _Region(at, length)
    if len(found) != 2:
        raise DamagedDiskError(f"{file.path} is damaged: it has no block table, or no metadata")
    return found
