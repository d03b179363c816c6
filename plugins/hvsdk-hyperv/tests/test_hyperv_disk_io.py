"""Reading disks: what a guest wrote comes back byte for byte, from every kind of file, and damage is told, not read over."""

from __future__ import annotations

import random
import struct
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import hvsdk
import pytest
from hvsdk import DiskSpec, DomainSpec, errors
from hvsdk_simulators import Running
from hyperv_disks import path_of, poke, spare_domain
from hyperv_support import connect

from hvsdk_hyperv import _layers
from hvsdk_hyperv._disk_chain import _open_parent, open_chain
from hvsdk_hyperv._host_files import DamagedDiskError, HostFile, HostFiles, Range
from hvsdk_hyperv._layers import ParentLink

MIB = 1 << 20


@pytest.fixture
def spare(place: tuple[Running, hvsdk.Host]) -> Iterator[hvsdk.Domain]:
    yield from spare_domain(place[1], "read me")


def head(reader: hvsdk.DiskReader, offset: int = 0) -> bytes:
    return reader.read(offset, 512).rstrip(b"\0")


# ---- through a connection, on both engines ---------------------------------------------------------------


def test_what_a_guest_wrote_comes_back(place: tuple[Running, hvsdk.Host], spare: hvsdk.Domain) -> None:
    server, _ = place
    poke(server, path_of(spare), b"first")
    poke(server, path_of(spare), b"far", 40 * MIB)
    with spare.open_disk(spare.info.disks[0]) as reader:
        assert reader.size == 64 * MIB
        assert (head(reader), head(reader, 40 * MIB), head(reader, 20 * MIB)) == (b"first", b"far", b"")
        whole = reader.read(0, reader.size)
        assert (len(whole), whole.count(b"\0")) == (64 * MIB, 64 * MIB - len(b"firstfar"))


def test_a_snapshot_is_read_as_it_was_also_while_the_domain_runs(
    place: tuple[Running, hvsdk.Host], spare: hvsdk.Domain
) -> None:
    server, _ = place
    disk = spare.info.disks[0].id
    poke(server, path_of(spare), b"before")
    old = spare.create_snapshot("old")
    poke(server, path_of(spare), b"after")
    with spare.open_disk(disk) as reader:
        assert head(reader) == b"after"
    spare.start()
    with spare.open_disk(disk, snapshot=old) as reader:
        assert head(reader) == b"before"
    with pytest.raises(errors.PowerStateError, match="read a snapshot"):
        spare.open_disk(disk)


def test_changed_blocks_are_what_was_written_between_two_snapshots(
    place: tuple[Running, hvsdk.Host], spare: hvsdk.Domain
) -> None:
    server, _ = place
    disk = spare.info.disks[0].id
    poke(server, path_of(spare), b"before", 4096)
    old = spare.create_snapshot("old")
    poke(server, path_of(spare), b"between", 8192)
    new = spare.create_snapshot("new")
    poke(server, path_of(spare), b"after", 16384)
    assert [(one.offset, one.length) for one in new.changed_blocks(old, disk)] == [(8192, 512)]


def test_snapshots_of_two_lines_have_no_changed_blocks(place: tuple[Running, hvsdk.Host], spare: hvsdk.Domain) -> None:
    server, _ = place
    first = spare.create_snapshot("first")
    poke(server, path_of(spare), b"one line")
    one = spare.create_snapshot("one")
    first.revert()
    poke(server, path_of(spare), b"other line")
    other = spare.create_snapshot("other")
    with pytest.raises(errors.UnsupportedError, match="does not lie on"):
        other.changed_blocks(one, spare.info.disks[0].id)


def test_a_disk_that_was_written_since_is_not_read_on(place: tuple[Running, hvsdk.Host], spare: hvsdk.Domain) -> None:
    server, _ = place
    poke(server, path_of(spare), b"mine")
    with spare.open_disk(spare.info.disks[0]) as reader:
        assert head(reader) == b"mine"
        poke(server, path_of(spare), b"somebody", 20 * MIB)
        with pytest.raises(errors.OperationFailedError, match="was written since it was opened"):
            reader.read(0, 512)


def test_linked_clones_are_read_with_what_they_lie_on(place: tuple[Running, hvsdk.Host], spare: hvsdk.Domain) -> None:
    server, _ = place
    poke(server, path_of(spare), b"original")
    copy = spare.clone("linked to it", linked=True)
    try:
        poke(server, path_of(copy), b"own", 4096)
        with copy.open_disk(copy.info.disks[0]) as reader:
            assert (head(reader), head(reader, 4096)) == (b"original", b"own")
    finally:
        copy.delete(disks="delete")


@pytest.mark.parametrize("disk", ["scsi:9:9", "'; throw '", "\u2018$(throw)\u2019"])
def test_no_such_disk(place: tuple[Running, hvsdk.Host], spare: hvsdk.Domain, disk: str) -> None:
    with pytest.raises(errors.DiskNotFoundError):
        spare.open_disk(disk)


def test_opening_costs_a_few_requests_and_reading_one(server: Running) -> None:
    with connect(server) as host:
        spare = next(domains := spare_domain(host, "counted"))
        before = server.counts().get("Send", 0)
        with spare.open_disk(spare.info.disks[0]) as reader:
            opened = server.counts().get("Send", 0)
            reader.read(0, MIB)
            assert opened - before <= 8
            assert server.counts().get("Send", 0) - opened <= 1
        next(domains, None)


@pytest.mark.parametrize("hints", [{"hyperv.provisioning": "fixed"}, {"hyperv.block_size": MIB}], ids=str)
@pytest.mark.parametrize("format", ["vhdx", "vhd"])
def test_every_kind_of_file_is_read(server: Running, host: hvsdk.Host, format: str, hints: dict[str, object]) -> None:
    if format == "vhd" and "hyperv.block_size" in hints:
        hints = {}
    disk = DiskSpec(size="16MiB", format=format, hints=hints)
    domain = host.create_domain(DomainSpec(name="kinds", vcpus=1, memory="512MiB", disks=[disk], firmware="bios"))
    try:
        poke(server, path_of(domain), b"here", 5 * MIB)
        with domain.open_disk(domain.info.disks[0]) as reader:
            assert (reader.size, head(reader, 5 * MIB), head(reader)) == (16 * MIB, b"here", b"")
    finally:
        domain.delete(disks="delete")


# ---- files that others made, and damaged ones ------------------------------------------------------------


class Local(HostFiles):
    """Files of this machine."""

    def open(self, path: str) -> HostFile:
        return HostFile(path, Path(path).stat().st_size)

    def read(self, ranges: Sequence[Range]) -> list[bytes]:
        return [Path(one.file.path).read_bytes()[one.offset : one.offset + one.length] for one in ranges]

    def close(self, files: Sequence[HostFile]) -> None:
        pass


def made_by_qemu(folder: Path, format: str, subformat: str) -> tuple[Path, bytes]:
    """Return a disk that another program made, and what is on it."""
    content = bytearray(9 * MIB)
    chance = random.Random(7)
    for at in (0, 3 * MIB + 512, 9 * MIB - 4096):
        content[at : at + 4096] = chance.randbytes(4096)
    raw, disk = folder / "raw", folder / "disk"
    raw.write_bytes(content)
    options = f"subformat={subformat}" + (",force_size=on" if format == "vpc" else ",block_size=1048576")
    command = ["qemu-img", "convert", "-f", "raw", "-O", format, "-o", options, str(raw), str(disk)]
    subprocess.run(command, check=True)
    return disk, bytes(content)


@pytest.mark.parametrize("subformat", ["dynamic", "fixed"])
@pytest.mark.parametrize("format", ["vhdx", "vpc"])
def test_disks_that_qemu_made_are_read_as_they_are(tmp_path: Path, format: str, subformat: str) -> None:
    disk, content = made_by_qemu(tmp_path, format, subformat)
    chain = open_chain(Local(), str(disk))
    assert chain.size == len(content)
    assert chain.read(0, chain.size) == content
    told = bytearray(chain.size)
    end = 0
    for extent in chain.extents():
        assert extent.offset == end
        end += extent.length
        if not extent.zero:
            told[extent.offset : end] = chain.read(extent.offset, extent.length)
    assert (end, bytes(told)) == (chain.size, content)


def test_an_empty_dynamic_disk_is_one_hole(tmp_path: Path) -> None:
    disk = tmp_path / "empty.vhdx"
    subprocess.run(["qemu-img", "create", "-q", "-f", "vhdx", str(disk), "64M"], check=True)
    assert [(one.length, one.zero) for one in open_chain(Local(), str(disk)).extents()] == [(64 * MIB, True)]


@pytest.mark.parametrize("size", [0, 7, 8, 512, 64 << 10, MIB, 3 * MIB - 1])
def test_a_file_that_was_cut_off_is_damaged(tmp_path: Path, size: int) -> None:
    disk, _ = made_by_qemu(tmp_path, "vhdx", "dynamic")
    disk.write_bytes(disk.read_bytes()[:size])
    with pytest.raises(DamagedDiskError):
        open_chain(Local(), str(disk))


def test_a_header_with_a_wrong_checksum_gives_way_to_the_other_one(tmp_path: Path) -> None:
    disk, content = made_by_qemu(tmp_path, "vhdx", "dynamic")
    for at in (64 << 10, 128 << 10):
        data = bytearray(disk.read_bytes())
        data[at + 8] ^= 0xFF
        disk.with_name("one").write_bytes(data)
        assert open_chain(Local(), str(disk.with_name("one"))).read(0, 4096) == content[:4096]
    for at in (64 << 10, 128 << 10):
        data[at + 9] ^= 0xFF
    disk.write_bytes(data)
    with pytest.raises(DamagedDiskError, match="checksums"):
        open_chain(Local(), str(disk))


@pytest.mark.parametrize("seed", range(40))
def test_hostile_bytes_are_an_error_or_read_within_the_disk(tmp_path: Path, seed: int) -> None:
    """Bytes are changed at random: nothing but hvsdk's own errors comes of it, and nothing is read beyond the file."""
    chance = random.Random(seed)
    disk, content = made_by_qemu(tmp_path, chance.choice(["vhdx", "vpc"]), "dynamic")
    data = bytearray(disk.read_bytes())
    for _ in range(chance.randrange(1, 30)):
        at = chance.randrange(min(len(data), 4 * MIB))
        data[at : at + 8] = struct.pack("<Q", chance.choice([0, 1, 7, 2**63, 2**64 - 1, chance.getrandbits(64)]))
    disk.write_bytes(data)
    try:
        chain = open_chain(Local(), str(disk))
        assert len(chain.read(0, min(chain.size, len(content)))) == min(chain.size, len(content))
    except errors.HvsdkError:
        pass


@pytest.mark.parametrize("parent", ["\\\\evil\\share\\x.vhdx", "\\\\.\\PhysicalDrive0", "\\\\?\\GLOBALROOT\\x"])
def test_a_file_does_not_lead_the_host_to_another_server(parent: str) -> None:
    child = Layer(Local(), HostFile("C:\\disks\\child.vhdx", 0))
    link = ParentLink(paths=[parent], ids=frozenset())
    with pytest.raises(errors.OperationFailedError, match="another server") as refused:
        _open_parent(Local(), child, link, [child], [])
    assert "Convert-VHD" in (refused.value.hint or "")


class Layer(_layers.Layer):
    """A file without content."""

    window = 1

    def pieces(self, ranges: Sequence[tuple[int, int]]) -> list[_layers.Piece]:
        return []
