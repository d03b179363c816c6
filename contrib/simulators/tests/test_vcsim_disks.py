"""What is on the disks of the simulator of vSphere, and the ways to it."""

from __future__ import annotations

import base64
import hashlib
import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.error import HTTPError

import pytest
from hvsdk_simulators import Running
from pyVmomi import vim
from vcsim_client import Client, connected, done, eventually, fetch, grains, pinned, running

GRAIN = 64 * 1024


@pytest.fixture(scope="module", params=["vcenter", "esxi"])
def server(request: pytest.FixtureRequest) -> Iterator[Running]:
    options: dict[str, Any] = {"esx": True} if request.param == "esxi" else {"hosts": 2}
    with running(domains=20, **options) as started:
        yield started


@pytest.fixture
def client(server: Running) -> Iterator[Client]:
    with connected(server) as made:
        yield made


def virtual_disk(vm: Any) -> Any:
    return next(one for one in vm.config.hardware.device if isinstance(one, vim.vm.device.VirtualDisk))


def export(server: Running, exported: Any) -> bytes:
    lease = exported.ExportVm() if isinstance(exported, vim.VirtualMachine) else exported.ExportSnapshot()
    eventually(lambda: lease.state == "ready")
    stream = fetch(server, lease.info.deviceUrl[0].url.replace("*", "127.0.0.1"))
    lease.HttpNfcLeaseComplete()
    return stream


def test_an_export_has_the_bytes_of_the_disk(server: Running, client: Client) -> None:
    vm = client.vms("poweredOff")[0]
    uuid = vm.config.instanceUuid
    written = hashlib.sha256(b"guest").digest() * 2048
    told = server.act("disk", vm=uuid, write=base64.b64encode(written).decode(), offset=5 * GRAIN)
    lease = vm.ExportVm()
    eventually(lambda: lease.state == "ready")
    (device,) = lease.info.deviceUrl
    url = device.url.replace("*", "127.0.0.1")
    content = grains(fetch(server, url))
    assert content[5 * GRAIN] == written
    assert {str(place): hashlib.sha256(data).hexdigest() for place, data in content.items()} == told["grains"]
    lease.HttpNfcLeaseProgress(50)
    assert lease.HttpNfcLeaseGetManifest()[0].capacity == told["virtual_size"]
    lease.HttpNfcLeaseComplete()
    with pytest.raises(HTTPError, match="404") as gone:
        fetch(server, url)
    gone.value.close()


def test_a_running_virtual_machine_cannot_be_exported(client: Client) -> None:
    with pytest.raises(vim.fault.InvalidPowerState):
        client.vms("poweredOn")[0].ExportVm()


def test_an_import_keeps_what_it_is_given(server: Running, client: Client) -> None:
    vm = client.vms("poweredOff")[0]
    stream = export(server, vm)
    change = vim.vm.device.VirtualDeviceSpec
    controller = vim.vm.device.ParaVirtualSCSIController(key=-1, busNumber=0, sharedBus="noSharing")
    disk = vim.vm.device.VirtualDisk(
        key=-2,
        controllerKey=-1,
        unitNumber=0,
        capacityInKB=virtual_disk(vm).capacityInKB,
        backing=vim.vm.device.VirtualDisk.FlatVer2BackingInfo(diskMode="persistent", fileName=""),
    )
    config = vim.vm.ConfigSpec(
        name="imported",
        files=vim.vm.FileInfo(vmPathName="[LocalDS_0]"),
        deviceChange=[
            change(operation="add", device=controller),
            change(operation="add", fileOperation="create", device=disk),
        ],
    )
    lease = vm.resourcePool.ImportVApp(vim.vm.VmImportSpec(configSpec=config), vm.parent)
    eventually(lambda: lease.state == "ready")
    url = next(one.url for one in lease.info.deviceUrl if one.disk).replace("*", "127.0.0.1")
    upload = urllib.request.Request(url, data=stream, method="PUT")
    with urllib.request.urlopen(upload, context=pinned(server), timeout=30) as answer:
        assert answer.status == 200
    assert lease.HttpNfcLeaseGetManifest()[0].size == len(stream)
    imported = lease.info.entity
    lease.HttpNfcLeaseComplete()
    told = [server.act("disk", vm=one.config.instanceUuid)["grains"] for one in (vm, imported)]
    assert told[0] == told[1]
    done(imported.Destroy_Task())


def test_a_part_of_a_disk_can_be_read_from_its_datastore(server: Running, client: Client) -> None:
    vm = client.vms("poweredOff")[-1]
    datastore, path = virtual_disk(vm).backing.fileName.removeprefix("[").split("] ")
    center = "ha-datacenter" if client.content.about.apiType == "HostAgent" else "DC0"
    url = f"https://127.0.0.1:{server.members[0]['port']}/folder/{path.replace('.vmdk', '-flat.vmdk')}"
    cookie = client.stub.cookie.split(";")[0]
    first = fetch(server, f"{url}?dcPath={center}&dsName={datastore}", Cookie=cookie, Range=f"bytes=0-{GRAIN - 1}")
    told = server.act("disk", vm=vm.config.instanceUuid)["grains"]
    assert hashlib.sha256(first).hexdigest() == told["0"]


def test_a_snapshot_holds_what_the_disk_was(server: Running, client: Client) -> None:
    vm = client.vms("poweredOn")[0]
    uuid = vm.config.instanceUuid
    before = server.act("disk", vm=uuid)["grains"]
    snapshot = done(vm.CreateSnapshot_Task("before", "", False, False))
    server.act("disk", vm=uuid, write=base64.b64encode(b"later").decode())
    assert server.act("disk", vm=uuid)["grains"] != before
    held = grains(export(server, snapshot))
    assert {str(place): hashlib.sha256(data).hexdigest() for place, data in held.items()} == before
    done(snapshot.RevertToSnapshot_Task())
    assert server.act("disk", vm=uuid)["grains"] == before
    done(vm.RemoveAllSnapshots_Task())


@pytest.mark.parametrize(("memory", "state"), [(True, "poweredOn"), (False, "poweredOff")])
def test_a_revert_restores_hardware_and_power_state(client: Client, memory: bool, state: str) -> None:
    vm = client.vms("poweredOff")[0]
    processors = vm.config.hardware.numCPU
    done(vm.PowerOnVM_Task())
    done(vm.CreateSnapshot_Task("before", "", memory, False))
    assert vm.snapshot.rootSnapshotList[0].state == state
    done(vm.PowerOffVM_Task())
    done(vm.ReconfigVM_Task(vim.vm.ConfigSpec(numCPUs=processors + 1, annotation="changed")))
    done(vm.RevertToCurrentSnapshot_Task())
    assert vm.runtime.powerState == state
    assert (vm.config.hardware.numCPU, vm.summary.config.numCpu) == (processors, processors)
    assert vm.config.annotation != "changed"
    if state == "poweredOn":
        done(vm.PowerOffVM_Task())
    done(vm.RemoveAllSnapshots_Task())


def test_disks_that_no_machine_has_tell_their_size(client: Client) -> None:
    center = client.content.rootFolder.childEntity[0]
    store = center.datastore[0]
    disks = client.content.virtualDiskManager
    client.content.fileManager.MakeDirectory(f"[{store.name}] sizes", center, False)
    for kind in ("thin", "preallocated"):
        spec = vim.VirtualDiskManager.FileBackedVirtualDiskSpec(diskType=kind, adapterType="lsiLogic", capacityKb=8192)
        done(disks.CreateVirtualDisk_Task(f"[{store.name}] sizes/{kind}.vmdk", center, spec))
    browser = vim.host.DatastoreBrowser
    details = browser.VmDiskQuery.Details(
        diskType=True, capacityKb=True, hardwareVersion=False, controllerType=False, diskExtents=False, thin=True
    )
    wish = browser.SearchSpec(
        query=[browser.VmDiskQuery(details=details)],
        details=browser.FileInfo.Details(fileType=True, fileSize=True, modification=False, fileOwner=False),
        matchPattern=["*.vmdk"],
    )
    found = done(store.browser.SearchDatastore_Task(f"[{store.name}] sizes", wish)).file
    assert [(one.path, one.capacityKb, one.thin) for one in found] == [
        ("preallocated.vmdk", 8192, False),
        ("thin.vmdk", 8192, True),
    ]
    for one in done(store.browser.SearchDatastoreSubFolders_Task(f"[{store.name}]", wish)):
        assert all(disk.capacityKb for disk in one.file)
    spec = vim.VirtualDiskManager.FileBackedVirtualDiskSpec(diskType="thin", adapterType="lsiLogic", capacityKb=1)
    with pytest.raises(vim.fault.FileAlreadyExists):
        done(disks.CreateVirtualDisk_Task(f"[{store.name}] sizes/thin.vmdk", center, spec))
