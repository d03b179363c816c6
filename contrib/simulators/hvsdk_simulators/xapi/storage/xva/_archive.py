"""The tar that an XVA is, written member by member."""

import hashlib
import tarfile
from collections.abc import Iterator

from hvsdk_simulators.xapi.storage.disk import Disk

MEMBER_OF_RECORDS = "ova.xml"
PIECE = 1 << 20
"""Bytes of a disk in one member."""
_RECORD = 512


def file_member(name: str, content: bytes) -> bytes:
    """A whole member: header, content, padding."""
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(content), 0o400
    return info.tobuf(tarfile.USTAR_FORMAT) + content + bytes(-len(content) % _RECORD)


def disk_members(name: str, disk: Disk) -> Iterator[bytes]:
    """A disk's pieces, each followed by its checksum. Pieces of zeros are left out, but for the first and the last."""
    last = max(-(-disk.size // PIECE) - 1, 0)
    written = {offset // PIECE for extent in disk.extents(0, disk.size) if extent.written for offset in _pieces(extent)}
    for number in sorted(written | {0, last}):
        content = disk.read(number * PIECE, PIECE)
        yield file_member(f"{name}/{number:08d}", content)
        yield file_member(
            f"{name}/{number:08d}.checksum", hashlib.sha1(content, usedforsecurity=False).hexdigest().encode()
        )


def end() -> bytes:
    """What a tar ends with."""
    return bytes(2 * _RECORD)


def _pieces(extent: tuple[int, int, bool]) -> Iterator[int]:
    offset, length, _ = extent
    first = offset // PIECE * PIECE
    yield from range(first, offset + length, PIECE)
