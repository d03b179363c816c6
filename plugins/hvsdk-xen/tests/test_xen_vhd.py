"""VHD images: what we send QEMU reads, what QEMU writes we read, and what is broken is refused."""

from __future__ import annotations

import io
import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from hvsdk.driver import errors

from hvsdk_xen._changed_blocks import GRAIN, changed_extents, read_bitmap
from hvsdk_xen._vhd import BLOCK_SIZE, SECTOR, BrokenVhdError, read_map, vhd_head, vhd_length

MIB = 2**20
needs_qemu = pytest.mark.skipif(shutil.which("qemu-img") is None, reason="qemu-img is not installed")


def image(size: int, blocks: dict[int, bytes]) -> bytes:
    """Return a whole VHD with these blocks."""
    head, footer = vhd_head(sorted(blocks), size)
    body = b"".join(b"\xff" * SECTOR + blocks[number].ljust(BLOCK_SIZE, b"\0") for number in sorted(blocks))
    return head + body + footer


@needs_qemu
@pytest.mark.parametrize("size", [10 * MIB, 10 * MIB + SECTOR, 127 * MIB + 3 * SECTOR], ids=lambda size: str(size))
def test_qemu_reads_what_we_send_to_the_last_byte(size: int, tmp_path: Path):
    last = (size - 1) // BLOCK_SIZE
    data = image(size, {1: b"\x11" * BLOCK_SIZE, last: (b"\x77" * BLOCK_SIZE)[: size - last * BLOCK_SIZE]})
    assert len(data) == vhd_length(2, size)
    (tmp_path / "disk.vhd").write_bytes(data)
    source = f"driver=vpc,force_size_calc=current_size,file.filename={tmp_path / 'disk.vhd'}"
    convert = ["qemu-img", "convert", "--image-opts", source, "-O", "raw", str(tmp_path / "disk.raw")]
    subprocess.run(convert, check=True, capture_output=True)
    raw = bytearray((tmp_path / "disk.raw").read_bytes())
    assert len(raw) == size
    assert raw[BLOCK_SIZE : 2 * BLOCK_SIZE] == b"\x11" * BLOCK_SIZE
    assert raw[last * BLOCK_SIZE :] == b"\x77" * (size - last * BLOCK_SIZE)
    assert not any(raw[:BLOCK_SIZE])
    assert not any(raw[2 * BLOCK_SIZE : last * BLOCK_SIZE])


@needs_qemu
def test_the_map_of_what_qemu_writes_is_where_the_data_is(tmp_path: Path):
    raw = tmp_path / "disk.raw"
    with raw.open("wb") as file:
        file.truncate(64 * MIB)
        file.seek(6 * MIB)
        file.write(b"x" * MIB)
    target = tmp_path / "disk.vhd"
    command = ["qemu-img", "convert", "-f", "raw", "-O", "vpc", "-o", "force_size=on", str(raw), str(target)]
    subprocess.run(command, check=True, capture_output=True)
    found, _ = read_map(io.BytesIO(target.read_bytes()).read)
    assert found.size == 64 * MIB
    assert [(e.offset // MIB, e.length // MIB) for e in found.extents() if not e.zero] == [(6, 2)]
    assert sum(extent.length for extent in found.extents()) == found.size
    assert found.in_order()
    assert not found.empty()


def test_a_disk_without_data_is_empty():
    found, consumed = read_map(io.BytesIO(image(9 * MIB, {})).read)
    assert found.empty()
    assert [(extent.offset, extent.length, extent.zero) for extent in found.extents()] == [(0, 9 * MIB, True)]
    assert consumed < vhd_length(0, 9 * MIB)


def changed(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


SOUND = image(8 * MIB, {0: b"a", 2: b"b"})


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (changed(SOUND, 0, b"QFI\xfb"), "not a VHD"),
        (changed(SOUND, 100, b"\x01"), "checksum of the VHD's footer"),
        (changed(SOUND, 600, b"\x01"), "checksum of the VHD's header"),
        (changed(SOUND, 512, b"notsparse"), "no header"),
        (changed(changed(SOUND, 60, struct.pack(">I", 2)), 64, struct.pack(">I", 0)), "checksum"),
    ],
    ids=["magic", "footer", "header", "cookie", "type"],
)
def test_what_is_broken_is_refused(broken: bytes, said: str):
    with pytest.raises(BrokenVhdError, match=said):
        read_map(io.BytesIO(broken).read)


def signed(data: bytes, begin: int, length: int, at: int) -> bytes:
    """Return an image whose footer or header, of this length, has the right checksum at an offset."""
    part = changed(data[begin : begin + length], at, bytes(4))
    return changed(data, begin + at, struct.pack(">I", ~sum(part) & 0xFFFFFFFF))


def test_a_table_that_no_disk_has_is_not_read_into_memory():
    huge = changed(changed(SOUND, 48, struct.pack(">Q", 64 * 2**40)), 512 + 28, struct.pack(">II", 2**32 - 1, SECTOR))
    with pytest.raises(BrokenVhdError, match="more than a disk has"):
        read_map(io.BytesIO(signed(signed(huge, 0, 512, 64), 512, 1024, 36)).read)


def test_blocks_in_another_order_are_seen():
    at = 2048
    table = struct.unpack_from(">4I", SOUND, at)
    shuffled = changed(SOUND, at, struct.pack(">4I", table[2], table[1], table[0], table[3]))
    found, _ = read_map(io.BytesIO(shuffled).read)
    assert not found.in_order()


def test_the_highest_bit_is_the_first_grain_and_the_last_one_ends_with_the_disk():
    size = 9 * GRAIN + 512
    extents = list(changed_extents(bytes([0b10000011, 0b11000000]), size))
    assert [(e.offset, e.length) for e in extents] == [(0, GRAIN), (6 * GRAIN, 3 * GRAIN + 512)]
    assert not any(extent.zero for extent in extents)


def test_bits_beyond_the_disk_are_nothing():
    assert list(changed_extents(bytes([0, 0b01111111]), 9 * GRAIN)) == []


@pytest.mark.parametrize("answer", ["*", "AA==", "é", None, {}], ids=repr)
def test_a_bitmap_that_is_none_is_refused(answer: object):
    with pytest.raises(errors.OperationFailedError, match="list of changed blocks"):
        read_bitmap(answer, 9 * GRAIN)
