"""A disk as a VHD stream: footer copy, header, table, blocks in ascending order, footer."""

import struct
from collections.abc import Iterator
from itertools import groupby
from typing import NamedTuple
from uuid import UUID

from hvsdk_simulators.xapi.storage.disk import BLOCK as CLUSTER
from hvsdk_simulators.xapi.storage.disk import Disk

from . import _headers as vhd

MAXIMUM_SIZE = 2040 * 1024**3
"""Largest disk that the format can hold."""

_CLUSTERS = vhd.BLOCK // CLUSTER
_CLUSTER_BITS = CLUSTER // 512 // 8


class Parent(NamedTuple):
    """What a differencing stream says of its parent."""

    unique: UUID
    name: str


def encode(disk: Disk, unique: UUID, base: tuple[Disk, Parent] | None = None) -> Iterator[bytes]:
    """The pieces of the stream.

    Args:
        disk: What to send.
        unique: The image's identity, the VDI's UUID.
        base: Send only what differs from this disk, as a differencing image.
    """
    clusters = sorted(disk.differing(base[0])) if base else disk.written()
    blocks = {block: list(members) for block, members in groupby(clusters, lambda cluster: cluster // _CLUSTERS)}
    count = -(-disk.size // vhd.BLOCK)
    table_size = -(-count * 4 // 512) * 512
    parent = base[1] if base else None
    path = f"file://./{parent.name}".encode() if parent else b""
    locator_at = vhd.TABLE_OFFSET + table_size
    data_at = locator_at + (512 if parent else 0)
    footer = vhd.footer(disk.size, vhd.DIFFERENCING if parent else vhd.DYNAMIC, unique)
    yield footer
    yield vhd.header(count, parent, (locator_at, len(path)) if parent else None)
    yield bytes(vhd.TABLE_OFFSET - vhd.FOOTER_SIZE - vhd.HEADER_SIZE)
    yield _table(blocks, count, table_size, data_at)
    if parent:
        yield path.ljust(512, b"\0")
    for block, members in blocks.items():
        yield _bitmap(members) if parent else b"\xff" * vhd.BITMAP
        yield _data(disk, block, members) if parent else _whole(disk, block)
    yield footer


def _table(blocks: dict[int, list[int]], count: int, size: int, data_at: int) -> bytes:
    entries = [vhd.UNUSED] * count
    for position, block in enumerate(blocks):
        entries[block] = (data_at + position * (vhd.BITMAP + vhd.BLOCK)) // 512
    return struct.pack(f">{count}I", *entries).ljust(size, b"\xff")


def _bitmap(members: list[int]) -> bytes:
    bits = bytearray(vhd.BITMAP)
    for cluster in members:
        start = cluster % _CLUSTERS * _CLUSTER_BITS
        bits[start : start + _CLUSTER_BITS] = b"\xff" * _CLUSTER_BITS
    return bytes(bits)


def _whole(disk: Disk, block: int) -> bytes:
    return disk.read(block * vhd.BLOCK, vhd.BLOCK).ljust(vhd.BLOCK, b"\0")


def _data(disk: Disk, block: int, members: list[int]) -> bytes:
    content = bytearray(vhd.BLOCK)
    for cluster in members:
        piece = disk.read(cluster * CLUSTER, CLUSTER)
        start = cluster % _CLUSTERS * CLUSTER
        content[start : start + len(piece)] = piece
    return bytes(content)
