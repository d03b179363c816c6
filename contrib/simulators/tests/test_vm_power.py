"""Starting, pausing, stopping and suspending."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hvsdk_simulators.xapi.database import NULL, Object
from hvsdk_simulators.xapi.units import GIB
from hvsdk_simulators.xapi.vm import Guest
from vm_pool import Pool, refused


@pytest.fixture
def pool() -> Iterator[Pool]:
    with Pool() as made:
        yield made


def metrics(pool: Pool, vm: Object) -> Object:
    return pool.world.db.get("VM_metrics", vm["metrics"])


def attached(pool: Pool, vm: Object) -> set[bool]:
    vbds = [pool.world.db.get("VBD", ref) for ref in vm["VBDs"]]
    vifs = [pool.world.db.get("VIF", ref) for ref in vm["VIFs"]]
    return {device["currently_attached"] for device in vbds + vifs}


def test_a_start_gives_the_vm_a_domain_on_a_host_and_a_stop_takes_it_away(pool: Pool) -> None:
    vm = pool.vm()
    pool.call("VM.start", vm, False, False)
    host = pool.world.db.get("host", vm["resident_on"])
    assert vm["power_state"] == "Running"
    assert vm["domid"] > 0
    assert vm.ref in host["resident_VMs"]
    assert metrics(pool, vm)["memory_actual"] == GIB
    assert metrics(pool, vm)["current_domain_type"] == "hvm"
    assert attached(pool, vm) == {True}
    assert {pool.world.db.get("console", ref)["protocol"] for ref in vm["consoles"]} == {"rfb", "vt100"}
    pool.call("VM.hard_shutdown", vm)
    assert (vm["power_state"], vm["resident_on"], vm["domid"], vm["consoles"]) == ("Halted", NULL, -1, [])
    assert vm.ref not in host["resident_VMs"]
    assert attached(pool, vm) == {False}


def test_a_guest_that_obeys_goes_down_and_comes_back_with_another_domain(pool: Pool) -> None:
    vm = pool.vm("Running")
    before = vm["domid"]
    pool.call("VM.clean_reboot", vm)
    assert vm["power_state"] == "Running"
    assert vm["domid"] > before


def test_a_paused_vm_keeps_its_domain(pool: Pool) -> None:
    vm = pool.vm("Running")
    domid = vm["domid"]
    pool.call("VM.pause", vm)
    assert (vm["power_state"], vm["domid"]) == ("Paused", domid)
    pool.call("VM.unpause", vm)
    assert (vm["power_state"], vm["domid"]) == ("Running", domid)


def test_a_suspended_vm_has_its_memory_in_a_vdi_until_it_runs_again(pool: Pool) -> None:
    vm = pool.vm("Running")
    pool.call("VM.suspend", vm)
    vdi = pool.world.db.get("VDI", vm["suspend_VDI"])
    assert (vm["power_state"], vm["resident_on"], vdi["type"]) == ("Suspended", NULL, "suspend")
    assert vdi["virtual_size"] >= GIB
    assert attached(pool, vm) == {True}
    pool.call("VM.resume", vm, True, False)
    assert (vm["power_state"], vm["suspend_VDI"]) == ("Paused", NULL)
    assert pool.world.db.lookup("VDI", vdi.ref) is None


def test_memory_is_saved_in_the_sr_that_the_vm_names(pool: Pool) -> None:
    vm = pool.vm("Running", suspend_SR=pool.other.ref)
    pool.call("VM.suspend", vm)
    assert pool.world.db.get("VDI", vm["suspend_VDI"])["SR"] == pool.other.ref


def test_a_vm_suspended_to_local_storage_runs_on_there_only(pool: Pool) -> None:
    vm = pool.vm("Running", suspend_SR=pool.local.ref)
    pool.call("VM.suspend", vm)
    with refused("VM_REQUIRES_SR", vm.ref, pool.local.ref):
        pool.call("VM.resume_on", vm, pool.hosts[1], False, False)
    pool.call("VM.resume_on", vm, pool.hosts[0], False, False)
    assert vm["resident_on"] == pool.hosts[0].ref


def test_cutting_the_power_of_a_suspended_vm_gives_its_memory_up(pool: Pool) -> None:
    vm = pool.vm("Suspended")
    vdi = vm["suspend_VDI"]
    pool.call("VM.hard_shutdown", vm)
    assert (vm["power_state"], vm["suspend_VDI"]) == ("Halted", NULL)
    assert pool.world.db.lookup("VDI", vdi) is None


def test_a_cancelled_suspend_leaves_no_vdi(pool: Pool) -> None:
    vm = pool.vm("Running", guest=Guest(acknowledges_suspend=False))
    before = pool.disk_count()
    call = pool.begin("VM.suspend", vm)
    pool.until(lambda: pool.disk_count() > before)
    call.cancel()
    assert call.end() == ["TASK_CANCELLED", call.task.ref]
    assert (vm["power_state"], pool.disk_count()) == ("Running", before)


def test_a_vm_too_large_for_a_host_is_told_so_by_one_and_by_the_pool(pool: Pool) -> None:
    vm = pool.vm(memory=10**15)
    with refused("HOST_NOT_ENOUGH_FREE_MEMORY", str(vm["memory_dynamic_min"] + vm["memory_overhead"])):
        pool.call("VM.start_on", vm, pool.hosts[0], False, False)
    with refused("NO_HOSTS_AVAILABLE"):
        pool.call("VM.start", vm, False, False)


def test_a_paravirtual_vm_needs_a_boot_loader_and_a_disk(pool: Pool) -> None:
    with refused("BOOTLOADER_FAILED"):
        pool.call("VM.start", pool.vm(disks=0, paravirtual=True), False, False)
    with refused("UNKNOWN_BOOTLOADER"):
        pool.call("VM.start", pool.vm(paravirtual=True, PV_bootloader="lilo"), False, False)


def test_a_disk_is_written_to_by_one_running_vm_only(pool: Pool) -> None:
    vm, other = pool.vm("Running"), pool.vm(disks=0)
    disk = pool.disks(vm)[0]
    pool.world.db.create("VBD", VM=other.ref, VDI=disk.ref, userdevice="0", mode="RO", type="Disk")
    with refused("VDI_IN_USE", disk.ref):
        pool.call("VM.start", other, False, False)
    pool.call("VM.suspend", vm)
    pool.call("VM.start", other, False, False)
    with refused("VDI_IN_USE", disk.ref):
        pool.call("VM.resume", vm, False, False)
    pool.call("VM.hard_shutdown", other)
    pool.call("VM.resume", vm, False, False)


def test_a_power_state_is_reset_only_when_the_host_is_gone(pool: Pool) -> None:
    vm = pool.vm("Running")
    with refused("DOMAIN_EXISTS", vm.ref, str(vm["domid"])):
        pool.call("VM.power_state_reset", vm)
    pool.call("VM.pool_migrate", vm, pool.hosts[1], {})
    with refused("HOST_IS_LIVE", pool.hosts[1].ref):
        pool.call("VM.power_state_reset", vm)
    pool.world.db.update(pool.world.db.get("host_metrics", pool.hosts[1]["metrics"]), live=False)
    pool.call("VM.power_state_reset", vm)
    assert vm["power_state"] == "Halted"


def test_memory_that_has_no_place_or_is_gone_is_told(pool: Pool) -> None:
    vm, lost = pool.vm("Running"), pool.vm("Suspended")
    pool.world.storage.destroy_vdi(pool.world.db.get("VDI", lost["suspend_VDI"]))
    with refused("VM_HAS_NO_SUSPEND_VDI", lost.ref):
        pool.call("VM.resume", lost, False, False)
    pool.world.db.update(pool.world.pool, suspend_image_SR=NULL, default_SR=NULL)
    pool.world.db.update(pool.hosts[0], suspend_image_sr=NULL)
    with refused("VM_NO_SUSPEND_SR", vm.ref):
        pool.call("VM.suspend", vm)
    assert vm["power_state"] == "Running"


def test_a_start_that_is_cancelled_leaves_the_vm_off(pool: Pool) -> None:
    vm = pool.vm()
    task = pool.world.db.create("task", status="cancelling")
    with refused("TASK_CANCELLED", task.ref):
        pool.call("VM.start", vm, False, False, task=task)
    assert (vm["power_state"], vm["scheduled_to_be_resident_on"], vm["current_operations"]) == ("Halted", NULL, {})


def test_starts_side_by_side_take_the_hosts_in_turn(pool: Pool) -> None:
    vms = [pool.vm() for _ in range(6)]
    calls = [pool.begin("VM.start", vm, False, False) for vm in vms]
    assert [call.end() for call in calls] == [[]] * 6
    assert {vm["resident_on"] for vm in vms} == {host.ref for host in pool.hosts}
    domids = {(vm["resident_on"], vm["domid"]) for vm in vms}
    assert len(domids) == 6
