"""Stream-optimised VMDKs, the form in which vSphere sends and takes disks: read while they come, and made for sending.

A stream has, in this order: a header, a descriptor, the grains that have data, each with its place on the disk and packed
by itself, tables of them in between, and a footer. See VMware's Virtual Disk Format, "Stream-Optimized Compressed Sparse
Extents".
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator

import attrs
from hvsdk.driver import errors

__all__ = ["GRAIN", "SECTOR", "BrokenVmdkError", "VmdkHeader", "read_grains", "read_header"]

SECTOR = 512
GRAIN = 64 * 1024
"""Bytes of a grain, as vSphere makes them."""
HEADER = struct.Struct("<4sIIQQQQIQQQB4sH433x")
GRAIN_MARKER, MARKER = struct.Struct("<QI"), struct.Struct("<QII496x")
MAGIC, NEWLINES, ZLIB = b"KDMV", b"\n \r\n", 1
COMPRESSED, MARKERS = 1 << 16, 1 << 17
END, TABLE, DIRECTORY, FOOTER = range(4)
"""Kinds of markers."""
_MOST_SECTORS = (64 << 40) // SECTOR
_MOST_OVERHEAD = 1 << 14
_MOST_METADATA = 1 << 16
"""Sectors of what a marker announces; a directory of 64 TiB has a quarter of that."""
_GRAINS = range(8, 8193)
"""Sectors that a grain may have."""


class BrokenVmdkError(errors.OperationFailedError):
    """A stream that says it is a VMDK is none, or none that can be read in one pass."""


@attrs.frozen
class VmdkHeader:
    """What the beginning of a stream tells."""

    size: int
    """Bytes of the disk."""
    grain: int
    """Bytes of a grain."""
    entries: int
    """Grains of a table."""

    @property
    def tables(self) -> int:
        """How many tables the whole disk may have."""
        return -(-self.size // (self.grain * self.entries))


Read = Callable[[int], bytes]
"""Returns exactly so many bytes of the stream, or raises."""


def read_header(read: Read) -> VmdkHeader:
    """Read the beginning of a stream, up to its first grain.

    Raises:
        BrokenVmdkError: It is no stream-optimised VMDK, or only what differs from another disk.
    """
    head = HEADER.unpack(read(SECTOR))
    magic, version, flags, capacity, grain, text_at, text_sectors, entries, *_, overhead, _, newlines, packing = head
    if magic != MAGIC or not 1 <= version <= 3 or newlines != NEWLINES:
        raise BrokenVmdkError("the server sent something that is no VMDK")
    if not flags & COMPRESSED or not flags & MARKERS or packing != ZLIB:
        raise BrokenVmdkError("the server sent a VMDK that is not stream-optimised")
    if grain not in _GRAINS or grain & (grain - 1) or not 1 <= entries <= 1 << 16:
        raise BrokenVmdkError(
            f"the VMDK that the server sent has impossible grains: {grain} sectors, {entries} a table"
        )
    if not 0 < capacity <= _MOST_SECTORS or not 1 <= overhead <= _MOST_OVERHEAD:
        raise BrokenVmdkError(f"the VMDK that the server sent has impossible sizes: {capacity} sectors")
    rest = read((overhead - 1) * SECTOR)
    if text_at:
        _refuse_child(rest[(text_at - 1) * SECTOR : (text_at - 1 + text_sectors) * SECTOR])
    return VmdkHeader(capacity * SECTOR, grain * SECTOR, entries)


def _refuse_child(text: bytes) -> None:
    parent = descriptor(text).get("parentcid", "ffffffff")
    if parent.lower() != "ffffffff":
        raise BrokenVmdkError("the VMDK that the server sent only has what differs from another disk")


def descriptor(text: bytes) -> dict[str, str]:
    """Return the settings of a descriptor, their names in lower case."""
    found: dict[str, str] = {}
    for line in text.rstrip(b"\0").decode("utf-8", "replace").splitlines():
        name, is_setting, value = line.partition("=")
        if is_setting and not line.lstrip().startswith("#"):
            found[name.strip().lower()] = value.strip().strip('"')
    return found


def read_grains(read: Read, header: VmdkHeader) -> Iterator[tuple[int, bytes]]:
    """Yield the grains that have data, each with its place on the disk, until the stream says that it ends.

    Raises:
        BrokenVmdkError: Something in it cannot be, such as grains that go back or beyond the disk.
    """
    next_place, left = 0, header.tables + 8
    while True:
        sector = read(SECTOR)
        number, packed = GRAIN_MARKER.unpack_from(sector)
        if packed:
            place = number * SECTOR
            if place < next_place or place % header.grain or place >= header.size:
                raise BrokenVmdkError(f"the VMDK that the server sent has a grain at {place}, where none can be")
            next_place = place + header.grain
            yield place, _unpacked(_rest_of(read, sector, packed, header.grain), place, header)
            continue
        _, _, kind = MARKER.unpack(sector)
        if kind == END:
            return
        left -= 1
        if kind not in (TABLE, DIRECTORY, FOOTER) or number > _MOST_METADATA or left < 0:
            raise BrokenVmdkError(f"the VMDK that the server sent has an impossible part ({kind}, {number} sectors)")
        read(number * SECTOR)


def _rest_of(read: Read, sector: bytes, packed: int, grain: int) -> bytes:
    """Return the packed bytes of a grain, of which the sector with its marker has the first."""
    if packed > 2 * grain:
        raise BrokenVmdkError(f"the VMDK that the server sent has a grain of {packed} bytes packed")
    missing = GRAIN_MARKER.size + packed - SECTOR
    data = sector[GRAIN_MARKER.size :]
    if missing > 0:
        data += read(-(-missing // SECTOR) * SECTOR)
    return data[:packed]


def _unpacked(data: bytes, place: int, header: VmdkHeader) -> bytes:
    """Return the bytes of a grain; the last one may end with the disk."""
    unpack = zlib.decompressobj()
    try:
        found = unpack.decompress(data, header.grain + 1)
    except zlib.error as exc:
        raise BrokenVmdkError(f"the grain at {place} of the VMDK that the server sent cannot be unpacked") from exc
    if not unpack.eof or not min(header.grain, header.size - place) <= len(found) <= header.grain:
        raise BrokenVmdkError(f"the grain at {place} of the VMDK that the server sent has not the bytes of a grain")
    return found
