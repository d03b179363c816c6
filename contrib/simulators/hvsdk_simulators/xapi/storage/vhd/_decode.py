"""A VHD stream read into a disk, without a second copy of it anywhere."""

import struct
from collections.abc import Callable

from hvsdk_simulators.xapi.storage.disk import Disk

from . import _headers as vhd

_MOST_BLOCKS = 2 * 1024 * 1024


class VhdError(Exception):
    """The stream is no VHD that can be read from front to end, or does not fit."""


class _Stream:
    """Exact reads and forward skips."""

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._read = read
        self.position = 0

    def take(self, length: int) -> bytes:
        pieces = []
        while length:
            piece = self._read(min(length, 1024 * 1024))
            if not piece:
                raise VhdError("the stream ended early")
            pieces.append(piece)
            length -= len(piece)
            self.position += len(piece)
        return b"".join(pieces)

    def skip_to(self, position: int) -> None:
        if position < self.position:
            raise VhdError(f"the stream is at {self.position} and cannot go back to {position}")
        while self.position < position:
            self.take(min(position - self.position, 1024 * 1024))


def decode(read: Callable[[int], bytes], disk: Disk, progress: Callable[[float], None] | None = None) -> None:
    """Write a dynamic or differencing stream over a disk.

    A differencing image changes only the sectors that its bitmaps name.

    Args:
        read: Gives up to that many bytes, none at the end.
        disk: What to write to.
        progress: Told the share that is done.

    Raises:
        VhdError: The stream is broken, or describes a larger disk.
    """
    stream = _Stream(read)
    size, kind = _footer(stream.take(vhd.FOOTER_SIZE))
    if kind not in (vhd.DYNAMIC, vhd.DIFFERENCING):
        raise VhdError(f"images of type {kind} cannot be streamed")
    if size > disk.size:
        raise VhdError(f"the image holds {size} bytes, the disk {disk.size}")
    table_at, count, block_size = _header(stream.take(vhd.HEADER_SIZE))
    stream.skip_to(table_at)
    entries = struct.unpack(f">{count}I", stream.take(count * 4))
    used = sorted((sector, block) for block, sector in enumerate(entries) if sector != vhd.UNUSED)
    for done, (sector, block) in enumerate(used, 1):
        stream.skip_to(sector * 512)
        bitmap = stream.take(-(-block_size // 512 // 8 // 512) * 512)
        _write(disk, block * block_size, stream.take(block_size), bitmap)
        if progress:
            progress(done / len(used))
    stream.take(vhd.FOOTER_SIZE)


def _footer(content: bytes) -> tuple[int, int]:
    fields = vhd.FOOTER.unpack(content)
    if fields[0] != b"conectix":
        raise VhdError("the stream does not begin with a footer")
    if vhd.checksum(content[:64] + bytes(4) + content[68:]) != fields[14]:
        raise VhdError("the footer's checksum is wrong")
    return fields[9], fields[13]


def _header(content: bytes) -> tuple[int, int, int]:
    fields = vhd.HEADER.unpack(content)
    if fields[0] != b"cxsparse":
        raise VhdError("the footer is not followed by a dynamic header")
    if vhd.checksum(content[:36] + bytes(4) + content[40:]) != fields[6]:
        raise VhdError("the header's checksum is wrong")
    table_at, count, block_size = fields[2], fields[4], fields[5]
    if count > _MOST_BLOCKS or block_size < 512 * 8 or block_size & (block_size - 1) or block_size > 256 * 1024**2:
        raise VhdError(f"a table of {count} blocks of {block_size} bytes is out of bounds")
    return table_at, count, block_size


def _write(disk: Disk, offset: int, data: bytes, bitmap: bytes) -> None:
    data = data[: max(disk.size - offset, 0)]
    sectors = len(data) // 512
    if bitmap[: sectors // 8] == b"\xff" * (sectors // 8) and sectors % 8 == 0:
        disk.write(offset, data)
        return
    start = 0
    while start < sectors:
        present = _bit(bitmap, start)
        stop = start + 1
        while stop < sectors and _bit(bitmap, stop) == present:
            stop += 1
        if present:
            disk.write(offset + start * 512, data[start * 512 : stop * 512])
        start = stop


def _bit(bitmap: bytes, index: int) -> bool:
    return bool(bitmap[index // 8] & (0x80 >> index % 8))
