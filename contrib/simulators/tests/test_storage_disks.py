"""Disks: made, kept, copied, resized, tracked."""

import base64
from collections.abc import Iterator
from typing import Any

import pytest
from hvsdk_simulators.xapi.database import NULL, Object
from hvsdk_simulators.xapi.units import GIB, MIB
from storage_pool import Pool

KIB64 = 1 << 16


@pytest.fixture
def pool() -> Iterator[Pool]:
    with Pool(domains=8) as made:
        yield made


def changed(pool: Pool, older: Object, newer: Object) -> list[int]:
    bitmap = base64.b64decode(pool.call("VDI.list_changed_blocks", older, newer))
    return [number for number in range(len(bitmap) * 8) if bitmap[number // 8] & (0x80 >> number % 8)]


def test_a_size_is_rounded_up_to_whole_blocks(pool: Pool) -> None:
    record = {"SR": pool.sr("nfs").ref, "virtual_size": 3 * MIB + 1, "type": "user", "sharable": False}
    vdi = pool.call("VDI.create", record | {"read_only": False, "other_config": {}, "name_description": ""})
    assert vdi["virtual_size"] == 4 * MIB


def test_a_disk_of_a_running_vm_is_in_use(pool: Pool) -> None:
    vm = pool.vm("Running")
    vdi = pool.world.db.get("VDI", pool.world.db.get("VBD", vm["VBDs"][0])["VDI"])
    for name, arguments in (("destroy", ()), ("resize", (64 * GIB,)), ("copy", (pool.sr("nfs"),)), ("forget", ())):
        assert pool.refused(f"VDI.{name}", vdi, *arguments) == ["VDI_IN_USE", vdi.ref, name]
        assert name not in pool.allowed(vdi)
    assert "snapshot" in pool.allowed(vdi)


def test_destroying_a_disk_takes_its_drives_along(pool: Pool) -> None:
    vm = pool.vm("Halted")
    vbd = pool.drive(vm, pool.vdi())
    pool.call("VDI.destroy", pool.world.db.get("VDI", vbd["VDI"]))
    assert pool.world.db.lookup("VBD", vbd.ref) is None


def test_a_snapshot_keeps_what_was_written_before_it(pool: Pool) -> None:
    vdi = pool.vdi()
    disk = pool.world.storage.disk(vdi)
    disk.write(1000, b"before")
    taken = pool.call("VDI.snapshot", vdi, {})
    disk.write(1000, b"after!")
    assert pool.world.storage.disk(taken).read(1000, 6) == b"before"
    assert (taken["is_a_snapshot"], taken["snapshot_of"], vdi["snapshots"]) == (True, vdi.ref, [taken.ref])
    pool.call("VDI.destroy", vdi)
    assert taken["snapshot_of"] == NULL
    assert pool.world.storage.disk(taken).read(1000, 6) == b"before"


def test_a_copy_into_another_sr_has_the_same_bytes(pool: Pool) -> None:
    vdi = pool.vdi()
    pool.world.storage.disk(vdi).write(5 * MIB + 3, b"content")
    copy = pool.call("VDI.copy", vdi, pool.sr("lvmoiscsi"))
    assert pool.world.storage.disk(copy).sha256() == pool.world.storage.disk(vdi).sha256()
    assert copy["SR"] == pool.sr("lvmoiscsi").ref


def test_a_copy_over_another_disk_replaces_what_was_there(pool: Pool) -> None:
    vdi, other, small = pool.vdi(), pool.vdi(), pool.vdi(size=2 * MIB)
    pool.world.storage.disk(vdi).write(MIB, b"content")
    pool.world.storage.disk(other).write(9 * MIB, b"what was there")
    assert pool.refused("VDI.copy", vdi, None, None, small) == ["VDI_TOO_SMALL", small.ref, str(64 * MIB)]
    assert pool.call("VDI.copy", vdi, None, None, other) is other
    assert pool.world.storage.disk(other).sha256() == pool.world.storage.disk(vdi).sha256()


def test_a_disk_grows_and_never_shrinks(pool: Pool) -> None:
    vdi = pool.vdi()
    pool.call("VDI.resize", vdi, 128 * MIB)
    assert vdi["virtual_size"] == pool.world.storage.disk(vdi).size == 128 * MIB
    assert pool.refused("VDI.resize", vdi, 64 * MIB) == ["VDI_TOO_SMALL", vdi.ref, str(128 * MIB)]


def test_a_disk_that_was_forgotten_is_introduced_again(pool: Pool) -> None:
    vdi = pool.vdi()
    pool.world.storage.disk(vdi).write(0, b"kept")
    sr = pool.sr("nfs")
    pool.call("VDI.forget", vdi)
    arguments: tuple[Any, ...] = (vdi["uuid"], "", "", sr, "user", False, False, {}, vdi["uuid"])
    again = pool.call("VDI.introduce", *arguments)
    assert pool.world.storage.disk(again).read(0, 4) == b"kept"
    assert pool.refused("VDI.introduce", *arguments) == ["VDI_LOCATION_MISSING", sr.ref, vdi["uuid"]]


def test_changed_blocks_are_those_written_between_two_snapshots(pool: Pool) -> None:
    vdi = pool.vdi()
    pool.call("VDI.enable_cbt", vdi)
    disk = pool.world.storage.disk(vdi)
    disk.write(0, b"x")
    first = pool.call("VDI.snapshot", vdi, {})
    disk.write(3 * KIB64 - 1, b"two blocks")
    second = pool.call("VDI.snapshot", vdi, {})
    disk.write(64 * MIB - 1, b"y")
    assert changed(pool, first, second) == [2, 3]
    assert changed(pool, first, vdi) == [2, 3, 1023]
    pool.call("VDI.data_destroy", first)
    assert changed(pool, first, second) == [2, 3]
    assert (first["type"], first["cbt_enabled"]) == ("cbt_metadata", True)
    pool.call("VDI.destroy", second)
    assert changed(pool, first, vdi) == [2, 3, 1023]


def test_a_disk_that_grew_has_changed_at_its_end(pool: Pool) -> None:
    vdi = pool.vdi(size=2 * MIB)
    pool.call("VDI.enable_cbt", vdi)
    first = pool.call("VDI.snapshot", vdi, {})
    pool.call("VDI.resize", vdi, 4 * MIB)
    assert changed(pool, first, vdi) == list(range(32, 64))


def test_tracking_refuses_what_it_cannot_know(pool: Pool) -> None:
    vdi, other = pool.vdi(), pool.vdi()
    plain = pool.call("VDI.snapshot", vdi, {})
    assert pool.refused("VDI.list_changed_blocks", plain, vdi) == ["VDI_NO_CBT_METADATA", plain.ref]
    pool.call("VDI.enable_cbt", vdi)
    pool.call("VDI.enable_cbt", other)
    first, foreign = pool.call("VDI.snapshot", vdi, {}), pool.call("VDI.snapshot", other, {})
    assert pool.refused("VDI.list_changed_blocks", foreign, first)[0] == "SR_BACKEND_FAILURE_460"
    assert pool.refused("VDI.list_changed_blocks", vdi, first)[0] == "SR_BACKEND_FAILURE_460"
    assert pool.refused("VDI.enable_cbt", first)[0] == "OPERATION_NOT_ALLOWED"
    assert pool.refused("VDI.data_destroy", vdi)[0] == "OPERATION_NOT_ALLOWED"
    assert pool.refused("VDI.data_destroy", plain) == ["VDI_NO_CBT_METADATA", plain.ref]
    pool.call("VDI.data_destroy", first)
    assert pool.refused("VDI.snapshot", first, {}) == ["VDI_INCOMPATIBLE_TYPE", first.ref, "cbt_metadata"]
    assert pool.refused("VDI.get_nbd_info", first) == ["VDI_INCOMPATIBLE_TYPE", first.ref, "cbt_metadata"]
    media = pool.world.db.get("VDI", pool.sr("iso")["VDIs"][0])
    assert pool.refused("VDI.enable_cbt", media) == ["SR_OPERATION_NOT_SUPPORTED", media["SR"]]


def test_a_snapshot_whose_vm_has_it_in_a_snapshot_loses_its_data(pool: Pool) -> None:
    vm = pool.vm("Running")
    vdi = pool.world.db.get("VDI", pool.world.db.get("VBD", vm["VBDs"][0])["VDI"])
    pool.call("VDI.enable_cbt", vdi)
    snapshot = pool.call("VM.snapshot", vm, "before")
    vbd = next(one for ref in snapshot["VBDs"] if (one := pool.world.db.get("VBD", ref))["type"] == "Disk")
    taken = pool.world.db.get("VDI", vbd["VDI"])
    pool.call("VDI.data_destroy", taken)
    assert pool.world.db.lookup("VBD", vbd.ref) is None
    assert taken["type"] == "cbt_metadata"


def test_a_disk_moves_while_its_vm_runs(pool: Pool) -> None:
    vm = pool.vm("Running")
    vbd = pool.world.db.get("VBD", vm["VBDs"][0])
    vdi = pool.world.db.get("VDI", vbd["VDI"])
    target = next(sr for kind in ("nfs", "lvmoiscsi") if (sr := pool.sr(kind)).ref != vdi["SR"])
    blocks = pool.world.storage.disk(vdi).written()
    content = pool.world.storage.disk(vdi).read(blocks[-1] * KIB64, KIB64)
    new = pool.call("VDI.pool_migrate", vdi, target, {})
    assert (vbd["VDI"], new["SR"]) == (new.ref, target.ref)
    assert pool.world.storage.disk(new).written() == blocks
    assert pool.world.storage.disk(new).read(blocks[-1] * KIB64, KIB64) == content
    assert pool.world.db.lookup("VDI", vdi.ref) is None
    idle = pool.vdi()
    assert pool.refused("VDI.pool_migrate", idle, target, {}) == ["VDI_NEEDS_VM_FOR_MIGRATE", idle.ref]


def test_a_large_disk_costs_only_what_is_written(pool: Pool) -> None:
    vdi = pool.vdi(size=2 * GIB)
    used = pool.world.disks.arena.used
    disk = pool.world.storage.disk(vdi)
    disk.write(GIB, b"content")
    disk.write(0, bytes(4 * MIB))
    assert pool.world.disks.arena.used == used + 1
    assert [extent[:] for extent in disk.extents(0, disk.size)] == [
        (0, GIB, False),
        (GIB, KIB64, True),
        (GIB + KIB64, GIB - KIB64, False),
    ]


def test_planned_content_is_the_same_each_time_and_takes_no_room(pool: Pool) -> None:
    used = pool.world.disks.arena.used
    hashes = set()
    for uuid in ("one", "other"):
        pool.world.disks.plan(uuid, "seed", 0.5)
        disk = pool.world.disks.get(uuid, 8 * MIB)
        assert 0 < disk.written_bytes < 8 * MIB
        hashes.add(disk.sha256())
    assert len(hashes) == 1
    assert pool.world.disks.arena.used == used


def test_disks_that_were_given_up_are_not_read_from_what_took_their_place(pool: Pool) -> None:
    disk = pool.world.storage.disk(pool.vdi())
    disk.write(0, b"content")
    pool.world.stop()
    with pytest.raises(OSError, match="Bad file descriptor"):
        disk.read(0, 7)


def below(pool: Pool, vdi: Object) -> Object | None:
    """The hidden disk that a disk stands on."""
    uuid = vdi["sm_config"].get("vhd-parent")
    return pool.world.db.find("VDI", uuid) if uuid else None


def test_what_a_disk_and_its_snapshot_share_is_in_a_hidden_disk(pool: Pool) -> None:
    vdi = pool.vdi()
    pool.world.storage.disk(vdi).write(0, b"x" * (4 * MIB))
    pool.call("VDI.update", vdi)
    before = vdi["physical_utilisation"]
    taken = pool.call("VDI.snapshot", vdi, {})
    base = below(pool, vdi)
    assert base is not None
    assert below(pool, taken) is base
    assert (base["managed"], base["name_label"], pool.allowed(base)) == (False, "base copy", [])
    assert pool.refused("VDI.destroy", base) == ["VDI_NOT_MANAGED", base.ref]
    assert base["physical_utilisation"] == before
    assert vdi["physical_utilisation"] == taken["physical_utilisation"] == before - 4 * MIB


def test_a_snapshot_of_what_did_not_change_stands_on_the_same_disk(pool: Pool) -> None:
    vdi = pool.vdi()
    first, second = pool.call("VDI.snapshot", vdi, {}), pool.call("VDI.snapshot", vdi, {})
    assert below(pool, first) is below(pool, second) is below(pool, vdi)
    pool.world.storage.disk(vdi).write(0, b"x")
    third = pool.call("VDI.snapshot", vdi, {})
    base = below(pool, third)
    assert base is not None
    assert below(pool, base) is below(pool, first)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_hidden_disks_go_when_nothing_needs_them(pool: Pool, order: tuple[int, ...]) -> None:
    count, contents = pool.world.db.count("VDI"), len(pool.world.disks)
    vdi = pool.vdi()
    taken = [vdi]
    for number in range(2):
        pool.world.storage.disk(vdi).write(number * MIB, b"x" * (number + 1))
        taken.append(pool.call("VDI.snapshot", vdi, {}))
    for number in order:
        pool.call("VDI.destroy", taken[number])
        for left in taken:
            if pool.world.db.lookup("VDI", left.ref) is not None and left is not vdi:
                assert pool.world.storage.disk(left).read(0, 1) == b"x"
    assert (pool.world.db.count("VDI"), len(pool.world.disks)) == (count, contents)


def test_a_copy_stands_on_nothing(pool: Pool) -> None:
    vdi = pool.vdi()
    pool.call("VDI.snapshot", vdi, {})
    assert below(pool, pool.call("VDI.copy", vdi, pool.sr("nfs"))) is None


def test_what_the_pool_keeps_in_a_disk_is_not_given_up(pool: Pool) -> None:
    sr, itself = pool.sr("nfs"), pool.world.pool
    pool.call("SR.enable_database_replication", sr)
    metadata = next(vdi for vdi in pool.world.db.all("VDI") if vdi["type"] == "metadata")
    assert pool.call("VDI.read_database_pool_uuid", metadata) == itself["uuid"]
    error = ["VDI_CONTAINS_METADATA_OF_THIS_POOL", metadata.ref, itself.ref]
    assert pool.refused("VDI.destroy", metadata) == pool.refused("VDI.open_database", metadata) == error
    figures = pool.vdi()
    pool.world.db.update(figures, type="rrd")
    assert pool.refused("VDI.forget", figures) == ["VDI_HAS_RRDS", figures.ref]
    pool.call("SR.disable_database_replication", sr)
    assert pool.world.db.lookup("VDI", metadata.ref) is None


def test_a_thick_sr_has_no_room_for_a_clone_of_a_disk_that_fills_it(pool: Pool) -> None:
    sr = pool.sr("lvmoiscsi")
    vdi = pool.world.storage.create_vdi(sr, sr["physical_size"] * 6 // 10)
    count = pool.world.db.count("VDI")
    assert pool.refused("VDI.clone", vdi, {})[0] == "SR_FULL"
    assert pool.world.db.count("VDI") == count
    pool.call("VDI.snapshot", vdi, {})
