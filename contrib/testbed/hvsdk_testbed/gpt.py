"""A disk image with a GUID partition table and one EFI system partition."""

from __future__ import annotations

import struct
import uuid
import zlib

SECTOR = 512
FIRST = 2048
"""The partition's first sector, at 1 MiB as is usual."""

_ENTRIES, _ENTRY = 128, 128
_TABLE_SECTORS = _ENTRIES * _ENTRY // SECTOR
_EFI_SYSTEM = uuid.UUID("c12a7328-f81f-11d2-ba4b-00a0c93ec93b")
_NAMESPACE = uuid.UUID("6f3f7a1e-7d0b-4ac8-9d5c-4b0fbb0f8a11")


def gpt_disk(partition: bytes, name: str = "EFI system") -> bytes:
    """Return a raw disk image around the image of an EFI system partition; the same from the same bytes."""
    length = -(-len(partition) // SECTOR)
    last = FIRST + length - 1
    total = last + 1 + _TABLE_SECTORS + 1
    identity = zlib.crc32(partition).to_bytes(4, "big").hex()
    disk_id, part_id = (uuid.uuid5(_NAMESPACE, f"{kind} {identity}") for kind in ("disk", "partition"))
    entry = struct.pack(
        "<16s16sQQQ72s", _EFI_SYSTEM.bytes_le, part_id.bytes_le, FIRST, last, 0, name.encode("utf-16-le")
    )
    entries = entry.ljust(_ENTRIES * _ENTRY, b"\0")
    head = _protective(total) + _header(1, total - 1, 2, total, disk_id, entries) + entries
    tail = entries + _header(total - 1, 1, total - 1 - _TABLE_SECTORS, total, disk_id, entries)
    return head.ljust(FIRST * SECTOR, b"\0") + partition.ljust(length * SECTOR, b"\0") + tail


def _protective(total: int) -> bytes:
    """Return a master boot record that tells old tools that the disk is taken."""
    entry = struct.pack("<B3sB3sII", 0, b"\0\2\0", 0xEE, b"\xff\xff\xff", 1, min(total - 1, 0xFFFFFFFF))
    return bytes(446) + entry.ljust(64, b"\0") + b"\x55\xaa"


def _header(here: int, other: int, table: int, total: int, disk_id: uuid.UUID, entries: bytes) -> bytes:
    def packed(checksum: int) -> bytes:
        return struct.pack(
            "<8sIIIIQQQQ16sQIII",
            b"EFI PART",
            0x00010000,
            92,
            checksum,
            0,
            here,
            other,
            2 + _TABLE_SECTORS,
            total - _TABLE_SECTORS - 2,
            disk_id.bytes_le,
            table,
            _ENTRIES,
            _ENTRY,
            zlib.crc32(entries),
        )

    return packed(zlib.crc32(packed(0))).ljust(SECTOR, b"\0")
