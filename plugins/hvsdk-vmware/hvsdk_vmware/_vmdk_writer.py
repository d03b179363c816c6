"""Making stream-optimised VMDKs; what is in them is told by `_vmdk`."""

from __future__ import annotations

import array
import sys
import zlib
from collections.abc import Iterable, Iterator

from hvsdk_vmware._vmdk import (
    COMPRESSED,
    DIRECTORY,
    END,
    FOOTER,
    GRAIN,
    GRAIN_MARKER,
    HEADER,
    MAGIC,
    MARKER,
    MARKERS,
    NEWLINES,
    SECTOR,
    TABLE,
    ZLIB,
)

__all__ = ["vmdk_pieces"]

_ENTRIES = 512
"""Grains of a table."""
_AT_END = 2**64 - 1
_OVERHEAD = 128
_TEXT_SECTORS = 20
_VERSION = 3
_NEWLINE_TEST = 1
_DESCRIPTOR = """# Disk DescriptorFile
version=1
CID={cid:08x}
parentCID=ffffffff
createType="streamOptimized"

# Extent description
RDONLY {sectors} SPARSE "disk.vmdk"

# The Disk Data Base
#DDB

ddb.adapterType = "lsilogic"
ddb.geometry.cylinders = "{cylinders}"
ddb.geometry.heads = "255"
ddb.geometry.sectors = "63"
ddb.virtualHWVersion = "7"
"""


def vmdk_pieces(size: int, grains: Iterable[tuple[int, bytes]]) -> Iterator[bytes]:
    """Yield a whole VMDK, piece by piece.

    Args:
        size: Bytes of the disk, whole sectors.
        grains: Numbers of the grains that have data, ascending, and their bytes. The last one may end with the disk.
    """
    sectors = size // SECTOR
    text = _DESCRIPTOR.format(cid=zlib.crc32(b"%d" % sectors) & 0x7FFFFFFF, sectors=sectors, cylinders=sectors // 16065)
    yield _header(sectors, _AT_END) + text.encode().ljust((_OVERHEAD - 1) * SECTOR, b"\0")
    at, here = _OVERHEAD, -1
    directory, table = _zeros(-(-size // (GRAIN * _ENTRIES))), _zeros(_ENTRIES)
    for number, data in grains:
        if number // _ENTRIES != here:
            if here >= 0:
                directory[here] = at + 1
                yield (piece := _part(TABLE, table))
                at += len(piece) // SECTOR
            here, table = number // _ENTRIES, _zeros(_ENTRIES)
        table[number % _ENTRIES] = at
        packed = zlib.compress(data.ljust(GRAIN, b"\0"), 1)
        yield (piece := _padded(GRAIN_MARKER.pack(number * (GRAIN // SECTOR), len(packed)) + packed))
        at += len(piece) // SECTOR
    if here >= 0:
        directory[here] = at + 1
        yield (piece := _part(TABLE, table))
        at += len(piece) // SECTOR
    yield _part(DIRECTORY, directory)
    yield MARKER.pack(1, 0, FOOTER) + _header(sectors, at + 1) + MARKER.pack(0, 0, END)


def _header(sectors: int, directory: int) -> bytes:
    flags = _NEWLINE_TEST | COMPRESSED | MARKERS
    return HEADER.pack(
        *(MAGIC, _VERSION, flags, sectors, GRAIN // SECTOR, 1, _TEXT_SECTORS, _ENTRIES),
        *(0, directory, _OVERHEAD, 0, NEWLINES, ZLIB),
    )


def _zeros(count: int) -> array.array[int]:
    found = array.array("I", [0]) * count
    assert found.itemsize == 4
    return found


def _part(kind: int, entries: array.array[int]) -> bytes:
    """Return a table or the directory with its marker."""
    if sys.byteorder == "big":
        entries = entries[:]
        entries.byteswap()
    data = _padded(entries.tobytes())
    return MARKER.pack(len(data) // SECTOR, 0, kind) + data


def _padded(data: bytes) -> bytes:
    return data.ljust(-(-len(data) // SECTOR) * SECTOR, b"\0")
