"""Virtual hard disks as files, held to qemu-img."""

from __future__ import annotations

import random
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hvsdk_simulators.hyperv import disks
from hvsdk_simulators.hyperv.disks.crc32c import crc32c

MIB = 1 << 20
QEMU = shutil.which("qemu-img")
NAMES: dict[str, str] = {"vhdx": "vhdx", "vhd": "vpc"}
KINDS: list[tuple[Any, Any]] = [("vhdx", "dynamic"), ("vhdx", "fixed"), ("vhd", "dynamic"), ("vhd", "fixed")]
qemu = pytest.mark.skipif(QEMU is None, reason="qemu-img is not installed")


def qemu_img(*words: object) -> str:
    done = subprocess.run([QEMU or "", *map(str, words)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def fill(path: Path, content: bytearray, seed: int, count: int = 25) -> None:
    rng = random.Random(seed)
    with disks.open(path, True) as image:
        for _ in range(count):
            offset = rng.randrange(len(content))
            data = rng.randbytes(rng.choice([1, 511, 512, 4096, 100_000, 3 * MIB]))[: len(content) - offset]
            image.write(offset, data)
            content[offset : offset + len(data)] = data


def read(path: Path) -> bytes:
    with disks.open(path) as image:
        return image.read(0, image.size)


def same(found: bytes, wanted: bytes | bytearray) -> bool:
    """Compare in a way that pytest does not explain for minutes."""
    return found == wanted


@qemu
@pytest.mark.parametrize(("format", "kind"), KINDS)
def test_qemu_reads_what_was_written(tmp_path: Path, format: Any, kind: Any) -> None:
    path, raw = tmp_path / "a", tmp_path / "raw"
    disks.create(path, format, kind, 24 * MIB)
    content = bytearray(24 * MIB)
    fill(path, content, 1)
    raw.write_bytes(content)
    qemu_img("compare", "-f", "raw", "-F", NAMES[format], raw, path)
    assert same(read(path), content)
    if format == "vhdx":
        qemu_img("check", "-f", "vhdx", path)


@qemu
@pytest.mark.parametrize(
    ("format", "options"),
    [
        ("vhdx", "subformat=dynamic"),
        ("vhdx", "subformat=fixed"),
        ("vhdx", "subformat=dynamic,block_size=1M"),
        ("vpc", "subformat=dynamic,force_size=on"),
        ("vpc", "subformat=fixed,force_size=on"),
    ],
)
def test_what_qemu_wrote_is_read_and_written(tmp_path: Path, format: str, options: str) -> None:
    raw, path = tmp_path / "raw", tmp_path / "a"
    content = bytearray(17 * MIB)
    rng = random.Random(2)
    for at in (0, 5 * MIB, 16 * MIB):
        content[at : at + 70_000] = rng.randbytes(70_000)
    raw.write_bytes(content)
    qemu_img("convert", "-f", "raw", "-O", format, "-o", options, raw, path)
    assert same(read(path), content)
    fill(path, content, 3)
    raw.write_bytes(content)
    qemu_img("compare", "-f", "raw", "-F", format, raw, path)


@qemu
def test_a_disk_of_terabytes_is_small_and_qemu_knows_its_size(tmp_path: Path) -> None:
    path = tmp_path / "a.vhdx"
    disks.create(path, "vhdx", "dynamic", 60 << 40)
    with disks.open(path, True) as image:
        image.write((60 << 40) - 3, b"end")
        assert image.read((60 << 40) - 4, 4) == b"\0end"
    assert "60 TiB" in qemu_img("info", "-f", "vhdx", path)


def test_an_empty_dynamic_vhdx_has_four_megabytes(tmp_path: Path) -> None:
    disks.create(tmp_path / "a.vhdx", "vhdx", "dynamic", 10 << 30)
    told = disks.info(tmp_path / "a.vhdx")
    assert (told.file_size, told.block_size, told.size) == (4 * MIB, 32 * MIB, 10 << 30)
    assert (told.format, told.type, told.logical_sector_size, told.physical_sector_size) == (
        "vhdx",
        "dynamic",
        512,
        4096,
    )
    with disks.open(tmp_path / "a.vhdx") as image:
        assert image.extents() == []


def test_sectors_of_four_kilobytes(tmp_path: Path) -> None:
    path = tmp_path / "a.vhdx"
    disks.create(path, "vhdx", "dynamic", 8 * MIB, sector_size=4096)
    content = bytearray(8 * MIB)
    fill(path, content, 4)
    assert same(read(path), content)
    assert disks.info(path).logical_sector_size == 4096


@pytest.mark.parametrize("format", ["vhdx", "vhd"])
def test_a_chain_reads_as_its_layers_say(tmp_path: Path, format: Any) -> None:
    names = [f"C:\\Disks\\{name}.{format}" for name in ("base", "middle", "top")]
    base, middle, top = (tmp_path / name for name in names)
    disks.create(base, format, "dynamic", 12 * MIB)
    content = bytearray(12 * MIB)
    fill(base, content, 5)
    disks.create(middle, format, "differencing", parent=base)
    fill(middle, content, 6, 6)
    disks.create(top, format, "differencing", parent=middle)
    fill(top, content, 7, 4)
    assert same(read(top), content)
    told = disks.info(top)
    assert told.parent_path == names[1]
    assert told.parent_id == disks.info(middle).content_id
    with disks.open(top) as image:
        whole, own = image.extents(), image.extents(own=True)
    assert 0 < sum(length for _, length in own) < sum(length for _, length in whole)

    disks.convert(top, tmp_path / "flat", "vhdx", "fixed")
    assert same(read(tmp_path / "flat"), content)

    disks.merge(top, middle)
    assert same(read(middle), content)
    disks.merge(middle, base)
    assert same(read(base), content)


def test_a_merge_goes_over_all_between(tmp_path: Path) -> None:
    base, middle, top = (tmp_path / f"{name}.vhdx" for name in ("base", "middle", "top"))
    content = bytearray(4 * MIB)
    disks.create(base, "vhdx", "dynamic", 4 * MIB)
    disks.create(middle, "vhdx", "differencing", parent=base)
    fill(middle, content, 8, 5)
    disks.create(top, "vhdx", "differencing", parent=middle)
    fill(top, content, 9, 5)
    with disks.open(top, True) as image:
        image.resize(6 * MIB)
    disks.merge(top, base)
    assert same(read(base), content + bytes(2 * MIB))


def test_a_parent_that_was_written_or_is_gone_breaks_the_chain(tmp_path: Path) -> None:
    base, child = tmp_path / "base.vhdx", tmp_path / "child.vhdx"
    disks.create(base, "vhdx", "dynamic", 4 * MIB)
    disks.create(child, "vhdx", "differencing", parent=base)
    with disks.open(base, True) as image:
        image.write(0, b"x")
    with pytest.raises(disks.BrokenChainError):
        disks.open(child)
    disks.set_parent(child, base)
    assert read(child)[:1] == b"x"
    base.unlink()
    with pytest.raises(disks.BrokenChainError):
        disks.open(child)
    assert disks.info(child).type == "differencing"


def test_a_parent_is_found_in_any_case_and_beside_its_child(tmp_path: Path) -> None:
    base, child = tmp_path / "C:\\Disks\\Base.vhdx", tmp_path / "C:\\Disks\\child.vhdx"
    disks.create(base, "vhdx", "dynamic", 4 * MIB)
    fill(base, bytearray(4 * MIB), 1)
    disks.create(child, "vhdx", "differencing", parent=base, parent_name="c:\\disks\\BASE.vhdx")
    content = read(base)
    assert same(read(child), content)
    base.rename(tmp_path / "D:\\Other\\Base.vhdx")
    child.rename(tmp_path / "D:\\Other\\child.vhdx")
    assert same(read(tmp_path / "D:\\Other\\child.vhdx"), content)


@pytest.mark.parametrize(("format", "kind"), KINDS)
def test_a_disk_gets_another_size(tmp_path: Path, format: Any, kind: Any) -> None:
    path, raw = tmp_path / "a", tmp_path / "raw"
    disks.create(path, format, kind, 5 * MIB)
    content = bytearray(5 * MIB)
    fill(path, content, 10)
    for size in (3 * MIB + 512, 9 * MIB, 300 * MIB, 20 * MIB):
        with disks.open(path, True) as image:
            image.resize(size)
        content = content[:size].ljust(size, b"\0")
        assert same(read(path), content)
    if QEMU is not None:
        raw.write_bytes(content)
        qemu_img("compare", "-f", "raw", "-F", NAMES[format], raw, path)


def test_a_table_that_becomes_too_big_moves(tmp_path: Path) -> None:
    path = tmp_path / "a.vhdx"
    disks.create(path, "vhdx", "dynamic", 8 * MIB, block_size=MIB)
    content = bytearray(8 * MIB)
    fill(path, content, 11)
    with disks.open(path, True) as image:
        image.resize(1 << 40)
        image.write((1 << 40) - 1, b"x")
    with disks.open(path) as image:
        assert same(image.read(0, 8 * MIB), content)
        assert image.read((1 << 40) - 2, 2) == b"\0x"


def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a"
    for arguments in (("vhdx", "dynamic", 0), ("vhdx", "dynamic", 513), ("vhd", "dynamic", 3 << 40)):
        with pytest.raises(disks.DiskError):
            disks.create(path, *arguments)
    with pytest.raises(disks.DiskError):
        disks.create(path, "vhdx", "differencing", MIB)
    assert not path.exists()
    path.write_bytes(b"no disk" * 1000)
    with pytest.raises(disks.DiskError):
        disks.open(path)
    disks.create(tmp_path / "b", "vhdx", "dynamic", MIB)
    with disks.open(tmp_path / "b", True) as image:
        for offset, length in ((-1, 1), (MIB, 1), (MIB - 1, 2)):
            with pytest.raises(disks.DiskError):
                image.read(offset, length)


def test_checksums_are_castagnolis() -> None:
    ascending = bytes(range(32))
    assert [crc32c(one) for one in (b"123456789", bytes(32), b"\xff" * 32, ascending)] == [
        0xE3069283,
        0x8A9136AA,
        0x62A8AB43,
        0x46DD794E,
    ]
