"""Disks with content, volumes, snapshots and clones of the fake."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hvsdk
from hvsdk import errors
from hvsdk._snapshot import _is_later
from hvsdk.models import SnapshotInfo
from hvsdk.testing.fake import _disks, control

MIB = 2**20
EARLY, LATE = (datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2))


@pytest.fixture
def host() -> Iterator[hvsdk.Host]:
    with hvsdk.connect("fake://demo", timeout=10.0) as host:
        yield host


@pytest.fixture
def small(host) -> hvsdk.Domain:
    return host.create_domain(hvsdk.DomainSpec(name="small", memory="1GiB", disks=[hvsdk.DiskSpec(size="8MiB")]))


def disk_of(domain: hvsdk.Domain) -> hvsdk.Disk:
    return next(disk for disk in domain.disks if disk.device == "disk")


def put(domain: hvsdk.Domain, offset: int, data: bytes) -> None:
    """Write into a domain's disk as its guest would."""
    world = control(domain.host)._world
    volume = world.config(world.domain(domain.native_id)).drives[0].volume
    _disks.write(volume.blocks, offset, data)


def content(domain: hvsdk.Domain, snapshot: hvsdk.Snapshot | None = None) -> bytes:
    with domain.open_disk(disk_of(domain), snapshot=snapshot) as reader:
        return reader.read(0, reader.size)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 300_000), st.integers(0, 200_000), st.sampled_from([None, b"\0", b"x", b"yz"])),
        max_size=8,
    )
)
def test_sparse_content_reads_as_a_plain_byte_array_does(steps):
    size = 500_000
    plain, blocks = bytearray(size), {}
    for offset, length, pattern in steps:
        length = min(length, size - offset)
        if pattern is None:
            _disks.zero(blocks, offset, length)
            plain[offset : offset + length] = bytes(length)
        else:
            data = (pattern * length)[:length]
            _disks.write(blocks, offset, data)
            plain[offset : offset + length] = data
    assert _disks.read(blocks, size, 0, size) == plain
    assert all(any(block) for block in blocks.values())
    covered = b"".join(_disks.read(blocks, size, *extent) for extent in _disks.extents(blocks, size))
    assert covered.count(0) <= len(covered)
    assert len(covered) - covered.count(0) == size - plain.count(0)


def test_a_volume_that_was_written_is_read_back_by_a_domain(host):
    pool = host.storage_pool("default")
    volume = pool.create_volume(name="data", size="1MiB")
    with volume.open_writer() as writer:
        writer.write(1000, b"hello" * 20_000)
        writer.zero(2000, 500)
    domain = host.create_domain(
        hvsdk.DomainSpec(name="reader", memory="1GiB", disks=[hvsdk.DiskSpec(source="data", pool="default")])
    )
    data = content(domain)
    expected = bytearray(MIB)
    expected[1000:101_000] = b"hello" * 20_000
    expected[2000:2500] = bytes(500)
    assert data == expected


def test_extents_cover_the_disk_and_their_holes_are_zeros(host):
    with host.domain("db-1").open_disk("disk-1") as reader:
        extents = reader.extents()
        assert sum(extent.length for extent in extents) == reader.size
        assert [e.offset for e in extents] == sorted(e.offset for e in extents)
        stored = [extent for extent in extents if not extent.zero]
        assert stored
        assert reader.read(0, 512)[510:] == b"\x55\xaa"
        hole = next(extent for extent in extents if extent.zero)
        assert not any(reader.read(hole.offset, 4096))


def test_an_aborted_write_leaves_what_was_there(host):
    volume = host.storage_pool("default").create_volume(name="data", size="1MiB")
    writer = volume.open_writer()
    writer.write(0, b"x" * 100_000)
    writer.flush()
    writer.abort()
    writer.abort()
    assert host.storage_pool("default").volume("data").info.allocated_bytes == 0


def test_a_full_pool_takes_no_more(host):
    pool = host.storage_pool("fast")
    control(host).set_capacity("fast", pool.refresh().info.allocated_bytes + MIB)
    with pytest.raises(errors.InsufficientResourcesError):
        pool.create_volume(name="thick", size="2MiB", format="raw")
    volume = pool.create_volume(name="thin", size="2MiB")
    with pytest.raises(errors.InsufficientResourcesError), volume.open_writer() as writer:
        writer.write(0, b"x" * 2 * MIB)
    assert "thick" not in [volume.name for volume in pool.volumes()]


def test_revert_brings_disk_settings_and_memory_back(host, small):
    fake = control(host)
    put(small, 0, b"before")
    small.start()
    boot = fake.boot_id(small)
    snapshot = small.create_snapshot("s", memory=True)
    put(small, 0, b"after!")
    small.power_off()
    small.reconfigure(vcpus=4)
    snapshot.revert()
    assert (small.power_state, small.vcpus, fake.boot_id(small)) == ("running", 1, boot)
    small.power_off()
    assert content(small)[:6] == b"before"


def test_a_domain_that_was_born_running_has_memory_to_keep(host):
    for domain in host.domains(state="running"):
        boot = control(host).boot_id(domain)
        assert boot is not None
        snapshot = domain.create_snapshot("s", memory=True)
        assert snapshot.has_memory
        snapshot.revert()
        assert (domain.power_state, control(host).boot_id(domain)) == ("running", boot)


def test_the_product_rolls_labels_back_and_the_core_puts_them_right(host, small):
    snapshot = small.create_snapshot("s")
    small.rename("renamed")
    small.set_notes("new notes")
    small.set_tags({"new"})
    small.set_metadata({"team.owner": "new"})
    snapshot.revert()
    small.refresh()
    assert (small.name, small.notes, small.tags) == ("renamed", "new notes", {"new"})
    assert small.metadata["team.owner"] == "new"


def test_snapshots_are_a_tree_whose_branches_move_up(small):
    one = small.create_snapshot("one")
    two = small.create_snapshot("two")
    one.revert()
    three = small.create_snapshot("three")
    found = {snapshot.name: snapshot.parent for snapshot in small.snapshots()}
    assert found == {"one": None, "two": one.id, "three": one.id}
    one.delete()
    assert {snapshot.name: snapshot.parent for snapshot in small.snapshots()} == {"two": None, "three": None}
    four = small.create_snapshot("four")
    assert small.snapshot("four").parent == three.id
    three.delete(children=True)
    assert [snapshot.id for snapshot in small.snapshots()] == [two.id]
    assert four.id not in [snapshot.id for snapshot in small.snapshots()]


def test_changed_blocks_are_those_that_were_written_between(small):
    put(small, 0, b"x")
    one = small.create_snapshot("one")
    put(small, 5 * MIB, b"y" * 100)
    put(small, 0, b"\0")
    two = small.create_snapshot("two")
    changed = two.changed_blocks(one, disk_of(small))
    block = _disks.BLOCK
    assert {(e.offset, e.length, e.zero) for e in changed} == {(5 * MIB, block, False), (0, block, True)}
    assert content(small, one)[:1] == b"x"
    assert content(small, two)[5 * MIB : 5 * MIB + 3] == b"yyy"


def test_changed_blocks_go_from_an_earlier_snapshot_to_a_later_one(host, small):
    one, two, three = (small.create_snapshot(name) for name in ("one", "two", "three"))
    disk = disk_of(small)
    control(host).reset_counts()
    for since, until in ((two, one), (three, two), (three, one), (one, one)):
        with pytest.raises(errors.InvalidSpecError, match=f"'{since.name}' is not earlier than '{until.name}'"):
            until.changed_blocks(since, disk)
    assert "changed_blocks" not in control(host).calls
    assert three.changed_blocks(one, disk) == []


@pytest.mark.parametrize(
    ("since", "until", "later"),
    [
        ({"created_at": LATE}, {"created_at": EARLY}, True),
        ({"created_at": EARLY}, {"created_at": LATE}, False),
        ({"created_at": EARLY}, {"created_at": EARLY}, False),
        ({"created_at": None}, {"created_at": EARLY}, False),
        ({"created_at": LATE}, {"created_at": EARLY, "parent": "since"}, False),
        ({"created_at": EARLY, "parent": "until"}, {"created_at": LATE}, True),
        ({"parent": "until"}, {}, True),
    ],
)
def test_the_tree_tells_which_snapshot_is_earlier_and_else_the_times_do(since, until, later):
    def info(key, **more):
        return SnapshotInfo(**{"id": key, "name": key, "created_at": None, "parent": None, "is_current": False, **more})

    assert _is_later(info("since", **since), info("until", **until)) is later


def test_a_disk_of_a_snapshot_is_opened_by_handle_id_or_name(host, small):
    put(small, 0, b"then")
    snapshot = small.create_snapshot("before")
    put(small, 0, b"now!")
    disk = disk_of(small)
    for named, trips in ((snapshot, (1, 0)), (snapshot.id, (1, 0)), ("before", (2, 1))):
        control(host).reset_counts()
        with small.open_disk(disk, snapshot=named) as reader:
            assert reader.read(0, 4) == b"then"
        assert tuple(control(host).calls.get(verb, 0) for verb in ("open_disk", "list_snapshots")) == trips


def test_a_snapshot_that_is_not_there_is_told_with_the_domain_and_those_that_are(small):
    small.create_snapshot("before")
    with pytest.raises(errors.SnapshotNotFoundError, match="domain 'small' has no snapshot 'after'") as caught:
        small.open_disk(disk_of(small), snapshot="after")
    assert caught.value.hint == "it has: 'before'"


def test_a_name_that_two_snapshots_have_opens_neither_disk(small):
    small.create_snapshot("twin")
    small.create_snapshot("twin")
    with pytest.raises(errors.AmbiguousNameError, match="2 snapshots 'twin'"):
        small.open_disk(disk_of(small), snapshot="twin")


def test_a_linked_clone_lies_on_the_original_and_takes_no_space(host, small):
    put(small, 0, b"shared" * 100_000)
    clone = small.clone("twin", linked=True)
    pool = host.storage_pool("default")
    volume = pool.volume(disk_of(clone).volume)
    assert volume.info.backing == disk_of(small).source
    assert volume.info.allocated_bytes == 0
    assert content(clone) == content(small)
    put(clone, 0, b"own")
    assert content(small)[:6] == b"shared"
    with pytest.raises(errors.BusyError, match="lies on it"):
        small.delete(disks="delete")
    clone.delete(disks="delete")
    small.delete(disks="delete")


def test_a_full_clone_shares_nothing(host, small):
    clone = small.clone("twin")
    assert clone.uuid != small.uuid
    assert disk_of(clone).source != disk_of(small).source
    small.delete(disks="delete")
    assert content(clone)


def test_delete_never_removes_an_iso(host, small):
    small.insert_media("iso/debian-12.iso")
    source = next(disk.source for disk in small.disks if disk.device == "cdrom")
    small.delete(disks="delete")
    assert source in [volume.path for volume in host.storage_pool("iso").volumes()]


def test_disks_that_are_kept_keep_their_content_without_snapshots(host, small):
    put(small, 0, b"kept")
    small.create_snapshot("s")
    path = disk_of(small).source
    small.delete()
    again = host.create_domain(hvsdk.DomainSpec(name="again", memory="1GiB", disks=[hvsdk.DiskSpec(source=path)]))
    assert content(again)[:4] == b"kept"


def test_a_volume_of_another_domain_is_not_attached_twice(host, small):
    with pytest.raises(errors.BusyError, match="attached to domain 'small'"):
        host.domain("web-1").attach_disk(hvsdk.DiskSpec(source=disk_of(small).source))


def test_a_grown_copy_has_content_and_size(host, small):
    put(small, 0, b"copied")
    copy = host.create_domain(
        hvsdk.DomainSpec(
            name="copy", memory="1GiB", disks=[hvsdk.DiskSpec(source=disk_of(small).source, size="16MiB", copy=True)]
        )
    )
    assert len(content(copy)) == 16 * MIB
    assert content(copy)[:6] == b"copied"
