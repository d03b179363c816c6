"""`PUT /services/SM`: the content of a disk that comes from another pool, block by block, holes left out."""

import struct
from collections.abc import Collection, Iterator

from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.handlers import Exchange, handler
from hvsdk_simulators.xapi.services import reply

from .disk import BLOCK, Disk
from .space import remeasure
from .transfers import assert_content, find, parameters

_HEAD = struct.Struct(">QI")
"""Before each piece: where it goes, and how long it is."""


def length_of(disk: Disk, blocks: Collection[int]) -> int:
    """Bytes that `pieces_of` gives."""
    return sum(_HEAD.size + min(BLOCK, disk.size - block * BLOCK) for block in blocks)


def pieces_of(disk: Disk, blocks: Collection[int]) -> Iterator[bytes]:
    """Some blocks of a disk as the service takes them."""
    for block in sorted(blocks):
        content = disk.read(block * BLOCK, BLOCK)
        yield _HEAD.pack(block * BLOCK, len(content)) + content


@handler("PUT", "/services/SM", role="vm-power-admin")
def take_content(exchange: Exchange) -> None:
    """Write what comes to a disk that was made for it."""
    reply(exchange, lambda: _take(exchange))


def _take(exchange: Exchange) -> None:
    world = exchange.world
    with world.lock:
        vdi = find(exchange, "VDI", parameters(exchange).get("vdi", ""))
        assert_content(exchange, vdi, "RW")
        disk: Disk = world.storage.disk(vdi)
    with world.storage.readers.opened(vdi):
        while head := _exactly(exchange, _HEAD.size):
            offset, length = _HEAD.unpack(head)
            if length > BLOCK or offset + length > disk.size:
                raise Failure("VDI_IO_ERROR", "Device I/O errors")
            disk.write(offset, _exactly(exchange, length))
    with world.lock:
        remeasure(world, vdi)


def _exactly(exchange: Exchange, size: int) -> bytes:
    """Read so many bytes; none at the end."""
    taken = bytearray()
    while len(taken) < size and (piece := exchange.read(size - len(taken))):
        taken += piece
    if taken and len(taken) < size:
        raise Failure("VDI_IO_ERROR", "Device I/O errors")
    return bytes(taken)
