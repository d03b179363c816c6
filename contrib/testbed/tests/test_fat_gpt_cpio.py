"""Images written by us are read by others: sizes, tables and names are where the formats want them."""

from __future__ import annotations

import struct
import zlib

import pytest

from hvsdk_testbed.cpio import Cpio
from hvsdk_testbed.fat import CLUSTER, fat16
from hvsdk_testbed.gpt import gpt_disk


def read_fat(image: bytes, path: str) -> bytes:
    """Read a file the way the format describes, sharing nothing with the writer."""
    sector, per_cluster, reserved, tables, entries = struct.unpack_from("<HBHBH", image, 11)
    table_size = struct.unpack_from("<H", image, 22)[0]
    table = image[reserved * sector :]
    root_at = (reserved + tables * table_size) * sector
    data_at = root_at + entries * 32
    directory, found = image[root_at:data_at], (0, 0)
    for part in path.split("/"):
        stem, _, kind = part.partition(".")
        name = (stem.ljust(8) + kind.ljust(3)).encode()
        entry = next(e for e in chunks(directory, 32) if e[:11] == name)
        found = struct.unpack_from("<HI", entry, 26)
        directory, cluster = b"", found[0]
        while 2 <= cluster < 0xFFF8:
            at = data_at + (cluster - 2) * per_cluster * sector
            directory += image[at : at + per_cluster * sector]
            cluster = struct.unpack_from("<H", table, cluster * 2)[0]
    return directory[: found[1]]


def chunks(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


@pytest.mark.parametrize("size", [1, CLUSTER - 1, CLUSTER, CLUSTER + 1, 2**20])
def test_a_file_in_a_directory_is_read_back(size: int) -> None:
    content = bytes(range(251)) * (size // 251 + 1)
    image = fat16({"EFI/BOOT/BOOTX64.EFI": content[:size], "READ.ME": b"hello"})
    assert read_fat(image, "EFI/BOOT/BOOTX64.EFI") == content[:size]
    assert read_fat(image, "READ.ME") == b"hello"


@pytest.mark.parametrize("name", ["lower.efi", "NINELONGS.TXT", "A.LONG", "", "A B"])
def test_a_name_that_is_not_of_the_old_kind_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="not a name"):
        fat16({name: b""})


def test_the_same_files_make_the_same_image() -> None:
    assert fat16({"A": b"1"}) == fat16({"A": b"1"})


def test_both_partition_tables_are_sound() -> None:
    disk = gpt_disk(b"x" * 5000)
    total = len(disk) // 512
    for here, other in ((1, total - 1), (total - 1, 1)):
        header = bytearray(disk[here * 512 : here * 512 + 92])
        assert header[:8] == b"EFI PART"
        checksum = struct.unpack_from("<I", header, 16)[0]
        header[16:20] = bytes(4)
        assert zlib.crc32(header) == checksum
        assert struct.unpack_from("<QQ", header, 24) == (here, other)
        table = struct.unpack_from("<Q", header, 72)[0] * 512
        assert zlib.crc32(disk[table : table + 128 * 128]) == struct.unpack_from("<I", header, 88)[0]
        first, last = struct.unpack_from("<QQ", disk, table + 32)
        assert disk[first * 512 : (last + 1) * 512].rstrip(b"\0") == b"x" * 5000


def test_every_entry_of_an_archive_is_found_again() -> None:
    archive = Cpio()
    archive.program("bin/tool", b"#!/bin/sh\n")
    archive.file("etc/odd", b"12345")
    archive.symlink("bin/link", "tool")
    entries = read_cpio(archive.finish())
    assert list(entries) == ["bin", "bin/tool", "etc", "etc/odd", "bin/link", "TRAILER!!!"]
    assert entries["bin"] == (0o40755, b"")
    assert entries["bin/tool"] == (0o100755, b"#!/bin/sh\n")
    assert entries["etc/odd"] == (0o100644, b"12345")
    assert entries["bin/link"] == (0o120777, b"tool")


def read_cpio(archive: bytes) -> dict[str, tuple[int, bytes]]:
    """Read mode and content by name."""
    found, at = {}, 0
    while at < len(archive):
        assert archive[at : at + 6] == b"070701"
        numbers = [int(field, 16) for field in chunks(archive[at + 6 : at + 110], 8)]
        name = archive[at + 110 : at + 110 + numbers[11] - 1].decode()
        content_at = (at + 110 + numbers[11] + 3) // 4 * 4
        found[name] = (numbers[1], archive[content_at : content_at + numbers[6]])
        at = (content_at + numbers[6] + 3) // 4 * 4
    return found
