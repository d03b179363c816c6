"""Figures that the simulator of vSphere tells of virtual machines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hvsdk_simulators import Running
from pyVmomi import vim, vmodl
from vcsim_client import Client, connected, running

Performance = vim.PerformanceManager


@pytest.fixture(scope="module", params=["vcenter", "esxi"])
def server(request: pytest.FixtureRequest) -> Iterator[Running]:
    with running(domains=10, **({"esx": True} if request.param == "esxi" else {})) as started:
        yield started


@pytest.fixture
def client(server: Running) -> Iterator[Client]:
    with connected(server) as made:
        yield made


def asked(client: Client, vm: Any, *names: str, **more: Any) -> Any:
    """Return what is measured by these counters of all devices."""
    manager: Any = client.content.perfManager
    ids = {f"{one.groupInfo.key}.{one.nameInfo.key}.{one.rollupType}": one.key for one in manager.perfCounter}
    wanted = [Performance.MetricId(counterId=ids[name], instance="*") for name in names]
    spec = Performance.QuerySpec(entity=vm, maxSample=1, intervalId=20, metricId=wanted, **more)
    (found,) = manager.QueryPerf([spec])
    return found


def test_each_device_has_figures_of_its_own(client: Client) -> None:
    vm = client.vms("poweredOn")[0]
    found = asked(client, vm, "virtualDisk.read.average", "net.bytesRx.average", "cpu.usage.average")
    cards = [str(one.key) for one in vm.config.hardware.device if isinstance(one, vim.vm.device.VirtualEthernetCard)]
    assert [row.id.instance for row in found.value] == ["scsi0:0", "", *cards, ""]


@pytest.mark.parametrize("form", ["normal", "csv"])
def test_what_does_not_run_has_none(client: Client, form: str) -> None:
    found = asked(client, client.vms("poweredOff")[0], "cpu.usage.average", format=form)
    assert not found.value
    assert not (found.sampleInfoCSV if form == "csv" else found.sampleInfo)


@pytest.mark.parametrize("form", ["normal", "csv"])
def test_figures_can_be_chosen(server: Running, client: Client, form: str) -> None:
    vm = client.vms("poweredOn")[0]
    server.act("figures", vm=vm._moId, values={"cpu.usage.average": 42})
    told = asked(client, vm, "cpu.usage.average", format=form).value[0].value
    assert told == ("42" if form == "csv" else [42])
    server.act("figures", vm=vm._moId, values={})
    assert not asked(client, vm, "cpu.usage.average", format=form).value
    server.act("figures", vm=vm._moId, values=None)
    assert asked(client, vm, "cpu.usage.average", format=form).value


def test_an_object_that_is_not_there_has_none(client: Client) -> None:
    with pytest.raises(vmodl.fault.ManagedObjectNotFound) as caught:
        asked(client, vim.VirtualMachine("vm-99999", client.stub), "cpu.usage.average")
    assert caught.value.obj._moId == "vm-99999"
