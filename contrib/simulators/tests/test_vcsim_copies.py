"""Disks of the simulator of vSphere that are copied, moved and extended keep what they have in them."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import pytest
from hvsdk_simulators import Running
from pyVmomi import vim, vmodl
from vcsim_client import Client, connected, done, running

MIB = 1 << 20


@pytest.fixture(scope="module", params=["vcenter", "esxi"])
def server(request: pytest.FixtureRequest) -> Iterator[Running]:
    options: dict[str, Any] = {"esx": True} if request.param == "esxi" else {"hosts": 1}
    with running(domains=12, **options) as started:
        yield started


@pytest.fixture
def client(server: Running) -> Iterator[Client]:
    with connected(server) as made:
        yield made


@pytest.fixture
def folder(client: Client, request: pytest.FixtureRequest) -> str:
    """A directory of the test's own."""
    made = f"[LocalDS_0] {request.node.originalname}"
    client.content.fileManager.MakeDirectory(made, center_of(client), False)
    return made


def center_of(client: Client) -> Any:
    return client.content.rootFolder.childEntity[0]


def disks_of(vm: Any) -> list[Any]:
    return [one for one in vm.config.hardware.device if isinstance(one, vim.vm.device.VirtualDisk)]


def attach(vm: Any, path: str, capacity: int) -> None:
    (first, *_) = disks_of(vm)
    disk = vim.vm.device.VirtualDisk(
        key=-1,
        controllerKey=first.controllerKey,
        unitNumber=max(one.unitNumber for one in disks_of(vm)) + 1,
        backing=vim.vm.device.VirtualDisk.FlatVer2BackingInfo(fileName=path, diskMode="persistent"),
        capacityInKB=capacity,
    )
    change = vim.vm.device.VirtualDeviceSpec(operation="add", device=disk)
    done(vm.ReconfigVM_Task(vim.vm.ConfigSpec(deviceChange=[change])))


def test_a_copy_has_the_content_wherever_it_goes(server: Running, client: Client, folder: str) -> None:
    vm, center, disks = client.vms("poweredOff")[0], center_of(client), client.content.virtualDiskManager
    (disk,) = disks_of(vm)
    copy, moved = f"{folder}/copy.vmdk", f"{folder}/moved.vmdk"
    done(disks.CopyVirtualDisk_Task(disk.backing.fileName, center, copy, center, None, False))
    server.act("disk", vm=vm._moId, write=base64.b64encode(b"later").decode(), offset=MIB)
    done(disks.MoveVirtualDisk_Task(copy, center, moved, center, False))
    size = disk.capacityInKB + 1024
    done(disks.ExtendVirtualDisk_Task(moved, center, size, False))
    attach(vm, moved, size)
    try:
        told = [server.act("disk", vm=vm._moId, disk=number) for number in range(2)]
        assert told[1]["virtual_size"] == size * 1024
        assert len(told[1]["grains"]) > 10
        later = told[0]["grains"].pop(str(MIB))
        assert told[1]["grains"].pop(str(MIB), None) != later
        assert told[0]["grains"] == told[1]["grains"]
        with pytest.raises(vim.fault.FileNotFound):
            done(disks.CopyVirtualDisk_Task(copy, center, f"{folder}/again.vmdk", center, None, False))
    finally:
        change = vim.vm.device.VirtualDeviceSpec(operation="remove", device=disks_of(vm)[1])
        done(vm.ReconfigVM_Task(vim.vm.ConfigSpec(deviceChange=[change])))


def test_a_copy_is_as_thin_as_it_is_asked_to_be(client: Client, folder: str) -> None:
    vm, center, disks = client.vms()[1], center_of(client), client.content.virtualDiskManager
    (disk,) = disks_of(vm)
    for kind in ("thin", "preallocated"):
        wish = vim.VirtualDiskManager.VirtualDiskSpec(diskType=kind, adapterType="lsiLogic")
        done(disks.CopyVirtualDisk_Task(disk.backing.fileName, center, f"{folder}/{kind}.vmdk", center, wish, False))
    browser = vim.host.DatastoreBrowser
    details = browser.VmDiskQuery.Details(
        diskType=True, capacityKb=True, hardwareVersion=False, controllerType=False, diskExtents=False, thin=True
    )
    search = browser.SearchSpec(
        query=[browser.VmDiskQuery(details=details)],
        details=browser.FileInfo.Details(fileType=True, fileSize=True, modification=False, fileOwner=False),
    )
    store = next(one for one in client.all(vim.Datastore) if one.name == "LocalDS_0")
    found = done(store.browser.SearchDatastore_Task(folder, search)).file
    assert [(one.path, one.capacityKb, one.thin) for one in found] == [
        ("preallocated.vmdk", disk.capacityInKB, False),
        ("thin.vmdk", disk.capacityInKB, True),
    ]
    assert all(0 < one.fileSize < 32 * MIB for one in found)


def test_what_cannot_be_copied_leaves_nothing(client: Client, folder: str) -> None:
    vm, center, disks = client.vms()[2], center_of(client), client.content.virtualDiskManager
    (disk,) = disks_of(vm)
    source, copy = disk.backing.fileName, f"{folder}/copy.vmdk"
    with pytest.raises(vim.fault.FileNotFound):
        done(disks.CopyVirtualDisk_Task(source, center, f"{folder}/nowhere/copy.vmdk", center, None, False))
    done(disks.CopyVirtualDisk_Task(source, center, copy, center, None, False))
    for call in (
        lambda: disks.CopyVirtualDisk_Task(source, center, copy, center, None, False),
        lambda: disks.MoveVirtualDisk_Task(copy, center, source, center, False),
    ):
        with pytest.raises(vim.fault.FileAlreadyExists):
            done(call())
    with pytest.raises(vmodl.fault.InvalidArgument):
        done(disks.ExtendVirtualDisk_Task(copy, center, 1024, False))
    with pytest.raises(vim.fault.InvalidDatastorePath):
        done(disks.CopyVirtualDisk_Task(source, center, "[nowhere] copy.vmdk", center, None, False))


def test_a_disk_in_the_place_of_another_begins_empty(server: Running, client: Client, folder: str) -> None:
    vm, center, disks = client.vms()[3], center_of(client), client.content.virtualDiskManager
    (disk,) = disks_of(vm)
    path = f"{folder}/one.vmdk"
    done(disks.CopyVirtualDisk_Task(disk.backing.fileName, center, path, center, None, False))
    done(disks.DeleteVirtualDisk_Task(path, center))
    spec = vim.VirtualDiskManager.FileBackedVirtualDiskSpec(
        diskType="thin", adapterType="lsiLogic", capacityKb=disk.capacityInKB
    )
    done(disks.CreateVirtualDisk_Task(path, center, spec))
    attach(vm, path, disk.capacityInKB)
    assert server.act("disk", vm=vm._moId, disk=1)["grains"] == {}
