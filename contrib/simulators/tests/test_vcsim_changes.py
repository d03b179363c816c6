"""Changed blocks of the simulator of vSphere."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hvsdk_simulators import Running
from pyVmomi import vim, vmodl
from vcsim_client import Client, connected, done, running


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with running(domains=16, hosts=1) as started:
        yield started


@pytest.fixture
def client(server: Running) -> Iterator[Client]:
    with connected(server) as made:
        yield made


def off(client: Client) -> Any:
    """A virtual machine that is off, has no snapshots and does not track changes."""
    found = client.vms("poweredOff")
    return next(vm for vm in found if vm.snapshot is None and not vm.config.changeTrackingEnabled)


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


def test_all_that_is_on_a_disk_can_be_asked_for(server: Running, client: Client) -> None:
    vm = off(client)
    done(vm.ReconfigVM_Task(vim.vm.ConfigSpec(changeTrackingEnabled=True)))
    (disk,) = [one for one in vm.config.hardware.device if isinstance(one, vim.vm.device.VirtualDisk)]
    wanted = {int(place) for place in server.act("disk", vm=vm._moId)["grains"]}
    part = vm.QueryChangedDiskAreas(None, disk.key, 0, "*")
    assert {area.start for area in part.changedArea} == {place for place in wanted if place < part.length}
    end = disk.capacityInBytes - (4 << 20)
    part = vm.QueryChangedDiskAreas(None, disk.key, end, "*")
    assert part.startOffset + part.length == disk.capacityInBytes
    assert {area.start for area in part.changedArea} == {place for place in wanted if place >= end}


def test_ids_of_changes_end_with_their_tracking(client: Client) -> None:
    vm = off(client)
    done(vm.ReconfigVM_Task(vim.vm.ConfigSpec(changeTrackingEnabled=True)))
    key = next(one.key for one in vm.config.hardware.device if isinstance(one, vim.vm.device.VirtualDisk))

    def change_id() -> Any:
        done(vm.CreateSnapshot_Task("one", "", False, False))
        devices = vm.snapshot.currentSnapshot.config.hardware.device
        return next(one.backing.changeId for one in devices if one.key == key)

    first, second = change_id(), change_id()
    assert re.fullmatch(r"([0-9a-f]{2} ){7}[0-9a-f]{2}-([0-9a-f]{2} ){7}[0-9a-f]{2}/\d+", first)
    assert first.partition("/")[0] == second.partition("/")[0]
    done(vm.RemoveAllSnapshots_Task())
    assert vm.QueryChangedDiskAreas(None, key, 0, first).changedArea == []
    third = change_id()
    done(vm.RevertToCurrentSnapshot_Task())
    for gone in (first, third):
        with pytest.raises(vim.fault.FileFault):
            vm.QueryChangedDiskAreas(None, key, 0, gone)
    assert change_id().partition("/")[0] != first.partition("/")[0]
