"""Snapshots, templates and clones of the simulator of vSphere, where its library does less than the product."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import pytest
from hvsdk_simulators import Running
from pyVmomi import vim, vmodl
from vcsim_client import Client, connected, done, running


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with running(domains=12, hosts=1) as started:
        yield started


@pytest.fixture
def client(server: Running) -> Iterator[Client]:
    with connected(server) as made:
        yield made


def off(client: Client) -> Any:
    """A virtual machine that is off and has no snapshots."""
    return next(vm for vm in client.vms("poweredOff") if vm.snapshot is None and not vm.config.template)


def test_changes_since_a_snapshot_are_told_part_by_part(server: Running, client: Client) -> None:
    vm = off(client)
    done(vm.ReconfigVM_Task(vim.vm.ConfigSpec(changeTrackingEnabled=True)))
    done(vm.CreateSnapshot_Task("one", "", False, False))
    config = vm.snapshot.currentSnapshot.config
    (disk, *_) = [one for one in config.hardware.device if isinstance(one, vim.vm.device.VirtualDisk)]
    change_id = disk.backing.changeId
    assert change_id
    content = base64.b64encode(b"changed").decode()
    server.act("disk", vm=vm._moId, disk=0, write=content, offset=9 << 20)
    first = vm.QueryChangedDiskAreas(None, disk.key, 0, change_id)
    assert (first.startOffset, first.changedArea) == (0, [])
    second = vm.QueryChangedDiskAreas(None, disk.key, first.length, change_id)
    assert [(area.start, area.length) for area in second.changedArea] == [(9 << 20, 64 << 10)]
    with pytest.raises(vim.fault.FileFault):
        vm.QueryChangedDiskAreas(None, disk.key, 0, "somebody/else's")
    with pytest.raises(vmodl.fault.InvalidArgument):
        off(client).QueryChangedDiskAreas(None, disk.key, 0, change_id)


def test_a_revert_rolls_back_the_name(client: Client) -> None:
    vm = off(client)
    name = vm.name
    done(vm.CreateSnapshot_Task("one", "", False, False))
    done(vm.Rename_Task("renamed"))
    done(vm.RevertToCurrentSnapshot_Task())
    assert vm.name == name


def test_saved_memory_goes_on_in_its_boot(server: Running, client: Client) -> None:
    vm = client.vms("poweredOn")[0]
    boots = server.act("guest", vm=vm._moId)["boots"]
    done(vm.SuspendVM_Task())
    done(vm.PowerOnVM_Task())
    assert server.act("guest", vm=vm._moId)["boots"] == boots
    done(vm.ResetVM_Task())
    done(vm.PowerOffVM_Task())
    done(vm.PowerOnVM_Task())
    assert server.act("guest", vm=vm._moId)["boots"] > boots


def test_of_a_template_only_name_and_notes_change(client: Client) -> None:
    vm = off(client)
    vm.MarkAsTemplate()
    done(vm.ReconfigVM_Task(vim.vm.ConfigSpec(annotation="changed")))
    entry = vim.option.OptionValue(key="key", value="value")
    for spec in (vim.vm.ConfigSpec(extraConfig=[entry]), vim.vm.ConfigSpec(numCPUs=2)):
        with pytest.raises(vmodl.fault.NotSupported):
            vm.ReconfigVM_Task(spec)
    vm.MarkAsVirtualMachine(vm.runtime.host.parent.resourcePool, vm.runtime.host)


def test_a_clone_that_is_canceled_ends_when_nothing_is_left_of_it(client: Client) -> None:
    vm = off(client)
    before = {str(one) for one in client.vms()}
    task = vm.CloneVM_Task(
        vm.parent, "canceled", vim.vm.CloneSpec(location=vim.vm.RelocateSpec(), powerOn=False, template=False)
    )
    task.CancelTask()
    with pytest.raises(vmodl.fault.RequestCanceled):
        done(task)
    assert {str(one) for one in client.vms()} == before


def test_a_snapshot_can_be_made_later(server: Running, client: Client) -> None:
    vm = off(client)
    server.fault("CreateSnapshot_Task:task-slow=0.1:1")
    done(vm.CreateSnapshot_Task("one", "", False, False))
    assert vm.snapshot.currentSnapshot is not None
    server.act("unmerged", vm=vm._moId)
    assert vm.runtime.consolidationNeeded
    done(vm.ConsolidateVMDisks_Task())
    assert not vm.runtime.consolidationNeeded
