"""What checks of relocations find in the simulator of vSphere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hvsdk_simulators import ControlError, Running
from pyVmomi import vim, vmodl
from vcsim_client import Client, connected, done, running


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with running(domains=4, hosts=2) as started:
        yield started


@pytest.fixture
def client(server: Running) -> Iterator[Client]:
    with connected(server) as made:
        yield made


def check(client: Client, vm: Any, host: Any) -> list[Any]:
    """Return the errors that a check finds."""
    spec = vim.vm.RelocateSpec(host=host, pool=vm.resourcePool)
    (found,) = done(client.content.vmProvisioningChecker.CheckRelocate_Task(vm, spec, None))
    assert found.vm == vm
    return list(found.error or ())


def test_a_check_finds_nothing_unless_it_shall(server: Running, client: Client) -> None:
    vm, host = client.vms()[0], client.all(vim.HostSystem)[1]
    assert check(client, vm, host) == []
    server.act("relocate-check", vm=vm._moId, error="CpuIncompatible", text="no such processor")
    (found,) = check(client, vm, host)
    assert isinstance(found, vim.fault.CpuIncompatible)
    assert found.msg == "no such processor"
    assert check(client, client.vms()[1], host) == []
    server.act("relocate-check", vm=vm._moId)
    assert check(client, vm, host) == []
    with pytest.raises(ControlError, match="Nonsense"):
        server.act("relocate-check", vm=vm._moId, error="Nonsense")


def test_a_check_finds_a_host_that_takes_nobody(client: Client) -> None:
    vm = client.vms()[0]
    host = next(one for one in client.all(vim.HostSystem) if one != vm.runtime.host)
    done(host.EnterMaintenanceMode_Task(0, False))
    try:
        (found,) = check(client, vm, host)
        assert isinstance(found, vim.fault.InvalidHostState)
    finally:
        done(host.ExitMaintenanceMode_Task(0))


def test_a_check_finds_what_is_not_there(client: Client) -> None:
    vm = client.vms()[0]
    (found,) = check(client, vm, vim.HostSystem("host-0", client.stub))
    assert isinstance(found, vmodl.fault.ManagedObjectNotFound)
