"""VHDX files that are made here are what others take them for."""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

import pytest
from test_hyperv_disk_io import Local

from hvsdk_hyperv._disk_chain import open_chain
from hvsdk_hyperv._vhdx import VhdxLayer
from hvsdk_hyperv._vhdx_metadata import Metadata
from hvsdk_hyperv._vhdx_writer import VhdxPlan, plan_vhdx

MIB = 1 << 20
TIB = 1 << 40
PAGE_83 = UUID("00112233-4455-6677-8899-aabbccddeeff")


def metadata(size: int, block: int = MIB, sector: int = 512, *, fixed: bool = False) -> Metadata:
    return Metadata(size=size, block=block, sector=sector, physical_sector=4096, fixed=fixed, id=PAGE_83, parent=None)


def write(path: Path, plan: VhdxPlan, blocks: dict[int, bytes]) -> Path:
    with path.open("wb") as file:
        file.truncate(plan.length)
        for at, data in [*plan.tables, *((plan.places[number], data) for number, data in blocks.items())]:
            file.seek(at)
            file.write(data)
    return path


def random_blocks(size: int, block: int, numbers: Sequence[int]) -> dict[int, bytes]:
    chance = random.Random(3)
    return {number: chance.randbytes(min(block, size - number * block)) for number in numbers}


@pytest.mark.parametrize("fixed", [False, True], ids=["dynamic", "fixed"])
@pytest.mark.parametrize(
    ("size", "block", "sector", "present"),
    [
        (8 * MIB, MIB, 512, [0, 3, 7]),
        (5 * MIB + 512, 2 * MIB, 512, [1, 2]),
        (9 * MIB + 4096, MIB, 4096, [9]),
        (40 * MIB, 32 * MIB, 512, [1]),
        (3 * MIB, MIB, 512, []),
    ],
)
def test_content_and_identity_come_through(
    tmp_path: Path, size: int, block: int, sector: int, present: list[int], fixed: bool
) -> None:
    wanted = metadata(size, block, sector, fixed=fixed)
    blocks = random_blocks(size, block, present)
    disk = write(tmp_path / "disk.vhdx", plan_vhdx(wanted, present), blocks)
    content = bytearray(size)
    for number, data in blocks.items():
        content[number * block : number * block + len(data)] = data
    chain = open_chain(Local(), str(disk))
    assert chain.read(0, size) == content
    layer = chain.layers[0]
    assert isinstance(layer, VhdxLayer)
    assert layer.metadata == wanted


@pytest.mark.parametrize("block", [MIB, 32 * MIB])
def test_qemu_finds_nothing_wrong_and_the_same_bytes(tmp_path: Path, block: int) -> None:
    size = 130 * MIB + 512
    present = [0, size // block]
    blocks = random_blocks(size, block, present)
    disk = write(tmp_path / "disk.vhdx", plan_vhdx(metadata(size, block), present), blocks)
    checked = subprocess.run(
        ["qemu-img", "check", "--output=json", str(disk)], capture_output=True, text=True, check=True
    )
    assert not json.loads(checked.stdout).get("corruptions")
    raw = tmp_path / "raw"
    subprocess.run(["qemu-img", "convert", "-O", "raw", str(disk), str(raw)], check=True)
    with raw.open("rb") as file:
        for number, data in blocks.items():
            file.seek(number * block)
            assert file.read(len(data)) == data
        file.seek(block)
        assert file.read(MIB).count(0) == MIB
    assert raw.stat().st_size == size


def test_blocks_of_large_disks_lie_behind_the_bitmaps_of_their_chunks(tmp_path: Path) -> None:
    """A table has a place for a bitmap after each 4 GiB (of sectors of 512 bytes), which counts although it is empty."""
    size, block = 2 * TIB, 32 * MIB
    present = [0, 127, 128, size // block - 1]
    blocks = {number: b"%d" % number for number in present}
    disk = write(tmp_path / "disk.vhdx", plan_vhdx(metadata(size, block), present), blocks)
    chain = open_chain(Local(), str(disk))
    assert [chain.read(number * block, 8).rstrip(b"\0") for number in present] == list(blocks.values())
    assert disk.stat().st_blocks * 512 < 2 * MIB
