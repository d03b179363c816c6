"""Damaged disks: whatever a file says of itself that cannot be is told as damage, before anything of it is read as data."""

from __future__ import annotations

import ntpath
import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from hvsdk import errors
from hvsdk_simulators.hyperv.disks import files, vhd_layout
from hvsdk_simulators.hyperv.disks.vhdx_layout import (
    BAT_REGION,
    HEADERS,
    METADATA_REGION,
    REGION_TABLES,
    Header,
    Region,
    read_regions,
    regions_data,
)

from hvsdk_hyperv._crc32c import crc32c
from hvsdk_hyperv._disk_chain import DiskChain, open_chain
from hvsdk_hyperv._host_files import DamagedDiskError, HostFile, HostFiles, Range

MIB = 1 << 20
BASE, CHILD, GRANDCHILD = (f"C:\\disks\\{name}.vhdx" for name in ("base", "child", "grandchild"))
FULL, PARTIAL = 6, 7


class Folder(HostFiles):
    """Files of Windows, which lie in a folder here by their whole paths; what was opened and not closed is counted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.opened = 0

    def at(self, path: str) -> Path:
        return self.folder / ntpath.normpath(path)

    def open(self, path: str) -> HostFile:
        if not self.at(path).exists():
            raise errors.NotFoundError(f"there is no {path}")
        self.opened += 1
        return HostFile(path, self.at(path).stat().st_size)

    def read(self, ranges: Sequence[Range]) -> list[bytes]:
        return [self.at(one.file.path).read_bytes()[one.offset : one.offset + one.length] for one in ranges]

    def close(self, files: Sequence[HostFile]) -> None:
        self.opened -= len(files)

    def base(self, *, sector: int = 512) -> Path:
        files.create(self.at(BASE), "vhdx", "dynamic", 8 * MIB, block_size=MIB, sector_size=sector)
        self.write(BASE, 0, b"base")
        self.write(BASE, 3 * MIB, b"base too")
        return self.at(BASE)

    def upon(self, child: str, parent: str) -> Path:
        files.create(
            self.at(child), "vhdx", "differencing", parent=self.at(parent), parent_name=parent, block_size=2 * MIB
        )
        return self.at(child)

    def write(self, path: str, offset: int, text: bytes) -> None:
        with files.open(self.at(path), True) as image:
            image.write(offset, text)

    def chain(self, path: str) -> DiskChain:
        return open_chain(self, path)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def read(folder: Folder, path: str) -> bytes:
    chain = folder.chain(path)
    data = chain.read(0, chain.size)
    assert chain.size == 8 * MIB
    chain.close()
    assert folder.opened == 0
    return data


def refused(folder: Folder, path: str) -> errors.HvsdkError:
    with pytest.raises((DamagedDiskError, errors.OperationFailedError, errors.UnsupportedError)) as caught:
        folder.chain(path).read(0, 8 * MIB)
    return caught.value


# ---- what one lies on ------------------------------------------------------------------------------------


@pytest.mark.parametrize("sector", [512, 4096])
def test_sectors_of_every_layer_are_read_from_where_they_are(folder: Folder, sector: int) -> None:
    folder.base(sector=sector)
    folder.upon(CHILD, BASE)
    folder.write(CHILD, sector, b"child")
    folder.write(CHILD, 5 * MIB + 7 * sector, b"deep")
    folder.upon(GRANDCHILD, CHILD)
    folder.write(GRANDCHILD, 2 * sector, b"young")
    wanted = bytearray(8 * MIB)
    for at, text in (
        (0, b"base"),
        (3 * MIB, b"base too"),
        (sector, b"child"),
        (5 * MIB + 7 * sector, b"deep"),
        (2 * sector, b"young"),
    ):
        wanted[at : at + len(text)] = text
    assert read(folder, GRANDCHILD) == wanted


def test_disks_that_lie_on_each_other_are_refused(folder: Folder) -> None:
    folder.base()
    folder.upon(CHILD, BASE)
    folder.upon(GRANDCHILD, CHILD)
    files.set_parent(folder.at(CHILD), folder.at(GRANDCHILD), GRANDCHILD)
    assert "lies on itself" in refused(folder, CHILD).message
    assert folder.opened == 0


def test_a_disk_that_lies_on_itself_is_refused(folder: Folder) -> None:
    folder.base()
    folder.upon(CHILD, BASE)
    files.set_parent(folder.at(CHILD), folder.at(CHILD), CHILD.upper())
    assert "lies on itself" in refused(folder, CHILD).message


def test_more_files_than_anybody_makes_are_refused(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hvsdk_hyperv._disk_chain._DEEPEST", 4)
    folder.base()
    below = BASE
    for number in range(4):
        above = f"C:\\disks\\{number}.vhdx"
        folder.upon(above, below)
        below = above
    assert "lies on more than 4 files" in refused(folder, below).message
    assert folder.opened == 0
    assert read(folder, "C:\\disks\\2.vhdx")[:4] == b"base"


def test_a_file_below_that_is_gone_or_was_written_is_named(folder: Folder) -> None:
    folder.base()
    folder.upon(CHILD, BASE)
    folder.write(BASE, MIB, b"later")
    told = refused(folder, CHILD).message
    assert "is not what" in told
    assert BASE in told
    folder.at(BASE).unlink()
    told = refused(folder, CHILD).message
    assert "not there" in told
    assert BASE in told
    assert folder.opened == 0


# ---- a VHDX that says what cannot be ---------------------------------------------------------------------

Damage = Callable[[bytearray], None]


def regions(data: bytearray) -> dict[UUID, Region]:
    return read_regions(bytes(data[REGION_TABLES[0] : REGION_TABLES[0] + (64 << 10)]))


def entry(number: int, state: int, at: Callable[[bytearray], int] = lambda data: 0) -> Damage:
    """Change an entry of the block table: its state, and where its block is."""

    def damage(data: bytearray) -> None:
        struct.pack_into("<Q", data, regions(data)[BAT_REGION].at + number * 8, at(data) | state)

    return damage


def place_of_block(number: int) -> Callable[[bytearray], int]:
    def place(data: bytearray) -> int:
        (found,) = struct.unpack_from("<Q", data, regions(data)[BAT_REGION].at + number * 8)
        return int(found) >> 20 << 20

    return place


def headers(**changes: object) -> Damage:
    """Write both headers anew, whole, with something changed."""

    def damage(data: bytearray) -> None:
        for number, at in enumerate(HEADERS):
            data[at : at + 4096] = Header(**({"number": 9 + number} | changes)).data()  # type: ignore[arg-type]

    return damage


def table(change: Callable[[dict[UUID, Region]], object]) -> Damage:
    """Write both region tables anew, whole, with something changed."""

    def damage(data: bytearray) -> None:
        found = dict(regions(data))
        change(found)
        told = regions_data(found)
        for at in REGION_TABLES:
            data[at : at + len(told)] = told

    return damage


def version(data: bytearray) -> None:
    """Say that the file is of a version to come."""
    for at in HEADERS:
        struct.pack_into("<H", data, at + 66, 2)
        struct.pack_into("<I", data, at + 4, 0)
        struct.pack_into("<I", data, at + 4, crc32c(bytes(data[at : at + 4096])))


def item(number: int, form: str, at: int, *values: int) -> Damage:
    """Change an entry of the metadata's table: identity (16 bytes), place, length, flags."""

    def damage(data: bytearray) -> None:
        struct.pack_into(form, data, regions(data)[METADATA_REGION].at + 32 + number * 32 + at, *values)

    return damage


def content(offset: int, form: str, *values: int) -> Damage:
    """Change what the metadata say, which begins 64 KiB behind their table's beginning."""

    def damage(data: bytearray) -> None:
        struct.pack_into(form, data, regions(data)[METADATA_REGION].at + (64 << 10) + offset, *values)

    return damage


def count(value: int) -> Damage:
    def damage(data: bytearray) -> None:
        struct.pack_into("<H", data, regions(data)[METADATA_REGION].at + 10, value)

    return damage


def everywhere(at: int, length: int) -> Damage:
    def damage(data: bytearray) -> None:
        for start in REGION_TABLES if at >= REGION_TABLES[0] else HEADERS:
            data[start : start + length] = bytes(length)

    return damage


DAMAGES = {
    "two blocks at one place": (entry(1, FULL, place_of_block(0)), "upon each other"),
    "a block upon the block table": (entry(1, FULL, lambda data: regions(data)[BAT_REGION].at), "its own tables"),
    "a block upon the log": (entry(1, FULL, lambda _: MIB), "its own tables"),
    "a block upon the headers": (entry(1, FULL), "its own tables"),
    "a block beyond the end": (entry(1, FULL, lambda data: len(data) + MIB), "beyond the end"),
    "a block in an unknown state": (entry(1, 5), "unknown state 5"),
    "a part of a block and no parent": (entry(0, PARTIAL, place_of_block(0)), "no parent"),
    "a log that was not replayed": (headers(log_id=uuid4()), "Mount-VHD"),
    "a log at an odd place": (headers(log_at=MIB + 512), "log is where it cannot be"),
    "a log upon the block table": (headers(log_at=3 * MIB), "upon its own tables"),
    "two headers of the same age": (headers(number=9), "none is newer"),
    "a version to come": (version, "is of version 2"),
    "no headers": (everywhere(HEADERS[0], 4096), "both its headers"),
    "no region tables": (everywhere(REGION_TABLES[0], 64 << 10), "both its region tables"),
    "no block table": (table(lambda found: found.pop(BAT_REGION)), "no block table"),
    "a region beyond the end": (
        table(lambda found: found.update({BAT_REGION: Region(1 << 40, MIB)})),
        "is where it cannot be",
    ),
    "a region at an odd place": (
        table(lambda found: found.update({BAT_REGION: Region(3 * MIB + 512, MIB)})),
        "is where it cannot be",
    ),
    "a part that has to be known": (table(lambda found: found.update({uuid4(): Region(MIB, MIB)})), "has to be"),
    "more metadata than there may be": (count(2048), "2048 items"),
    "too few metadata": (count(2), "no item"),
    "metadata beyond their end": (item(1, "<I", 16, 1 << 30), "where it cannot be"),
    "metadata that have to be known": (item(4, "<QQ", 0, 1, 2), "have to be"),
    "an item of a wrong length": (item(1, "<I", 20, 4), "wrong length"),
    "blocks of an odd size": (content(0, "<I", 3 * MIB), f"blocks of {3 * MIB} bytes"),
    "a parent that is not told": (content(4, "<I", 2), "do not tell which"),
    "a disk of no size": (content(8, "<Q", 0), "a size of 0 bytes"),
    "a disk of a broken sector": (content(8, "<Q", 8 * MIB + 1), "a size of"),
    "a disk larger than its block table": (content(8, "<Q", 1 << 40), "too small for its disk"),
    "sectors of an odd size": (content(32, "<I", 520), "sectors of 520"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_what_cannot_be_is_told(folder: Folder, name: str) -> None:
    damage, told = DAMAGES[name]
    path = folder.base()
    assert read(folder, BASE)[:4] == b"base"
    data = bytearray(path.read_bytes())
    before = bytes(data)
    damage(data)
    assert data != before
    path.write_bytes(data)
    error = refused(folder, BASE)
    assert told in f"{error.message} {error.hint}"
    assert BASE in error.message


def test_parts_of_a_block_without_a_bitmap_are_damage(folder: Folder) -> None:
    folder.base()
    path = folder.upon(CHILD, BASE)
    folder.write(CHILD, 512, b"child")
    data = bytearray(path.read_bytes())
    ratio = (512 << 23) // (2 * MIB)
    entry(ratio, 0)(data)
    path.write_bytes(data)
    assert "no bitmap tells which" in refused(folder, CHILD).message


@pytest.mark.parametrize("broken", ["parent_linkage", "relative_path", "absolute_win32_path"])
def test_a_parent_that_cannot_be_read_is_told(folder: Folder, broken: str) -> None:
    """The texts that name it are there, but say nothing."""
    folder.base()
    path = folder.upon(CHILD, BASE)
    name = broken.encode("utf-16-le")
    data = path.read_bytes()
    assert data.count(name) == 1
    path.write_bytes(data.replace(name, b"?" * len(name)))
    if broken == "parent_linkage":
        assert "do not tell which" in refused(folder, CHILD).message
    else:
        assert read(folder, CHILD)[:4] == b"base"  # the other path leads there, too


# ---- a VHD that says what cannot be ----------------------------------------------------------------------


def sparse(change: Callable[[vhd_layout.Dynamic], object]) -> Damage:
    """Write the header anew, whole, with something changed."""

    def damage(data: bytearray) -> None:
        at = vhd_layout.HEADER_AT
        header = vhd_layout.read_dynamic(bytes(data[at : at + 1024]))
        change(header)
        told = header.data()
        data[at : at + len(told)] = told

    return damage


def vhd_entry(number: int, sector: Callable[[bytearray], int]) -> Damage:
    def damage(data: bytearray) -> None:
        struct.pack_into(">I", data, vhd_layout.HEADER_AT + 1024 + number * 4, sector(data))

    return damage


VHD_DAMAGES = {
    "two blocks at one place": (
        vhd_entry(1, lambda data: int(struct.unpack_from(">I", data, vhd_layout.HEADER_AT + 1024)[0])),
        "upon each other",
    ),
    "a block upon the header": (vhd_entry(1, lambda _: 1), "its own tables"),
    "a block beyond the end": (vhd_entry(1, lambda data: len(data) // 512 + 9), "beyond the end"),
    "blocks of an odd size": (sparse(lambda header: setattr(header, "block_size", 3 * MIB)), "its blocks have"),
    "a table that is too small": (sparse(lambda header: setattr(header, "entries", 1)), "too small for its disk"),
}


@pytest.mark.parametrize("name", VHD_DAMAGES)
def test_what_cannot_be_in_an_old_disk_is_told(folder: Folder, name: str) -> None:
    path = "C:\\disks\\old.vhd"
    files.create(folder.at(path), "vhd", "dynamic", 8 * MIB, block_size=2 * MIB)
    folder.write(path, 0, b"base")
    assert read(folder, path)[:4] == b"base"
    damage, told = VHD_DAMAGES[name]
    data = bytearray(folder.at(path).read_bytes())
    damage(data)
    folder.at(path).write_bytes(data)
    assert told in refused(folder, path).message
