"""Making VMs: from nothing, from templates, as clones and copies; and deleting them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hvsdk_simulators.xapi.call import Call
from hvsdk_simulators.xapi.database import NULL, Object
from hvsdk_simulators.xapi.units import GIB
from hvsdk_simulators.xapi.vm import Guest
from vm_pool import Pool, refused


@pytest.fixture
def pool() -> Iterator[Pool]:
    with Pool() as made:
        yield made


def macs(pool: Pool, vm: Object) -> list[str]:
    return [pool.world.db.get("VIF", ref)["MAC"] for ref in vm["VIFs"]]


def default_template(pool: Pool, name: str = "Debian Bookworm 12") -> Object:
    return next(vm for vm in pool.world.db.all("VM") if vm["name_label"] == name)


def test_a_clone_shares_the_content_and_lives_beside_its_original(pool: Pool) -> None:
    vm = pool.vm(disks=2)
    pool.world.storage.disk(pool.disks(vm)[0]).write(0, b"shared")
    made = pool.call("VM.clone", vm, "twin")
    assert (made["name_label"], made["power_state"], made["is_a_template"]) == ("twin", "Halted", False)
    assert made["uuid"] != vm["uuid"]
    assert [disk["SR"] for disk in pool.disks(made)] == [disk["SR"] for disk in pool.disks(vm)]
    assert not {disk.ref for disk in pool.disks(made)} & {disk.ref for disk in pool.disks(vm)}
    assert pool.world.storage.disk(pool.disks(made)[0]).read(0, 6) == b"shared"
    assert macs(pool, made) != macs(pool, vm)
    assert made["blocked_operations"] == {}


def test_a_copy_puts_its_disks_where_it_is_told(pool: Pool) -> None:
    vm = pool.vm(disks=2)
    pool.world.storage.disk(pool.disks(vm)[1]).write(512, b"copied")
    made = pool.call("VM.copy", vm, "twin", pool.other)
    assert {disk["SR"] for disk in pool.disks(made)} == {pool.other.ref}
    assert pool.world.storage.disk(pool.disks(made)[1]).read(512, 6) == b"copied"
    beside = pool.call("VM.copy", vm, "twin", None)
    assert [disk["SR"] for disk in pool.disks(beside)] == [disk["SR"] for disk in pool.disks(vm)]


def test_a_call_tells_its_task_how_far_it_is(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[float] = []
    monkeypatch.setattr(Call, "progress", lambda _call, share: told.append(share))
    pool.call("VM.copy", pool.vm(disks=3, cd=False), "twin", None)
    assert told == sorted(set(told))
    assert len(told) >= 3
    assert told[-1] == 1.0


def test_a_copy_that_finds_no_room_leaves_nothing(pool: Pool) -> None:
    vm = pool.vm(disks=2)
    disks, vms = pool.disk_count(), pool.world.db.count("VM")
    pool.world.db.update(pool.local, physical_size=GIB + GIB // 2, physical_utilisation=GIB)
    with refused("SR_FULL"):
        pool.call("VM.copy", vm, "twin", pool.local)
    assert (pool.disk_count(), pool.world.db.count("VM")) == (disks, vms)
    assert vm["current_operations"] == {}


def test_clones_and_exports_run_side_by_side(pool: Pool) -> None:
    vm = pool.vm()
    pool.world.db.update(vm, current_operations={"OpaqueRef:other": "export"})
    pool.call("VM.clone", vm, "twin")
    with refused("OTHER_OPERATION_IN_PROGRESS", "VM.export", vm.ref):
        pool.call("VM.start", vm, False, False)


def test_a_vm_from_a_template_has_the_disks_that_the_template_asks_for(pool: Pool) -> None:
    template = default_template(pool)
    made = pool.call("VM.clone", template, "new")
    assert made["is_a_template"]
    assert not made["is_default_template"]
    assert "default_template" not in made["other_config"]
    pool.call("VM.provision", made)
    assert not made["is_a_template"]
    (disk,) = pool.disks(made)
    assert (disk["virtual_size"], disk["SR"]) == (10 * GIB, pool.world.pool["default_SR"])
    (vbd,) = (pool.world.db.get("VBD", ref) for ref in made["VBDs"])
    assert (vbd["userdevice"], vbd["bootable"], vbd["other_config"]) == ("0", True, {"owner": ""})
    assert "disks" not in made["other_config"]
    assert made["other_config"]["base_template_name"] == template["name_label"]
    pool.call("VM.start", made, False, False)


def test_disks_are_made_in_the_sr_that_the_xml_names(pool: Pool) -> None:
    made = pool.call("VM.clone", default_template(pool), "new")
    xml = (
        f'<provision><disk device="1" size="{GIB}" sr="{pool.other["uuid"]}" bootable="false" type="user"/></provision>'
    )
    pool.world.db.update(made, other_config=made["other_config"] | {"disks": xml})
    pool.call("VM.provision", made)
    (disk,) = pool.disks(made)
    assert (disk["SR"], disk["type"], disk["virtual_size"]) == (pool.other.ref, "user", GIB)


def test_provisioning_without_a_default_sr_says_so_and_leaves_a_template(pool: Pool) -> None:
    made = pool.call("VM.clone", default_template(pool), "new")
    pool.world.db.update(pool.world.pool, default_SR=NULL)
    with refused("DEFAULT_SR_NOT_FOUND", NULL):
        pool.call("VM.provision", made)
    assert made["is_a_template"]
    assert pool.disks(made) == []


def test_a_provision_that_finds_no_room_leaves_no_disks(pool: Pool) -> None:
    made = pool.call("VM.clone", default_template(pool), "new")
    sr = pool.local["uuid"]
    xml = (
        f'<provision><disk device="0" size="{GIB}" sr="{sr}"/><disk device="1" size="{10**16}" sr="{sr}"/></provision>'
    )
    pool.world.db.update(made, other_config=made["other_config"] | {"disks": xml})
    before = pool.disk_count()
    with refused("SR_FULL"):
        pool.call("VM.provision", made)
    assert pool.disk_count() == before


def test_a_vm_is_made_from_a_record_and_its_numbers_are_looked_at_when_it_starts(pool: Pool) -> None:
    made = pool.call("VM.create", {"name_label": "new", "memory_static_max": GIB, "HVM_boot_policy": "BIOS order"})
    assert (made["power_state"], made["domain_type"], made["is_a_template"]) == ("Halted", "hvm", False)
    assert made["memory_overhead"] > 0
    assert len(made["other_config"]["mac_seed"]) == 32
    with refused("INVALID_VALUE", "VCPUs_max", "0"):
        pool.call("VM.start_on", made, pool.hosts[0], False, False)


def test_a_vm_is_made_from_the_whole_record_of_another(pool: Pool) -> None:
    vm = pool.vm("Running")
    made = pool.call("VM.create", dict(vm.fields))
    assert made["uuid"] != vm["uuid"]
    assert (made["power_state"], made["domid"], made["VBDs"], made["snapshots"]) == ("Halted", -1, [], [])
    assert made["name_label"] == vm["name_label"]


def test_a_template_is_made_of_a_halted_vm_and_back(pool: Pool) -> None:
    vm = pool.vm()
    pool.call("VM.set_is_a_template", vm, True)
    assert (vm["is_a_template"], vm["metrics"]) == (True, NULL)
    pool.call("VM.set_is_a_template", vm, False)
    assert not vm["is_a_template"]
    assert vm["metrics"] != NULL
    running = pool.vm("Running")
    with refused("VM_BAD_POWER_STATE", running.ref, "halted", "running"):
        pool.call("VM.set_is_a_template", running, True)


def test_deleting_a_vm_leaves_its_disks_and_snapshots(pool: Pool) -> None:
    vm = pool.vm(guest=Guest(boot_seconds=0.0))
    taken = pool.call("VM.snapshot", vm, "before")
    disks = pool.disks(vm)
    devices = [*vm["VBDs"], *vm["VIFs"], vm["metrics"]]
    pool.call("VM.destroy", vm)
    known = {obj.ref for cls in ("VM", "VBD", "VIF", "VM_metrics") for obj in pool.world.db.all(cls)}
    assert not known & {vm.ref, *devices}
    assert all(pool.world.db.lookup("VDI", disk.ref) is not None for disk in disks)
    assert taken.ref in known
    with refused("HANDLE_INVALID", "VM", vm.ref):
        pool.world.db.get("VM", vm.ref)


def test_blobs_belong_to_a_vm_and_go_with_it(pool: Pool) -> None:
    vm = pool.vm()
    blob = pool.call("VM.create_new_blob", vm, "icon", "image/png", False)
    assert vm["blobs"] == {"icon": blob.ref}
    with refused("MAP_DUPLICATE_KEY", "VM", "blobs", vm["uuid"], "icon"):
        pool.call("VM.create_new_blob", vm, "icon", "", True)
    pool.call("VM.destroy", vm)
    assert pool.world.db.lookup("blob", blob.ref) is None
