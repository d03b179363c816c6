"""Making VHDX files as MS-VHDX describes them: where everything is, and what stands before the blocks."""

from __future__ import annotations

import struct
from array import array
from collections.abc import Sequence
from uuid import UUID, uuid4

import attrs

from hvsdk_hyperv._crc32c import crc32c
from hvsdk_hyperv._vhdx import BAT_REGION, HEADER, MAGIC, METADATA_REGION, MIB, REGION
from hvsdk_hyperv._vhdx_metadata import (
    FILE_PARAMETERS,
    LOGICAL_SECTOR,
    PAGE_83,
    PHYSICAL_SECTOR,
    TABLE_LENGTH,
    VIRTUAL_SIZE,
    Metadata,
)

__all__ = ["VhdxPlan", "plan_vhdx"]

_CREATOR = "hvsdk".encode("utf-16-le")
_LOG_AT, _METADATA_AT, _BAT_AT = MIB, 2 * MIB, 3 * MIB
_HEADERS = (64 << 10, 128 << 10)
_REGION_TABLES = (192 << 10, 256 << 10)
_HEADER_LENGTH, _REGION_TABLE_LENGTH = 4096, 64 << 10
_FULLY_PRESENT = 6
_LEAVE_BLOCKS_ALLOCATED = 1
_REQUIRED, _OF_THE_DISK = 4, 2


@attrs.frozen
class VhdxPlan:
    """Where what goes in a file.

    Attributes:
        length: Bytes of the file; what is written nowhere is zeros.
        tables: What stands before the blocks, as (offset, bytes).
        places: For each block that is in the file, by its number, the offset there.
    """

    length: int
    tables: Sequence[tuple[int, bytes]]
    places: dict[int, int]


def plan_vhdx(metadata: Metadata, present: Sequence[int]) -> VhdxPlan:
    """Return where what goes in a file that lies on no other one.

    Args:
        metadata: Size, blocks, sectors and identity of the disk; one of fixed size has all its blocks.
        present: Numbers of the blocks that have data, ascending.
    """
    blocks = -(-metadata.size // metadata.block)
    ratio = (metadata.sector << 23) // metadata.block
    entries = array("Q", [0]) * (blocks + (blocks - 1) // ratio)
    first = _BAT_AT + _whole_mib(len(entries) * entries.itemsize)
    wanted = range(blocks) if metadata.fixed else present
    places = {}
    for number, block in enumerate(wanted):
        places[block] = first + number * metadata.block
        entries[block + block // ratio] = places[block] | _FULLY_PRESENT
    tables = [
        (0, (MAGIC + _CREATOR)),
        *zip(_HEADERS, _headers(), strict=True),
        *((at, _regions(first - _BAT_AT)) for at in _REGION_TABLES),
        (_METADATA_AT, _metadata(metadata)),
        (_BAT_AT, _little_endian(entries)),
    ]
    return VhdxPlan(first + len(places) * metadata.block, tables, places)


def _whole_mib(length: int) -> int:
    return -(-length // MIB) * MIB


def _little_endian(entries: array[int]) -> bytes:
    if struct.pack("=H", 1) != struct.pack("<H", 1):
        entries = entries[:]
        entries.byteswap()
    return entries.tobytes()


def _summed(data: bytes) -> bytes:
    """Return bytes with their checksum in its place."""
    return data[:4] + struct.pack("<I", crc32c(data)) + data[8:]


def _headers() -> list[bytes]:
    """Return both headers, of which the second one counts. The log is empty."""
    file_id, data_id, no_log = uuid4().bytes_le, uuid4().bytes_le, bytes(16)
    found = []
    for sequence in (1, 2):
        data = HEADER.pack(b"head", 0, sequence, file_id, data_id, no_log, 0, 1, MIB, _LOG_AT)
        found.append(_summed(data.ljust(_HEADER_LENGTH, b"\0")))
    return found


def _regions(bat_length: int) -> bytes:
    parts = [(METADATA_REGION, _METADATA_AT, MIB), (BAT_REGION, _BAT_AT, bat_length)]
    table = struct.pack("<4sIII", b"regi", 0, len(parts), 0)
    table += b"".join(REGION.pack(one.bytes_le, at, length, 1) for one, at, length in parts)
    return _summed(table.ljust(_REGION_TABLE_LENGTH, b"\0"))


def _metadata(metadata: Metadata) -> bytes:
    flags = _LEAVE_BLOCKS_ALLOCATED if metadata.fixed else 0
    items: list[tuple[UUID, bytes, int]] = [
        (FILE_PARAMETERS, struct.pack("<II", metadata.block, flags), _REQUIRED),
        (VIRTUAL_SIZE, struct.pack("<Q", metadata.size), _REQUIRED | _OF_THE_DISK),
        (PAGE_83, metadata.id.bytes_le, _REQUIRED | _OF_THE_DISK),
        (LOGICAL_SECTOR, struct.pack("<I", metadata.sector), _REQUIRED | _OF_THE_DISK),
        (PHYSICAL_SECTOR, struct.pack("<I", metadata.physical_sector), _REQUIRED | _OF_THE_DISK),
    ]
    table, values = struct.pack("<8sHH20s", b"metadata", 0, len(items), bytes(20)), b""
    for one, value, kind in items:
        table += struct.pack("<16sIIII", one.bytes_le, TABLE_LENGTH + len(values), len(value), kind, 0)
        values += value
    return table.ljust(TABLE_LENGTH, b"\0") + values
