"""A FAT16 file system made from files in memory, large enough for an EFI system partition.

Names are of the old kind, eight characters and three, in capitals. Clusters are given out one after another,
since nothing is ever changed.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping

SECTOR = 512
SECTORS_PER_CLUSTER = 4
CLUSTER = SECTOR * SECTORS_PER_CLUSTER
ROOT_ENTRIES = 512
FEWEST_CLUSTERS, MOST_CLUSTERS = 4085, 65524
"""With fewer it would be taken for FAT12, with more for FAT32."""

_DIRECTORY, _ARCHIVE, _VOLUME = 0x10, 0x20, 0x08
_LAST = 0xFFFF


def fat16(files: Mapping[str, bytes], label: str = "HVSDK", hidden_sectors: int = 0) -> bytes:
    """Return the image of a file system with these files.

    Args:
        files: Contents by path, such as `EFI/BOOT/BOOTX64.EFI`.
        hidden_sectors: How many sectors of the disk come before it.

    Raises:
        ValueError: A name is not of the old kind, or the files are too much for FAT16.
    """
    tree: _Directory = {}
    for path, content in files.items():
        *above, name = path.split("/")
        directory = tree
        for part in above:
            below = directory.setdefault(part, {})
            if not isinstance(below, dict):
                raise ValueError(f"{path}: {part} is a file")
            directory = below
        directory[name] = content
    clusters = _Clusters()
    root = _entry_bytes(label.ljust(11)[:11].encode("ascii"), _VOLUME, 0, 0)
    root += _directory(tree, clusters)
    if len(root) > ROOT_ENTRIES * 32:
        raise ValueError("too many files in the root directory")
    count = max(clusters.used + 64, FEWEST_CLUSTERS + 16)
    if count > MOST_CLUSTERS:
        raise ValueError(f"{clusters.used * CLUSTER} bytes are too much for FAT16 in clusters of {CLUSTER}")
    table_sectors = -(-(count + 2) * 2 // SECTOR)
    table = clusters.table().ljust(table_sectors * SECTOR, b"\0")
    data = clusters.data().ljust(count * CLUSTER, b"\0")
    boot = _boot_sector(label, count, table_sectors, hidden_sectors)
    return boot + table + table + root.ljust(ROOT_ENTRIES * 32, b"\0") + data


_Directory = dict[str, "bytes | _Directory"]


class _Clusters:
    """The data area and its chains; cluster numbers start at 2."""

    def __init__(self) -> None:
        self._table = [0xFFF8, _LAST]
        self._data: list[bytes] = []

    @property
    def used(self) -> int:
        return len(self._table) - 2

    def store(self, content: bytes) -> int:
        """Store content in a chain and return its first cluster, or 0 for nothing."""
        if not content:
            return 0
        first = len(self._table)
        number = -(-len(content) // CLUSTER)
        self._table += [*range(first + 1, first + number), _LAST]
        self._data.append(content.ljust(number * CLUSTER, b"\0"))
        return first

    def next_cluster(self) -> int:
        return len(self._table)

    def table(self) -> bytes:
        return struct.pack(f"<{len(self._table)}H", *self._table)

    def data(self) -> bytes:
        return b"".join(self._data)


def _directory(tree: _Directory, clusters: _Clusters) -> bytes:
    """Store what is in a directory and return its entries."""
    entries = b""
    for name, below in tree.items():
        if isinstance(below, dict):
            entries += _entry_bytes(_old_name(name), _DIRECTORY, _store_directory(below, clusters), 0)
        else:
            entries += _entry_bytes(_old_name(name), _ARCHIVE, clusters.store(below), len(below))
    return entries


def _store_directory(tree: _Directory, clusters: _Clusters) -> int:
    """Store a directory below another one, with the files in it first.

    Its `..` names cluster 0, the root; UEFI and Linux do not use it to find their way.
    """
    entries = _directory(tree, clusters)
    here = clusters.next_cluster()
    dots = _entry_bytes(b".".ljust(11), _DIRECTORY, here, 0) + _entry_bytes(b"..".ljust(11), _DIRECTORY, 0, 0)
    return clusters.store(dots + entries)


def _entry_bytes(name: bytes, attributes: int, cluster: int, size: int) -> bytes:
    new_year = (2024 - 1980) << 9 | 1 << 5 | 1  # the same image from the same files
    return struct.pack("<11sB10xHHHI", name, attributes, 0, new_year, cluster, size)


def _old_name(name: str) -> bytes:
    stem, _, kind = name.partition(".")
    if not re.fullmatch(r"[A-Z0-9]{1,8}(\.[A-Z0-9]{1,3})?", name):
        raise ValueError(f"{name!r} is not a name of eight capitals and digits, a dot and three")
    return stem.ljust(8).encode("ascii") + kind.ljust(3).encode("ascii")


def _boot_sector(label: str, clusters: int, table_sectors: int, hidden_sectors: int) -> bytes:
    sectors = 1 + 2 * table_sectors + ROOT_ENTRIES * 32 // SECTOR + clusters * SECTORS_PER_CLUSTER
    geometry = struct.pack(
        "<3s8sHBHBHHBHHHII",
        b"\xeb\x3c\x90",
        b"HVSDK   ",
        SECTOR,
        SECTORS_PER_CLUSTER,
        1,  # reserved sectors: this one
        2,  # tables
        ROOT_ENTRIES,
        sectors if sectors < 65536 else 0,
        0xF8,
        table_sectors,
        32,  # sectors a track and heads, which nobody asks for any more
        64,
        hidden_sectors,
        0 if sectors < 65536 else sectors,
    )
    name = label.ljust(11)[:11].encode("ascii")
    extended = struct.pack("<BBBI11s8s", 0x80, 0, 0x29, 0x68767364, name, b"FAT16   ")
    return (geometry + extended).ljust(SECTOR - 2, b"\0") + b"\x55\xaa"
