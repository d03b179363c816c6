"""Disks are read by NBD, as VHD and as plain bytes with the same result, and written whole."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import hvsdk
import pytest
from hvsdk import errors
from hvsdk_simulators import Running
from xen_support import Raw, connect, eventually

MIB, GIB = 2**20, 2**30
SIZE = 2 * GIB
PIECES = {0: b"boot" * 128, 300 * MIB + 512: b"\x5a" * (3 * MIB), SIZE - 4096: b"the last sectors".ljust(4096, b".")}
WAYS = ("nbd", "vhd", "raw")


def fill(pool: Running, vdi: str, pieces: dict[int, bytes]) -> str:
    """Write to a disk as a guest would, and return the SHA-256 of all its bytes."""
    told = {}
    for offset, data in pieces.items():
        told = pool.act("disk", vdi=vdi, write=base64.b64encode(data).decode(), offset=offset)
    return str(told["sha256"])


def digest(reader: hvsdk.DiskReader) -> str:
    """Return the SHA-256 of a disk of which only what is not a hole is read."""
    total = hashlib.sha256()
    position = 0
    for extent in reader.extents():
        assert extent.offset == position
        for offset in range(extent.offset, extent.offset + extent.length, 8 * MIB):
            count = min(8 * MIB, extent.offset + extent.length - offset)
            total.update(bytes(count) if extent.zero else reader.read(offset, count))
        position = extent.offset + extent.length
    assert position == reader.size
    return total.hexdigest()


@pytest.fixture
def make_host(pool: Running) -> Iterator[Callable[..., hvsdk.Host]]:
    """Connects to the pool with options."""
    hosts: list[hvsdk.Host] = []

    def make(**options: object) -> hvsdk.Host:
        hosts.append(connect(pool, **options))
        return hosts[-1]

    yield make
    for host in hosts:
        host.close()


def payload(pool: Running) -> int:
    """Return the bytes of disks that were sent so far, by whatever way."""
    return sum(sent for name, sent in pool.bytes_sent().items() if "export" in name or "nbd" in name.lower())


@pytest.mark.parametrize("way", WAYS)
def test_every_way_reads_the_same_bytes(way: str, pool: Running, make_vm, make_host):
    uuid = make_vm(disk_bytes=SIZE)
    domain = make_host(disk_io=way).domain(uuid)
    (disk,) = (disk for disk in domain.info.disks if disk.device == "disk")
    wanted = fill(pool, disk.volume, PIECES)
    before = payload(pool)
    with domain.open_disk(disk) as reader:
        assert reader.size == SIZE
        assert digest(reader) == wanted
    sent = payload(pool) - before
    if way == "raw":
        assert sent >= SIZE
    else:
        assert sum(map(len, PIECES.values())) <= sent < 32 * MIB, "holes were transferred"


def test_a_disk_that_is_served_by_nbd_is_read_in_any_order_by_many_threads(pool: Running, make_vm, make_host):
    domain = make_host().domain(make_vm(disk_bytes=64 * MIB))
    content = {number * MIB: bytes([number]) * MIB for number in range(1, 64, 3)}
    fill(pool, domain.disks[0].volume, content)
    with domain.open_disk(domain.disks[0]) as reader, ThreadPoolExecutor(8) as threads:
        pieces = list(threads.map(lambda number: reader.read(number * MIB, MIB), reversed(range(64))))
    for number, piece in zip(reversed(range(64)), pieces, strict=True):
        assert piece == content.get(number * MIB, bytes(MIB))


@pytest.mark.parametrize("way", WAYS)
def test_pieces_need_not_be_whole_sectors(way: str, pool: Running, make_vm, make_host):
    domain = make_host(disk_io=way).domain(make_vm(disk_bytes=16 * MIB))
    fill(pool, domain.disks[0].volume, {1000: bytes(range(256)) * 8, 16 * MIB - 7: b"the end"})
    with domain.open_disk(domain.disks[0]) as reader:
        assert reader.read(1003, 1500) == (bytes(range(256)) * 8)[3:1503]
        assert reader.read(16 * MIB - 5, 5) == b"e end"


@pytest.mark.parametrize("way", ["vhd", "raw"])
def test_a_stream_is_begun_anew_where_somebody_goes_back(way: str, pool: Running, make_vm, make_host):
    domain = make_host(disk_io=way).domain(make_vm(disk_bytes=16 * MIB))
    fill(pool, domain.disks[0].volume, {0: b"first", 9 * MIB: b"later"})
    with domain.open_disk(domain.disks[0]) as reader:
        assert reader.read(9 * MIB, 5) == b"later"
        assert reader.read(0, 5) == b"first"


def test_a_snapshot_is_read_while_the_domain_runs(pool: Running, make_vm, make_host):
    domain = make_host().domain(make_vm(disk_bytes=16 * MIB))
    wanted = fill(pool, domain.disks[0].volume, {5 * MIB: b"as it was"})
    snapshot = domain.create_snapshot("then")
    domain.start()
    fill(pool, domain.disks[0].volume, {5 * MIB: b"as it is."})
    with pytest.raises(errors.PowerStateError):
        domain.open_disk(domain.disks[0])
    with domain.open_disk(domain.disks[0], snapshot=snapshot) as reader:
        assert digest(reader) == wanted


def test_a_break_in_a_stream_is_read_over(pool: Running, make_vm, make_host):
    domain = make_host(disk_io="vhd").domain(make_vm(disk_bytes=32 * MIB))
    wanted = fill(pool, domain.disks[0].volume, {number * 2 * MIB: b"x" * MIB for number in range(16)})
    with domain.open_disk(domain.disks[0]) as reader:
        pool.fault("/export_raw_vdi:half-answer:1")
        assert digest(reader) == wanted


def test_nothing_is_left_behind_by_reading(pool: Running, make_vm, make_host, raw: Raw):
    domain = make_host().domain(make_vm(disk_bytes=16 * MIB))
    tasks, vbds = set(raw("task.get_all")), set(raw("VBD.get_all"))
    for way in WAYS:
        other = make_host(disk_io=way).domain(domain.native_id)
        with other.open_disk(other.disks[0]) as reader:
            reader.read(0, 512)
    assert eventually(lambda: set(raw("task.get_all")) <= tasks), "a task is left"  # XAPI ends them a moment later
    assert set(raw("VBD.get_all")) == vbds


def test_what_is_written_is_what_is_read(pool: Running, make_host):
    host = make_host()
    volume = host.storage_pool("NFS virtual disk storage").create_volume(name="written", size=64 * MIB)
    try:
        with volume.open_writer() as writer:
            writer.write(40 * MIB + 5, b"second")
            writer.write(0, b"\x11" * MIB)
            writer.zero(0, 4096)
        told = pool.act("disk", vdi=volume.id)
        wanted = bytearray(64 * MIB)
        wanted[:MIB] = b"\x11" * MIB
        wanted[:4096] = bytes(4096)
        wanted[40 * MIB + 5 : 40 * MIB + 11] = b"second"
        assert told["sha256"] == hashlib.sha256(wanted).hexdigest()
        with volume.open_writer() as writer:
            writer.write(MIB, b"once more")
        wanted[MIB : MIB + 9] = b"once more"
        assert pool.act("disk", vdi=volume.id)["sha256"] == hashlib.sha256(wanted).hexdigest(), "what was there is lost"
    finally:
        volume.delete()


def test_a_write_that_is_given_up_leaves_the_volume_as_it_was(pool: Running, make_host):
    host = make_host()
    volume = host.storage_pool("NFS virtual disk storage").create_volume(name="left", size=16 * MIB)
    try:
        before = pool.act("disk", vdi=volume.id)["sha256"]
        writer = volume.open_writer()
        writer.write(0, b"no")
        writer.abort()
        assert pool.act("disk", vdi=volume.id)["sha256"] == before
    finally:
        volume.delete()


def test_what_changed_is_asked_of_the_later_snapshot(make_vm, make_host):
    domain = make_host().domain(make_vm())
    old = domain.create_snapshot("old")
    time.sleep(1.1)  # snapshots are dated in whole seconds
    new = domain.create_snapshot("new")
    with pytest.raises(errors.InvalidSpecError, match="earlier snapshot") as refused:
        old.changed_blocks(new, domain.disks[0])
    assert "later.changed_blocks(earlier" in refused.value.hint
    assert new.changed_blocks(old, domain.disks[0]) == []


@pytest.mark.parametrize("tracked", [True, False], ids=["tracked", "not tracked"])
def test_what_changed_between_two_snapshots(tracked: bool, pool: Running, make_vm, make_host, raw: Raw):
    domain = make_host().domain(make_vm(disk_bytes=64 * MIB))
    disk = domain.disks[0]
    if tracked:
        raw("VDI.enable_cbt", raw("VDI.get_by_uuid", disk.volume))
    fill(pool, disk.volume, {0: b"before"})
    old = domain.create_snapshot("old")
    fill(pool, disk.volume, {10 * MIB: b"x" * 100_000, 64 * MIB - 5: b"tail!"})
    new = domain.create_snapshot("new")
    extents = new.changed_blocks(old, disk)
    grain = 65536 if tracked else 2 * MIB
    assert extents
    for extent in extents:
        assert extent.offset % grain == 0
        assert extent.offset + extent.length <= 64 * MIB

    def covered(offset: int) -> bool:
        return any(extent.offset <= offset < extent.offset + extent.length for extent in extents)

    assert covered(10 * MIB)
    assert covered(10 * MIB + 99_999)
    assert covered(64 * MIB - 1)
    assert not covered(0)
    assert sum(extent.length for extent in extents) <= 3 * max(grain, 131072)
