"""Snapshots, templates and clones of the simulator of vSphere, where its library does less than the product."""

from __future__ import annotations

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


def test_a_template_is_in_no_pool_and_leaves_nothing_in_one(client: Client) -> None:
    vm = off(client)
    top = vm.resourcePool
    shares = vim.ResourceAllocationInfo(
        limit=-1, reservation=0, expandableReservation=True, shares=vim.SharesInfo(level="normal", shares=0)
    )
    pool = top.CreateResourcePool(
        "for templates", vim.ResourceConfigSpec(cpuAllocation=shares, memoryAllocation=shares)
    )
    spec = vim.vm.CloneSpec(location=vim.vm.RelocateSpec(pool=pool), powerOn=False, template=True)
    clone = done(vm.CloneVM_Task(vm.parent, "template", spec))
    assert not pool.vm
    clone.MarkAsVirtualMachine(pool)
    assert list(pool.vm) == [clone]
    clone.MarkAsTemplate()
    clone.MarkAsVirtualMachine(top, clone.runtime.host)
    assert not pool.vm
    assert clone in top.vm
    done(clone.Destroy_Task())
    assert clone not in client.content.viewManager.CreateContainerView(client.content.rootFolder, [], True).view


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
