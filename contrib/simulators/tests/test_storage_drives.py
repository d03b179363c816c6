"""Drives: where they go, what may be in them, when they are plugged."""

from collections.abc import Iterator
from typing import Any

import pytest
from hvsdk_simulators.xapi.database import NULL
from hvsdk_simulators.xapi.units import MIB
from storage_pool import Pool


@pytest.fixture
def pool() -> Iterator[Pool]:
    with Pool(domains=8) as made:
        yield made


def test_a_drive_takes_the_first_free_position_when_none_is_named(pool: Pool) -> None:
    vm = pool.vm("Halted")
    taken = {pool.world.db.get("VBD", ref)["userdevice"] for ref in vm["VBDs"]}
    assert taken == {"0", "3"}
    assert [pool.drive(vm, pool.vdi())["userdevice"] for _ in range(3)] == ["1", "2", "4"]


@pytest.mark.parametrize("name", ["0", "xvda", "hda", "sda1"])
def test_a_position_with_a_drive_is_refused_whatever_it_is_called(pool: Pool, name: str) -> None:
    vm = pool.vm("Halted")
    record = pool.drive_record(vm, pool.vdi(), userdevice=name)
    assert pool.refused("VBD.create", record) == ["DEVICE_ALREADY_EXISTS", name]


def test_positions_of_drives_with_names_are_not_free(pool: Pool) -> None:
    vm = pool.vm("Halted")
    pool.drive(vm, pool.vdi(), userdevice="xvdb")
    assert pool.call("VM.get_allowed_VBD_devices", vm)[:2] == ["2", "4"]


@pytest.mark.parametrize("name", ["-1", "255", "vda", "xvdz", "", "٣"])
def test_a_position_that_there_is_not_is_refused(pool: Pool, name: str) -> None:
    vm = pool.vm("Halted")
    record = pool.drive_record(vm, pool.vdi(), userdevice=name)
    assert pool.refused("VBD.create", record) == ["INVALID_DEVICE", name]


def test_what_does_not_fit_into_a_drive_is_refused(pool: Pool) -> None:
    vm, disk = pool.vm("Halted"), pool.vdi()
    read_only = pool.vdi(read_only=True)
    common = pool.drive_record(vm, disk)

    def error(**fields: Any) -> list[str]:
        return pool.refused("VBD.create", common | fields)

    assert error(VDI=disk.ref, type="CD", mode="RW") == ["VBD_CDS_MUST_BE_READONLY"]
    assert error(VDI=disk.ref, type="CD", mode="RO") == ["VDI_IS_NOT_ISO", disk.ref, "user"]
    assert error(VDI=NULL, type="Disk", mode="RW", empty=True) == ["VBD_NOT_REMOVABLE_MEDIA", "in constructor"]
    assert error(VDI=read_only.ref, type="Disk", mode="RW") == ["VDI_READONLY", read_only.ref]
    assert error(VDI="OpaqueRef:none", type="Disk", mode="RW") == ["HANDLE_INVALID", "VDI", "OpaqueRef:none"]


def test_a_running_vm_gets_a_disk_and_gives_it_back(pool: Pool) -> None:
    vm = pool.vm("Running")
    vbd = pool.drive(vm, pool.vdi())
    assert "plug" in pool.allowed(vbd)
    pool.call("VBD.plug", vbd)
    assert vbd["currently_attached"]
    assert vbd["device"].startswith("xvd")
    assert pool.refused("VBD.plug", vbd) == ["DEVICE_ALREADY_ATTACHED", vbd.ref]
    assert pool.refused("VBD.destroy", vbd)[0] == "OPERATION_NOT_ALLOWED"
    pool.call("VBD.unplug", vbd)
    assert pool.refused("VBD.unplug", vbd) == ["DEVICE_ALREADY_DETACHED", vbd.ref]
    pool.call("VBD.destroy", vbd)
    assert vbd.ref not in vm["VBDs"]


def test_a_vm_without_drivers_takes_no_disk_while_it_runs(pool: Pool) -> None:
    vm = pool.vm("Running", domain_type="hvm", guest_metrics=NULL)
    vbd = pool.drive(vm, pool.vdi())
    assert "plug" not in pool.allowed(vbd)
    assert pool.refused("VBD.plug", vbd) == ["VM_MISSING_PV_DRIVERS", vm.ref]


def test_a_vm_that_does_not_run_is_named_with_its_state(pool: Pool) -> None:
    halted, suspended = pool.vm("Halted"), pool.vm("Suspended")
    for vm in (halted, suspended):
        vbd = pool.drive(vm, pool.vdi())
        expected = ["VM_BAD_POWER_STATE", vm.ref, "running", vm["power_state"].lower()]
        assert pool.refused("VBD.plug", vbd) == expected
        assert pool.refused("VBD.unplug_force", vbd) == expected


def test_a_disk_that_another_vm_writes_is_in_use(pool: Pool) -> None:
    known = pool.world.db.all("VM")
    first, second = [vm for vm in known if vm["power_state"] == "Running" and vm["guest_metrics"] != NULL][:2]
    disk = pool.vdi()
    pool.call("VBD.plug", pool.drive(first, disk))
    other = pool.drive(second, disk)
    assert pool.refused("VBD.plug", other) == ["VDI_IN_USE", disk.ref, "attach"]
    assert pool.refused("VDI.destroy", disk) == ["VDI_IN_USE", disk.ref, "destroy"]
    pool.call("VDI.set_sharable", disk, True)
    pool.call("VBD.plug", other)


def test_a_medium_goes_in_and_out(pool: Pool) -> None:
    vm = pool.vm("Running")
    cd = next(vbd for ref in vm["VBDs"] if (vbd := pool.world.db.get("VBD", ref))["type"] == "CD")
    disk = next(vbd for ref in vm["VBDs"] if (vbd := pool.world.db.get("VBD", ref))["type"] == "Disk")
    medium = pool.world.db.get("VDI", pool.sr("iso")["VDIs"][0])
    assert pool.refused("VBD.eject", cd) == ["VBD_IS_EMPTY", cd.ref]
    assert pool.refused("VBD.insert", disk, medium) == ["VBD_NOT_REMOVABLE_MEDIA", disk.ref]
    other = pool.vdi()
    assert pool.refused("VBD.insert", cd, other) == ["VDI_IS_NOT_ISO", other.ref, "user"]
    pool.call("VBD.insert", cd, medium)
    assert (cd["VDI"], cd["empty"]) == (medium.ref, False)
    assert pool.refused("VBD.insert", cd, medium) == ["VBD_NOT_EMPTY", cd.ref]
    pool.call("VBD.eject", cd)
    assert (cd["VDI"], cd["empty"]) == (NULL, True)


def test_a_suspended_vm_keeps_its_medium(pool: Pool) -> None:
    vm = pool.vm("Suspended")
    cd = next(vbd for ref in vm["VBDs"] if (vbd := pool.world.db.get("VBD", ref))["type"] == "CD")
    medium = pool.world.db.get("VDI", pool.sr("iso")["VDIs"][0])
    expected = ["VM_BAD_POWER_STATE", vm.ref, "halted, running", "suspended"]
    assert pool.refused("VBD.insert", cd, medium) == expected


def test_the_mode_is_changed_only_while_the_vm_is_off(pool: Pool) -> None:
    running, halted = pool.vm("Running"), pool.vm("Halted")
    at_work = pool.world.db.get("VBD", running["VBDs"][0])
    assert pool.refused("VBD.set_mode", at_work, "RO") == ["VM_BAD_POWER_STATE", running.ref, "halted", "running"]
    vbd = pool.drive(halted, pool.vdi(size=2 * MIB))
    pool.call("VBD.set_mode", vbd, "RO")
    assert vbd["mode"] == "RO"


def test_a_drive_that_is_not_unpluggable_stays(pool: Pool) -> None:
    vbd = pool.drive(pool.vm("Running"), pool.vdi(), unpluggable=False)
    pool.call("VBD.plug", vbd)
    assert pool.refused("VBD.unplug", vbd) == ["VBD_NOT_UNPLUGGABLE", vbd.ref]


def test_a_record_that_lacks_a_field_names_it(pool: Pool) -> None:
    record = pool.drive_record(pool.vm("Halted"), pool.vdi())
    del record["qos_algorithm_type"]
    assert pool.refused("VBD.create", record)[0] == "INTERNAL_ERROR"
    assert "qos_algorithm_type" in pool.refused("VBD.create", record)[1]
