"""The structures of a VHD file. All numbers are big-endian."""

from __future__ import annotations

import struct
import time
from uuid import UUID, uuid4

import attrs

from .image import DiskError, DiskType

__all__ = ["HEADER_AT", "NOWHERE", "SECTOR", "Dynamic", "Footer", "read_dynamic", "read_footer"]

SECTOR = 512
_FOOTER = struct.Struct(">8sIIQI4sI4sQQHBBII16sB")
_DYNAMIC = struct.Struct(">8sQQIIII16sII512s")
_LOCATOR = struct.Struct(">4sIIIQ")
_TYPES: dict[int, DiskType] = {2: "fixed", 3: "dynamic", 4: "differencing"}
_KINDS = {name: number for number, name in _TYPES.items()}
NOWHERE = 0xFFFFFFFF
_NO_HEADER = 0xFFFFFFFFFFFFFFFF
_NOBODY = UUID(int=0)
_EPOCH = 946684800
"""2000-01-01, from which a VHD counts its seconds."""
HEADER_AT, _TABLE_AT, _LOCATORS_AT = 512, 1536, 576


def _summed(data: bytes, at: int) -> bytes:
    """Return a structure with its checksum, which is at an offset in it."""
    total = ~(sum(data) - sum(data[at : at + 4])) & 0xFFFFFFFF
    return data[:at] + struct.pack(">I", total) + data[at + 4 :]


def _geometry(size: int) -> tuple[int, int, int]:
    """Return cylinders, heads and sectors, calculated as the specification says."""
    sectors = min(size // SECTOR, 65535 * 16 * 255)
    if sectors > 65535 * 16 * 63:
        return sectors // 255 // 16, 16, 255
    per_track, heads, tracks = 17, 0, sectors // 17
    heads = max(4, (tracks + 1023) // 1024)
    if tracks >= heads * 1024 or heads > 16:
        per_track, heads, tracks = 31, 16, sectors // 31
    if tracks >= heads * 1024:
        per_track, heads, tracks = 63, 16, sectors // 63
    return tracks // heads, heads, per_track


@attrs.define(kw_only=True)
class Footer:
    """What the last sector of every VHD says."""

    type: DiskType
    size: int
    id: UUID = attrs.field(factory=uuid4)
    written: int = attrs.field(factory=lambda: int(time.time()) - _EPOCH)

    def data(self) -> bytes:
        """Return it as it is in the file."""
        cylinders, heads, sectors = _geometry(self.size)
        begin = _NO_HEADER if self.type == "fixed" else HEADER_AT
        numbers = (self.size, self.size, cylinders, heads, sectors, _KINDS[self.type], 0)
        plain = _FOOTER.pack(
            b"conectix", 2, 0x10000, begin, self.written, b"win ", 0xA0000, b"Wi2k", *numbers, self.id.bytes, 0
        )
        return _summed(plain.ljust(SECTOR, b"\0"), 64)


def read_footer(data: bytes) -> tuple[Footer, int]:
    """Return the footer, and where the header for dynamic disks is."""
    if len(data) < SECTOR or data[:8] != b"conectix" or _summed(data, 64) != data:
        raise DiskError("the file is no VHD, or its footer is not whole")
    _, _, _, begin, written, _, _, _, _, size, _, _, _, kind, _, one, _ = _FOOTER.unpack_from(data)
    if kind not in _TYPES:
        raise DiskError(f"a VHD of type {kind} is not known")
    return Footer(type=_TYPES[kind], size=size, id=UUID(bytes=one), written=written), begin


@attrs.define(kw_only=True)
class Dynamic:
    """The header of disks that have blocks."""

    entries: int
    block_size: int
    table_at: int = _TABLE_AT
    parent_id: UUID = _NOBODY
    parent_written: int = 0
    parent_name: str = ""
    locators: list[tuple[bytes, int, int]] = attrs.field(factory=list)
    """Platform, offset and length of what else the parent is called."""

    def data(self) -> bytes:
        """Return it as it is in the file."""
        name = self.parent_name.encode("utf-16-be")[:512]
        head = (_NO_HEADER, self.table_at, 0x10000, self.entries, self.block_size, 0, self.parent_id.bytes)
        plain = _DYNAMIC.pack(b"cxsparse", *head, self.parent_written, 0, name)
        for platform, at, length in self.locators:
            plain += _LOCATOR.pack(platform, -(-length // SECTOR) * SECTOR, length, 0, at)
        return _summed(plain.ljust(1024, b"\0"), 36)


def read_dynamic(data: bytes) -> Dynamic:
    if data[:8] != b"cxsparse" or _summed(data, 36) != data:
        raise DiskError("the header of the VHD is not whole")
    _, _, table_at, _, entries, block_size, _, parent, written, _, name = _DYNAMIC.unpack_from(data)
    locators = []
    for number in range(8):
        platform, _, length, _, at = _LOCATOR.unpack_from(data, _LOCATORS_AT + number * _LOCATOR.size)
        if platform != bytes(4):
            locators.append((platform, at, length))
    return Dynamic(
        entries=entries,
        block_size=block_size,
        table_at=table_at,
        parent_id=UUID(bytes=parent),
        parent_written=written,
        parent_name=name.decode("utf-16-be", "replace").rstrip("\0"),
        locators=locators,
    )
