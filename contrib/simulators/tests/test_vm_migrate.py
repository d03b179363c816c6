"""Where VMs can run, and moving them there, with and without their disks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hvsdk_simulators.xapi.database import NULL, Object
from hvsdk_simulators.xapi.units import GIB
from hvsdk_simulators.xapi.vm import Guest
from hvsdk_simulators.xapi.vm.guest import ABSENT
from vm_pool import Pool, refused


@pytest.fixture
def pool() -> Iterator[Pool]:
    with Pool() as made:
        yield made


def destination(pool: Pool, host: Object) -> dict[str, str]:
    made: dict[str, str] = pool.call("host.migrate_receive", host, pool.network(), {})
    return made


def send(pool: Pool, vm: Object, host: Object, sr: Object, **options: str) -> str:
    disks = dict.fromkeys(pool.disks(vm), sr.ref)
    pool.call("VM.assert_can_migrate", vm, destination(pool, host), True, disks, {}, options)
    moved: str = pool.call("VM.migrate_send", vm, destination(pool, host), True, disks, {}, options)
    return moved


def test_a_running_vm_moves_with_its_domain_and_consoles(pool: Pool) -> None:
    vm = pool.vm("Running")
    pool.call("VM.pool_migrate", vm, pool.hosts[1], {"live": "true"})
    assert (vm["power_state"], vm["resident_on"]) == ("Running", pool.hosts[1].ref)
    assert vm.ref in pool.hosts[1]["resident_VMs"]
    assert vm.ref not in pool.hosts[0]["resident_VMs"]
    location = pool.world.db.get("console", vm["consoles"][0])["location"]
    assert pool.hosts[1]["address"] in location
    assert vm["scheduled_to_be_resident_on"] == NULL


def test_a_guest_without_tools_moves_only_by_force(pool: Pool) -> None:
    vm = pool.vm("Running", guest=Guest(tools=ABSENT))
    with refused("VM_LACKS_FEATURE", vm.ref):
        pool.call("VM.pool_migrate", vm, pool.hosts[1], {})
    pool.call("VM.pool_migrate", vm, pool.hosts[1], {"force": "true"})
    assert vm["resident_on"] == pool.hosts[1].ref


def test_a_vm_does_not_move_away_from_local_disks(pool: Pool) -> None:
    vm = pool.vm("Running")
    pool.world.db.update(pool.disks(vm)[0], SR=pool.local.ref)
    with refused("VM_REQUIRES_SR", vm.ref, pool.local.ref):
        pool.call("VM.pool_migrate", vm, pool.hosts[1], {})
    assert pool.call("VM.get_possible_hosts", vm) == [pool.hosts[0]]
    with refused("HA_CONSTRAINT_VIOLATION_SR_NOT_SHARED", pool.local.ref):
        pool.call("VM.assert_agile", vm)


def test_a_disabled_host_takes_no_more_vms(pool: Pool) -> None:
    vm = pool.vm("Running")
    pool.world.db.update(pool.hosts[1], enabled=False)
    with refused("HOST_DISABLED", pool.hosts[1].ref):
        pool.call("VM.pool_migrate", vm, pool.hosts[1], {})
    with refused("HOST_DISABLED", pool.hosts[1].ref):
        pool.call("VM.assert_can_boot_here", vm, pool.hosts[1])


def test_a_host_without_room_is_refused(pool: Pool) -> None:
    vm = pool.vm("Running")
    pool.world.db.update(pool.world.db.get("host_metrics", pool.hosts[1]["metrics"]), memory_total=GIB)
    with refused("HOST_NOT_ENOUGH_FREE_MEMORY", str(vm["memory_dynamic_min"] + vm["memory_overhead"])):
        pool.call("VM.pool_migrate", vm, pool.hosts[1], {})


def test_a_virtual_gpu_needs_a_card_of_its_group(pool: Pool) -> None:
    vm = pool.vm()
    group = pool.world.db.create("GPU_group", name_label="nowhere")
    pool.world.db.create("VGPU", VM=vm.ref, GPU_group=group.ref)
    with refused("VM_REQUIRES_GPU", vm.ref, group.ref):
        pool.call("VM.assert_can_boot_here", vm, pool.hosts[0])
    assert pool.call("VM.get_possible_hosts", vm) == []


def test_a_cancelled_move_leaves_the_vm_where_it_is(pool: Pool) -> None:
    vm = pool.vm("Running")
    task = pool.world.db.create("task", status="cancelling")
    with refused("TASK_CANCELLED", task.ref):
        pool.call("VM.pool_migrate", vm, pool.hosts[1], {}, task=task)
    assert (vm["resident_on"], vm["scheduled_to_be_resident_on"]) == (pool.hosts[0].ref, NULL)


@pytest.mark.parametrize("state", ["Running", "Halted"])
def test_storage_migration_gives_the_vm_new_disks_with_the_same_content(pool: Pool, state: str) -> None:
    vm = pool.vm(state, disks=2)
    old = pool.disks(vm)
    pool.world.storage.disk(old[0]).write(0, b"moved")
    assert send(pool, vm, pool.hosts[1], pool.other) == vm.ref
    new = pool.disks(vm)
    assert {disk["SR"] for disk in new} == {pool.other.ref}
    assert not {disk["uuid"] for disk in new} & {disk["uuid"] for disk in old}
    assert all(pool.world.db.lookup("VDI", disk.ref) is None for disk in old)
    assert pool.world.storage.disk(new[0]).read(0, 5) == b"moved"
    assert [disk["name_label"] for disk in new] == [disk["name_label"] for disk in old]
    assert vm["resident_on"] == (pool.hosts[1].ref if state == "Running" else NULL)


def test_snapshots_move_with_the_disks_that_they_are_of(pool: Pool) -> None:
    vm = pool.vm("Running")
    pool.world.storage.disk(pool.disks(vm)[0]).write(0, b"before")
    taken = pool.call("VM.snapshot", vm, "before")
    count = sum(vdi["managed"] for vdi in pool.world.db.all("VDI"))
    send(pool, vm, pool.hosts[0], pool.other)
    (disk,), (kept,) = pool.disks(vm), pool.disks(taken)
    assert (kept["SR"], kept["is_a_snapshot"], kept["snapshot_of"]) == (pool.other.ref, True, disk.ref)
    assert pool.world.storage.disk(kept).read(0, 6) == b"before"
    assert sum(vdi["managed"] for vdi in pool.world.db.all("VDI")) == count
    pool.call("VM.revert", taken)
    assert pool.disks(vm)[0]["SR"] == pool.other.ref


def test_a_storage_migration_that_finds_no_room_changes_nothing(pool: Pool) -> None:
    vm = pool.vm("Running", disks=2)
    before = [disk.ref for disk in pool.disks(vm)]
    count = pool.disk_count()
    pool.world.db.update(pool.local, physical_size=GIB)
    with refused("SR_FULL"):
        send(pool, vm, pool.hosts[0], pool.local)
    assert [disk.ref for disk in pool.disks(vm)] == before
    assert (pool.disk_count(), vm["current_operations"]) == (count, {})


def test_a_disk_that_cannot_stay_must_be_in_the_map(pool: Pool) -> None:
    vm = pool.vm("Running")
    disk = pool.disks(vm)[0]
    pool.world.db.update(disk, SR=pool.local.ref)
    with refused("VDI_NOT_IN_MAP", disk.ref):
        pool.call("VM.migrate_send", vm, destination(pool, pool.hosts[1]), True, {}, {}, {})


def test_tracked_disks_do_not_move(pool: Pool) -> None:
    vm = pool.vm("Running")
    disk = pool.disks(vm)[0]
    pool.world.db.update(disk, cbt_enabled=True)
    with refused("VDI_CBT_ENABLED", disk.ref):
        send(pool, vm, pool.hosts[0], pool.other)


def test_disks_go_only_to_storage_that_the_host_sees(pool: Pool) -> None:
    vm = pool.vm("Running")
    with refused("VM_REQUIRES_SR", vm.ref, pool.local.ref):
        send(pool, vm, pool.hosts[1], pool.local)


def test_within_a_pool_nothing_is_copied_and_no_network_changed(pool: Pool) -> None:
    vm = pool.vm()
    there = destination(pool, pool.hosts[0])
    with refused("OPERATION_NOT_ALLOWED"):
        pool.call("VM.migrate_send", vm, there, False, {}, {}, {"copy": "true"})
    vif = pool.world.db.get("VIF", vm["VIFs"][0])
    with refused("NOT_IMPLEMENTED"):
        pool.call("VM.migrate_send", vm, there, False, {}, {vif: pool.network().ref}, {})
    with refused("VM_MIGRATE_CONTACT_REMOTE_SERVICE_FAILED"):
        pool.call("VM.migrate_send", vm, {}, False, {}, {}, {})


def test_old_servers_move_no_checkpoints_and_one_snapshot_at_most() -> None:
    with Pool(api=(2, 0)) as pool:
        held, many = pool.vm("Running"), pool.vm("Running")
        pool.call("VM.checkpoint", held, "with memory")
        with refused("VM_HAS_CHECKPOINT", held.ref):
            send(pool, held, pool.hosts[0], pool.other)
        pool.call("VM.snapshot", many, "first")
        pool.call("VM.snapshot", many, "second")
        with refused("VM_HAS_TOO_MANY_SNAPSHOTS", many.ref):
            send(pool, many, pool.hosts[0], pool.other)


def test_the_preferred_host_is_taken_when_it_can(pool: Pool) -> None:
    vm = pool.vm(affinity=pool.hosts[1].ref)
    pool.call("VM.start", vm, False, False)
    assert vm["resident_on"] == pool.hosts[1].ref


def test_workload_balancing_is_not_set_up(pool: Pool) -> None:
    with refused("WLB_NOT_INITIALIZED"):
        pool.call("VM.retrieve_wlb_recommendations", pool.vm())
