"""Leases of the simulator of vSphere: how they end, and what stays of an import that does not succeed."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable, Iterator
from typing import Any
from urllib.error import HTTPError

import pytest
from hvsdk_simulators import Running
from pyVmomi import vim
from vcsim_client import Client, connected, done, eventually, fetch, pinned, running


@pytest.fixture(scope="module", params=["vcenter", "esxi"])
def server(request: pytest.FixtureRequest) -> Iterator[Running]:
    options: dict[str, Any] = {"esx": True} if request.param == "esxi" else {"hosts": 2}
    with running(domains=6, **options) as started:
        yield started


@pytest.fixture
def client(server: Running) -> Iterator[Client]:
    with connected(server) as made:
        yield made


@pytest.fixture
def short(server: Running) -> Iterator[Callable[[], Any]]:
    """Leases that are made meanwhile last a second."""
    server.act("lease", seconds=1)
    yield
    server.act("lease", seconds=300)


def begin(client: Client, name: str) -> Any:
    """Begin the import of a machine with a disk of 16 MiB."""
    change = vim.vm.device.VirtualDeviceSpec
    controller = vim.vm.device.ParaVirtualSCSIController(key=-1, busNumber=0, sharedBus="noSharing")
    backing = vim.vm.device.VirtualDisk.FlatVer2BackingInfo(diskMode="persistent", fileName="", thinProvisioned=True)
    disk = vim.vm.device.VirtualDisk(key=-2, controllerKey=-1, unitNumber=0, capacityInKB=1 << 14, backing=backing)
    config = vim.vm.ConfigSpec(
        name=name,
        files=vim.vm.FileInfo(vmPathName="[LocalDS_0]"),
        deviceChange=[
            change(operation="add", device=controller),
            change(operation="add", fileOperation="create", device=disk),
        ],
    )
    vm = client.vms()[0]
    lease = vm.resourcePool.ImportVApp(vim.vm.VmImportSpec(configSpec=config), vm.parent)
    eventually(lambda: lease.state == "ready")
    return lease


def files(client: Client, directory: str) -> list[str]:
    datastore = next(one for one in client.all(vim.Datastore) if one.name == "LocalDS_0")
    found = done(datastore.browser.SearchDatastore_Task("[LocalDS_0]")).file
    return [one.path for one in found if one.path.startswith(directory)]


def names(client: Client) -> list[str]:
    return [one.name for one in client.all(vim.VirtualMachine)]


def test_an_import_that_is_aborted_leaves_nothing(client: Client) -> None:
    lease = begin(client, "given up")
    assert ("given up" in names(client), files(client, "given up")) == (True, ["given up"])
    lease.HttpNfcLeaseAbort()
    assert ("given up" in names(client), files(client, "given up")) == (False, [])


@pytest.mark.usefixtures("short")
def test_an_import_that_nobody_keeps_runs_out(client: Client) -> None:
    lease = begin(client, "forgotten")
    assert lease.info.leaseTimeout == 1
    eventually(lambda: lease.state == "error")
    assert isinstance(lease.error, vim.fault.Timedout)
    eventually(lambda: "forgotten" not in names(client))
    with pytest.raises(vim.fault.Timedout):
        lease.HttpNfcLeaseProgress(10)
    with pytest.raises(vim.fault.InvalidState):
        lease.HttpNfcLeaseComplete()


@pytest.mark.usefixtures("short")
def test_an_export_that_nobody_keeps_runs_out(client: Client) -> None:
    lease = client.vms("poweredOff")[0].ExportVm()
    eventually(lambda: lease.state == "error")
    assert isinstance(lease.error, vim.fault.Timedout)


def test_what_is_no_disk_fails_an_import(server: Running, client: Client) -> None:
    lease = begin(client, "broken")
    (device,) = lease.info.deviceUrl
    assert device.sslThumbprint.count(":") == 19
    upload = urllib.request.Request(device.url.replace("*", "127.0.0.1"), data=b"no disk" * 1000, method="POST")
    with pytest.raises(HTTPError, match="500") as refused:
        urllib.request.urlopen(upload, context=pinned(server), timeout=30)
    refused.value.close()
    assert lease.state == "error"
    assert "broken" not in names(client)


def test_what_is_being_exported_is_not_altered_meanwhile(client: Client) -> None:
    vm = client.vms("poweredOff")[1]
    lease = vm.ExportVm()
    eventually(lambda: lease.state == "ready")
    for call in (
        vm.ExportVm,
        vm.PowerOnVM_Task,
        vm.Destroy_Task,
        lambda: vm.ReconfigVM_Task(vim.vm.ConfigSpec(annotation="changed")),
    ):
        with pytest.raises(vim.fault.TaskInProgress) as refused:
            call()
        assert refused.value.task.info.state == "running"
    client.vms("poweredOff")[0].ExportVm().HttpNfcLeaseAbort()
    lease.HttpNfcLeaseComplete()
    assert refused.value.task.info.state == "success"
    done(vm.PowerOnVM_Task())
    done(vm.PowerOffVM_Task())


@pytest.mark.usefixtures("short")
def test_an_export_that_runs_out_or_whose_client_is_gone_holds_nobody(server: Running, client: Client) -> None:
    vm = client.vms("poweredOff")[1]
    lease = vm.ExportVm()
    eventually(lambda: lease.state == "error")
    server.act("lease", seconds=300)
    with connected(server) as other:
        vim.VirtualMachine(vm._moId, other.stub).ExportVm()
        other.content.sessionManager.Logout()
    vm.ExportVm().HttpNfcLeaseAbort()


def test_a_disk_of_another_capacity_fails_an_import(server: Running, client: Client) -> None:
    vm = client.vms("poweredOff")[1]
    export = vm.ExportVm()
    eventually(lambda: export.state == "ready")
    stream = fetch(server, export.info.deviceUrl[0].url.replace("*", "127.0.0.1"))
    export.HttpNfcLeaseComplete()
    lease = begin(client, "larger")
    url = lease.info.deviceUrl[0].url.replace("*", "127.0.0.1")
    upload = urllib.request.Request(url, data=stream, method="POST")
    with pytest.raises(HTTPError, match="500") as refused:
        urllib.request.urlopen(upload, context=pinned(server), timeout=30)
    refused.value.close()
    assert lease.state == "error"
    assert "larger" not in names(client)


def test_exports_can_be_made_to_lead_elsewhere(server: Running, client: Client) -> None:
    def export() -> Any:
        lease = client.vms("poweredOff")[0].ExportVm()
        eventually(lambda: lease.state == "ready")
        (disk, *_) = lease.info.deviceUrl
        lease.HttpNfcLeaseAbort()
        return disk

    true = export()
    server.act("lease-address", server="esx.example:1", thumbprint="AB:CD")
    try:
        assert export().url.startswith("https://esx.example:1/nfc/")
        assert export().sslThumbprint == "AB:CD"
    finally:
        server.act("lease-address")
    again = export()
    assert again.url.partition("/nfc/")[0] == true.url.partition("/nfc/")[0]
    assert again.sslThumbprint == true.sslThumbprint
