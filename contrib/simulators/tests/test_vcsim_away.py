"""Virtual machines that move from one simulated vCenter to another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hvsdk_simulators import Running
from pyVmomi import vim, vmodl
from vcsim_client import Client, connected, done, running


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[Running, Running]]:
    with running(domains=10) as here, running(domains=2, seed=5, password="another") as there:
        yield here, there


@pytest.fixture
def here(servers: tuple[Running, Running]) -> Iterator[Client]:
    with connected(servers[0]) as made:
        yield made


@pytest.fixture
def there(servers: tuple[Running, Running]) -> Iterator[Client]:
    with connected(servers[1]) as made:
        yield made


def place(server: Running, there: Client, thumbprint: str, **more: Any) -> Any:
    center = there.all(vim.Datacenter)[0]
    host = there.all(vim.HostSystem)[0]
    service = {
        "instanceUuid": there.content.about.instanceUuid,
        "url": f"https://127.0.0.1:{server.members[0]['port']}/sdk",
        "credential": vim.ServiceLocator.NamePassword(username=server.username, password=server.password),
        "sslThumbprint": thumbprint,
    }
    return vim.vm.RelocateSpec(
        folder=center.vmFolder,
        pool=host.parent.resourcePool,
        host=host,
        datastore=host.datastore[0],
        service=vim.ServiceLocator(**service | more),
    )


def thumbprint_of(there: Client) -> str:
    vm = there.vms("poweredOn") or there.vms()
    if vm[0].runtime.powerState != "poweredOn":
        done(vm[0].PowerOnVM_Task())
    return str(vm[0].AcquireTicket("webmks").sslThumbprint)


@pytest.mark.parametrize("state", ["poweredOn", "poweredOff"])
def test_a_machine_is_there_and_not_here(
    servers: tuple[Running, Running], here: Client, there: Client, state: str
) -> None:
    vm = here.vms(state)[0]
    uuid, name = vm.config.instanceUuid, vm.name
    macs = [one.macAddress for one in vm.config.hardware.device if isinstance(one, vim.vm.device.VirtualEthernetCard)]
    done(vm.RelocateVM_Task(place(servers[1], there, thumbprint_of(there))))
    with pytest.raises(vmodl.fault.ManagedObjectNotFound):
        _ = vm.name
    index: Any = there.content.searchIndex
    (moved,) = index.FindAllByUuid(None, uuid, True, True)
    assert (moved.name, moved.runtime.powerState) == (name, state)
    cards = [one for one in moved.config.hardware.device if isinstance(one, vim.vm.device.VirtualEthernetCard)]
    assert [one.macAddress for one in cards] == macs


def test_the_other_server_has_to_be_the_one_that_is_meant(
    servers: tuple[Running, Running], here: Client, there: Client
) -> None:
    vm, right = here.vms()[0], thumbprint_of(there)
    stranger = vim.ServiceLocator.NamePassword(username="nobody", password="wrong")
    for spec, refusal in (
        (place(servers[1], there, "AA:BB"), vim.fault.SSLVerifyFault),
        (place(servers[1], there, right, instanceUuid="x"), vmodl.fault.InvalidArgument),
        (place(servers[1], there, right, credential=stranger), vim.fault.InvalidLogin),
    ):
        with pytest.raises(refusal):
            done(vm.RelocateVM_Task(spec))
    assert vm.name
