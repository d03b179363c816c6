"""Stream-optimised VMDKs: made and read, held to qemu-img both ways, and streams that are none."""

from __future__ import annotations

import hashlib
import io
import shutil
import struct
import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from hvsdk_vmware._vmdk import GRAIN, SECTOR, BrokenVmdkError, VmdkHeader, descriptor, read_grains, read_header
from hvsdk_vmware._vmdk_writer import vmdk_pieces

MIB = 1 << 20
GRAINS = {0: b"\x01" * GRAIN, 1: bytes(range(256)) * 256, 511: b"end of a table".ljust(GRAIN, b"."), 513: b"a" * GRAIN}
needs_qemu = pytest.mark.skipif(shutil.which("qemu-img") is None, reason="qemu-img is not installed")


def made(size: int, grains: dict[int, bytes]) -> bytes:
    return b"".join(vmdk_pieces(size, grains.items()))


def exactly(data: bytes) -> Callable[[int], bytes]:
    stream = io.BytesIO(data)

    def read(length: int) -> bytes:
        found = stream.read(length)
        if len(found) < length:
            raise EOFError
        return found

    return read


def taken_apart(data: bytes) -> tuple[VmdkHeader, dict[int, bytes]]:
    read = exactly(data)
    header = read_header(read)
    return header, dict(read_grains(read, header))


def plain(size: int, grains: dict[int, bytes]) -> bytes:
    content = bytearray(size)
    for number, data in grains.items():
        content[number * GRAIN : (number + 1) * GRAIN] = data[: size - number * GRAIN]
    return bytes(content)


@pytest.mark.parametrize("size", [SECTOR, GRAIN, 4 * MIB, 64 * MIB + 3 * SECTOR])
def test_what_is_written_is_read(size: int) -> None:
    grains = {number: data for number, data in GRAINS.items() if number * GRAIN < size}
    header, found = taken_apart(made(size, grains))
    assert (header.size, header.grain) == (size, GRAIN)
    assert found == {number * GRAIN: data for number, data in grains.items()}


def test_a_disk_without_data_has_no_grains() -> None:
    data = made(1 << 40, {})
    assert taken_apart(data)[1] == {}
    assert len(data) < 300 * 1024


@needs_qemu
@pytest.mark.parametrize("size", [4 * MIB, 64 * MIB + 3 * SECTOR])
def test_qemu_reads_what_is_written(tmp_path: Path, size: int) -> None:
    grains = {number: data for number, data in GRAINS.items() if number * GRAIN < size}
    (tmp_path / "ours.vmdk").write_bytes(made(size, grains))
    run = subprocess.run(
        ["qemu-img", "convert", "-f", "vmdk", "-O", "raw", "ours.vmdk", "theirs.raw"], cwd=tmp_path, capture_output=True
    )
    assert run.returncode == 0, run.stderr
    found = (tmp_path / "theirs.raw").read_bytes()
    assert hashlib.sha256(found).digest() == hashlib.sha256(plain(size, grains)).digest()


@needs_qemu
def test_what_qemu_writes_is_read(tmp_path: Path) -> None:
    content = plain(64 * MIB, GRAINS)
    (tmp_path / "theirs.raw").write_bytes(content)
    command = "qemu-img convert -f raw -O vmdk -o subformat=streamOptimized theirs.raw theirs.vmdk"
    subprocess.run(command.split(), cwd=tmp_path, check=True, capture_output=True)
    header, found = taken_apart((tmp_path / "theirs.vmdk").read_bytes())
    assert plain(header.size, {place // GRAIN: data for place, data in found.items()}) == content
    assert len(found) == len(GRAINS)


def changed(at: int, layout: str, *values: object) -> bytes:
    data = bytearray(made(4 * MIB, {2: b"x" * GRAIN}))
    struct.pack_into(layout, data, at, *values)
    return bytes(data)


FIRST = 128 * SECTOR
"""Where the first grain is."""


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(changed(0, "<4s", b"KDMW"), id="magic"),
        pytest.param(changed(4, "<I", 9), id="version"),
        pytest.param(changed(8, "<I", 1), id="not stream-optimised"),
        pytest.param(changed(12, "<Q", 0), id="no size"),
        pytest.param(changed(12, "<Q", 2**63), id="absurd size"),
        pytest.param(changed(20, "<Q", 0), id="grains of nothing"),
        pytest.param(changed(20, "<Q", 96), id="odd grains"),
        pytest.param(changed(20, "<Q", 2**40), id="absurd grains"),
        pytest.param(changed(44, "<I", 0), id="tables of nothing"),
        pytest.param(changed(64, "<Q", 2**50), id="absurd beginning"),
        pytest.param(changed(77, "<H", 7), id="packed otherwise"),
        pytest.param(changed(FIRST, "<Q", 3), id="grain between grains"),
        pytest.param(changed(FIRST, "<Q", 8192), id="grain beyond the end"),
        pytest.param(changed(FIRST, "<Q", 2**63), id="grain far beyond the end"),
        pytest.param(changed(FIRST + 8, "<I", 2**31), id="absurd length of a grain"),
        pytest.param(changed(FIRST + 8, "<I", 20), id="half a grain"),
        pytest.param(changed(FIRST + 12, "<I", 0xFFFFFFFF), id="no zlib"),
        pytest.param(
            made(4 * MIB, {2: b"x" * GRAIN}).replace(b"parentCID=ffffffff", b"parentCID=12345678"), id="child"
        ),
        pytest.param(made(4 * MIB, {3: b"x" * GRAIN, 2: b"x" * GRAIN}), id="grains that go back"),
        pytest.param(made(4 * MIB, {2: b"x" * GRAIN})[:FIRST] + struct.pack("<QII496x", 0, 0, 77), id="unknown part"),
        pytest.param(made(4 * MIB, {})[:FIRST] + struct.pack("<QII496x", 2**40, 0, 1), id="absurd table"),
        pytest.param(made(4 * MIB, {})[:FIRST] + struct.pack("<QII496x", 0, 0, 1) * 100, id="tables without end"),
    ],
)
def test_a_stream_that_cannot_be_is_refused(data: bytes) -> None:
    with pytest.raises(BrokenVmdkError):
        taken_apart(data)


def test_a_grain_that_grows_without_end_is_not_unpacked() -> None:
    bomb = zlib.compress(bytes(64 * MIB), 9)
    piece = struct.pack("<QI", 0, len(bomb)) + bomb
    data = made(4 * MIB, {})[:FIRST] + piece.ljust(-(-len(piece) // SECTOR) * SECTOR, b"\0")
    with pytest.raises(BrokenVmdkError, match="has not the bytes of a grain"):
        taken_apart(data)


def test_a_stream_that_ends_early_is_told_by_who_reads_it() -> None:
    data = made(4 * MIB, {2: b"x" * GRAIN})
    for length in (100, FIRST - 1, FIRST + 5, len(data) - 1):
        with pytest.raises(EOFError):
            taken_apart(data[:length])


def test_a_descriptor_is_read_whatever_is_in_it() -> None:
    text = b'# a=b\nCID = 12\nCreateType="streamOptimized"\n\xff\xfe=\x00\nnothing\n\0\0\0'
    found = descriptor(text)
    assert (found["cid"], found["createtype"]) == ("12", "streamOptimized")
    assert "# a" not in found
