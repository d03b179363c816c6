"""What only a vCenter server does, among the additions of the simulator of vSphere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hvsdk_simulators import Running
from pyVmomi import vim, vmodl
from vcsim_client import Client, connected, done, eventually, running


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with running(domains=30, hosts=3) as started:
        yield started


@pytest.fixture
def client(server: Running) -> Iterator[Client]:
    with connected(server) as made:
        yield made


def other_host(client: Client, vm: Any) -> Any:
    return next(one for one in client.all(vim.HostSystem) if one != vm.runtime.host)


@pytest.mark.parametrize("way", ["migrate", "relocate"])
def test_a_migrated_machine_is_listed_by_its_new_host_alone(client: Client, way: str) -> None:
    vm = client.vms("poweredOn")[0]
    source, target = vm.runtime.host, other_host(client, vm)
    if way == "migrate":
        done(vm.MigrateVM_Task(host=target, priority="defaultPriority"))
    else:
        done(vm.RelocateVM_Task(vim.vm.RelocateSpec(host=target)))
    assert vm.runtime.host == target
    assert vm.runtime.powerState == "poweredOn"
    assert vm in target.vm
    assert vm not in source.vm


def test_a_host_in_maintenance_takes_nobody(client: Client) -> None:
    vm = client.vms("poweredOff")[0]
    target = other_host(client, vm)
    done(target.EnterMaintenanceMode_Task(0))
    try:
        with pytest.raises(vim.fault.InvalidState):
            vm.MigrateVM_Task(host=target, priority="defaultPriority")
    finally:
        done(target.ExitMaintenanceMode_Task(0))


def test_a_migration_for_another_power_state_is_refused(client: Client) -> None:
    vm = client.vms("poweredOff")[0]
    with pytest.raises(vim.fault.InvalidPowerState):
        vm.MigrateVM_Task(host=other_host(client, vm), priority="defaultPriority", state="poweredOn")


def test_a_clone_has_the_bytes_of_its_original(server: Running, client: Client) -> None:
    vm = client.vms("poweredOff")[0]
    spec = vim.vm.CloneSpec(location=vim.vm.RelocateSpec(), powerOn=False, template=False)
    clone = done(vm.CloneVM_Task(vm.parent, "a-clone", spec))
    disks = [server.act("disk", vm=one.config.instanceUuid)["grains"] for one in (vm, clone)]
    assert len(disks[0]) == 16
    assert disks[0] == disks[1]
    with pytest.raises(vim.fault.DuplicateName):
        done(vm.CloneVM_Task(vm.parent, "a-clone", spec))
    done(clone.Destroy_Task())


def test_a_name_is_taken_within_its_folder_alone(client: Client) -> None:
    vm = client.vms("poweredOff")[0]
    here = next(one for one in vm.parent.childEntity if one != vm)
    with pytest.raises(vim.fault.DuplicateName) as refused:
        vm.Rename_Task(here.name)
    assert refused.value.object == here
    elsewhere = next(one for one in client.vms() if one.parent != vm.parent)
    done(vm.Rename_Task(elsewhere.name))
    assert vm.name == elsewhere.name


def test_there_is_one_template_without_a_pool(client: Client) -> None:
    (template,) = [one for one in client.all(vim.VirtualMachine) if one.config.template]
    assert (template.name, template.resourcePool) == ("template-linux", None)


@pytest.mark.parametrize("name", ["a/b", "50%", "back\\slash"])
def test_special_characters_of_a_name_are_kept_escaped(client: Client, name: str) -> None:
    vm = client.vms()[0]
    spec = vim.vm.ConfigSpec(name=name, files=vim.vm.FileInfo(vmPathName="[LocalDS_0]"))
    made = done(vm.parent.CreateVM_Task(spec, vm.resourcePool))
    escaped = name.replace("%", "%25").replace("/", "%2f").replace("\\", "%5c")
    assert made.name == escaped
    done(made.Destroy_Task())


def test_a_linked_clone_begins_with_what_its_snapshot_holds(server: Running, client: Client) -> None:
    vm = client.vms("poweredOff")[-1]
    uuid = vm.config.instanceUuid
    done(vm.ReconfigVM_Task(vim.vm.ConfigSpec(extraConfig=[vim.option.OptionValue(key="ours", value="kept")])))
    held = server.act("disk", vm=uuid)["grains"]
    snapshot = done(vm.CreateSnapshot_Task("base", "", False, False))
    server.act("disk", vm=uuid, write="bGF0ZXI=")
    where = vim.vm.RelocateSpec(diskMoveType="createNewChildDiskBacking")
    spec = vim.vm.CloneSpec(location=where, powerOn=True, template=False)
    with pytest.raises(vmodl.fault.InvalidArgument):
        vm.CloneVM_Task(vm.parent, "linked", spec)
    spec.snapshot = snapshot
    spec.config = vim.vm.ConfigSpec(numCPUs=3, annotation="a clone")
    clone = done(vm.CloneVM_Task(vm.parent, "linked", spec))
    eventually(lambda: clone.runtime.powerState == "poweredOn")
    assert server.act("disk", vm=clone.config.instanceUuid)["grains"] == held
    assert (clone.config.hardware.numCPU, clone.config.annotation) == (3, "a clone")
    assert "kept" in [one.value for one in clone.config.extraConfig if one.key == "ours"]
    kind = vim.vm.device.VirtualDisk
    disks = [next(one for one in each.config.hardware.device if isinstance(one, kind)) for each in (vm, clone)]
    assert disks[1].backing.parent.fileName == disks[0].backing.parent.fileName, "it lies on the snapshot's disk"
    card = vim.vm.device.VirtualEthernetCard
    cards = [next(one for one in each.config.hardware.device if isinstance(one, card)) for each in (vm, clone)]
    assert cards[0].macAddress != cards[1].macAddress
    done(clone.PowerOffVM_Task())
    done(clone.Destroy_Task())
    done(vm.RemoveAllSnapshots_Task())


def test_disks_go_to_another_datastore_with_what_is_on_them(server: Running, client: Client) -> None:
    vm = client.vms("poweredOn")[0]
    before = server.act("disk", vm=vm.config.instanceUuid)["grains"]
    (source,) = vm.datastore
    target = next(one for one in client.all(vim.Datastore) if one != source)
    done(vm.RelocateVM_Task(vim.vm.RelocateSpec(datastore=target)))
    disk = next(one for one in vm.config.hardware.device if isinstance(one, vim.vm.device.VirtualDisk))
    assert disk.backing.fileName.startswith(f"[{target.name}] ")
    assert list(vm.datastore) == [target]
    assert vm in target.vm
    assert vm not in source.vm
    assert server.act("disk", vm=vm.config.instanceUuid)["grains"] == before
