"""Moves to another host or another datastore of a vCenter, and what stands in their way."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import hvsdk
import pytest
from hvsdk.driver import Capability, errors
from hvsdk_simulators import Running
from pyVmomi import vim
from vmware_support import Raw, connect, domain_calls, finished, opened, soon

from hvsdk_vmware._driver import VmwareDriver


def other_node(host: hvsdk.Host, domain: hvsdk.Domain) -> hvsdk.Node:
    return next(node for node in host.nodes() if node.name != domain.refresh().node and node.state == "up")


def store_of(domain: hvsdk.Domain) -> str:
    return next(str(disk.pool) for disk in domain.refresh().disks if disk.device == "disk")


def other_store(host: hvsdk.Host, domain: hvsdk.Domain) -> Any:
    mine = store_of(domain)
    return next(pool for pool in host.storage_pools() if pool.id != mine)


@pytest.fixture
def system(raw: Raw, host: hvsdk.Host) -> Iterator[Callable[[str], Any]]:
    """Return pyvmomi's object for a node by its name; those in maintenance leave it afterwards."""
    used: list[Any] = []

    def find(name: str) -> Any:
        used.append(next(one for one in raw.all(vim.HostSystem) if one.name == name))
        return used[-1]

    yield find
    for one in used:
        if one.runtime.inMaintenanceMode:
            raw.done(one.ExitMaintenanceMode_Task(timeout=0))


@pytest.mark.parametrize("state", ["running", "shutoff"])
def test_a_domain_moves_to_the_node_that_was_named(
    center: Running, host: hvsdk.Host, domain: hvsdk.Domain, raw: Raw, state: str
) -> None:
    raw.reach(domain.native_id, state)
    node = other_node(host, domain)
    calls = domain_calls(center, lambda: domain.migrate(node=node))
    assert calls["RelocateVM_Task"] == calls["CheckRelocate_Task"] == 1
    moved = domain.refresh()
    assert (moved.node, moved.power_state) == (node.name, state)
    assert domain.migrate(node=other_node(host, domain).name).node != node.name


def test_disks_move_to_the_storage_pool_that_was_named(host: hvsdk.Host, domain: hvsdk.Domain) -> None:
    node, store = domain.node, other_store(host, domain)
    moved = domain.migrate(pool=store)
    assert {disk.pool for disk in moved.disks if disk.device == "disk"} == {store.id}
    assert (moved.native_id, moved.node) == (domain.native_id, node)


def test_both_at_once_is_one_move(center: Running, host: hvsdk.Host, domain: hvsdk.Domain) -> None:
    domain.start()
    node, store = other_node(host, domain), other_store(host, domain)
    calls = domain_calls(center, lambda: domain.migrate(node=node, pool=store))
    assert calls["RelocateVM_Task"] == 1
    assert store_of(domain) == store.id
    assert (domain.node, domain.power_state) == (node.name, "running")


def test_what_is_there_already_is_left_alone(center: Running, domain: hvsdk.Domain) -> None:
    store = store_of(domain)
    calls = domain_calls(center, lambda: domain.migrate(node=domain.node, pool=store))
    assert "RelocateVM_Task" not in calls
    assert "CheckRelocate_Task" not in calls


def test_snapshots_go_along(host: hvsdk.Host, domain: hvsdk.Domain, raw: Raw) -> None:
    raw.done(raw.vm(domain.native_id).CreateSnapshot_Task("before", "", False, False))
    try:
        domain.migrate(node=other_node(host, domain), pool=other_store(host, domain))
        assert [one.name for one in domain.snapshots()] == ["before"]
    finally:
        raw.done(raw.vm(domain.native_id).RemoveAllSnapshots_Task())


def test_it_takes_the_fewest_calls(center: Running, host: hvsdk.Host, domain: hvsdk.Domain) -> None:
    node = other_node(host, domain).id
    with opened(center) as driver:
        list(driver.list_domains(frozenset(), deadline=soon()))
        wish: dict[str, Any] = {"node": node, "pool": None, "live": True}
        assert driver.check_migrate(domain.native_id, driver, deadline=soon(), **wish) is None
        calls = domain_calls(
            center, lambda: finished(driver.migrate(domain.native_id, driver, deadline=soon(), **wish))
        )
    assert calls["RetrievePropertiesEx"] <= 3, "the domain, all places, the task"
    assert calls["RelocateVM_Task"] == 1
    assert sum(calls.values()) <= 10, calls


# ---- what stands in the way ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["no-such-node", "a'b\"c<d>%2f\n", "../x"])
def test_places_that_are_not_there_are_named_with_those_that_are(
    host: hvsdk.Host, domain: hvsdk.Domain, name: str
) -> None:
    with pytest.raises(errors.UnsupportedError, match=host.nodes()[0].name):
        domain.migrate(node=name)
    with pytest.raises(errors.UnsupportedError, match="LocalDS_0"):
        domain.migrate(pool=name)


def test_a_node_in_maintenance_takes_nothing(
    host: hvsdk.Host, domain: hvsdk.Domain, raw: Raw, system: Callable[[str], Any]
) -> None:
    node = other_node(host, domain).name
    raw.done(system(node).EnterMaintenanceMode_Task(timeout=0))
    assert {one.name: one.state for one in host.nodes()}[node] == "maintenance"
    with pytest.raises(errors.UnsupportedError, match="in maintenance"):
        domain.migrate(node=node)


def test_a_node_that_is_not_connected_takes_nothing(make_center: Callable[..., Running]) -> None:
    center = make_center(hosts=2)
    client = Raw(center)
    with connect(center) as host:
        domain = next(iter(host.domains(state=["shutoff", "running"])))
        gone = next(one for one in client.all(vim.HostSystem) if one.name != domain.node)
        client.done(gone.DisconnectHost_Task())
        with pytest.raises(errors.UnsupportedError, match="not connected"):
            domain.migrate(node=gone.name)
    client.close()


def test_what_vsphere_says_of_a_move_is_the_reason(center: Running, host: hvsdk.Host, domain: hvsdk.Domain) -> None:
    center.fault("CheckRelocate_Task:task-error=CpuIncompatible,no such processor:1")
    with pytest.raises(errors.UnsupportedError, match="no such processor"):
        domain.migrate(node=other_node(host, domain))


def test_what_a_check_finds_is_the_reason(
    center: Running, driver: VmwareDriver, host: hvsdk.Host, domain: hvsdk.Domain
) -> None:
    node = other_node(host, domain)
    center.act("relocate-check", vm=domain.native_id, error="CannotAccessNetwork", text="no network 'blue' there")
    try:
        reason = driver.check_migrate(domain.native_id, driver, node=node.name, pool=None, live=True, deadline=soon())
        assert reason is not None
        assert "no network 'blue' there" in reason
        with pytest.raises(errors.UnsupportedError, match="no network 'blue' there"):
            domain.migrate(node=node)
        assert domain.refresh().node != node.name
    finally:
        center.act("relocate-check", vm=domain.native_id)
    assert domain.migrate(node=node).node == node.name


def test_who_may_not_ask_is_told_so(center: Running, host: hvsdk.Host, domain: hvsdk.Domain) -> None:
    center.fault("CheckRelocate_Task:error=NoPermission,no:1")
    with pytest.raises(errors.PermissionDeniedError):
        domain.migrate(node=other_node(host, domain))


def test_a_server_without_a_check_moves_all_the_same(center: Running, host: hvsdk.Host, domain: hvsdk.Domain) -> None:
    center.fault("CheckRelocate_Task:error=NotSupported,no:1")
    node = other_node(host, domain)
    assert domain.migrate(node=node).node == node.name


def test_a_fenced_domain_is_not_moved(host: hvsdk.Host, domain: hvsdk.Domain) -> None:
    node = other_node(host, domain)
    domain.fence("stays")
    try:
        with pytest.raises(errors.UnsupportedError, match="fenced"):
            domain.migrate(node=node)
    finally:
        domain.unfence()
    assert domain.migrate(node=node).node == node.name


def test_a_suspended_domain_is_not_moved(host: hvsdk.Host, domain: hvsdk.Domain) -> None:
    domain.start()
    domain.suspend()
    with pytest.raises(errors.PowerStateError):
        domain.migrate(node=other_node(host, domain))


def test_a_cold_move_needs_a_domain_that_is_off(host: hvsdk.Host, domain: hvsdk.Domain) -> None:
    domain.start()
    with pytest.raises(errors.PowerStateError, match="live=True"):
        domain.migrate(node=other_node(host, domain), live=False)


def test_a_move_that_fails_leaves_the_domain_where_it_was(
    center: Running, host: hvsdk.Host, domain: hvsdk.Domain
) -> None:
    before = domain.node
    center.fault("RelocateVM_Task:task-error=NoDiskSpace,full:1")
    with pytest.raises(errors.InsufficientResourcesError):
        domain.migrate(node=other_node(host, domain))
    assert domain.refresh().node == before


def test_a_move_is_cancelled(center: Running, host: hvsdk.Host, domain: hvsdk.Domain) -> None:
    before = domain.node
    center.fault("RelocateVM_Task:task-slow=20:1")
    cancel = threading.Event()
    timer = threading.Timer(0.5, cancel.set)
    timer.start()
    with pytest.raises(errors.CancelledError):
        domain.migrate(node=other_node(host, domain), cancel=cancel)
    timer.join()
    assert domain.refresh().node == before


def test_a_lost_answer_is_not_asked_for_again(center: Running, host: hvsdk.Host, domain: hvsdk.Domain) -> None:
    center.fault("RelocateVM_Task:drop-after:1")
    center.reset_counts()
    with pytest.raises(errors.OutcomeUnknownError):
        domain.migrate(node=other_node(host, domain))
    assert center.counts()["RelocateVM_Task"] == 1


# ---- between servers -----------------------------------------------------------------------------------------


def test_an_esxi_host_moves_nothing(esxi: Running) -> None:
    with connect(esxi) as host:
        assert not host.supports(Capability.MIGRATE)
        domain = next(iter(host.domains()))
        with pytest.raises(errors.UnsupportedError, match="vCenter that manages it"):
            domain.migrate(node="x")
        with pytest.raises(errors.UnsupportedError, match="vCenter that manages it"):
            domain.migrate(pool="x")


def test_nothing_moves_to_an_esxi_host(center: Running, esxi: Running, domain: hvsdk.Domain) -> None:
    with connect(esxi) as there, pytest.raises(errors.UnsupportedError, match=r"between vCenters alone"):
        domain.migrate(there)


def test_another_connection_to_the_same_vcenter_is_that_vcenter(center: Running, domain: hvsdk.Domain) -> None:
    with connect(center) as there:
        node = other_node(there, domain)
        assert domain.migrate(there, node=node).node == node.name
        with pytest.raises(errors.UnsupportedError, match="in that vCenter already"):
            domain.migrate(there)


@pytest.fixture
def other_center(make_center: Callable[..., Running]) -> Iterator[tuple[hvsdk.Host, hvsdk.Domain, Any]]:
    """A vCenter with a domain in one datacenter and a host in another, which has a datastore of its own."""
    center = make_center(domains=2)
    raw = Raw(center)
    second = raw.content.rootFolder.CreateDatacenter("Second %2f DC")
    spec = vim.host.ConnectSpec(hostName="alone.example", userName="root", password="x", force=True)
    raw.done(second.hostFolder.AddStandaloneHost_Task(spec, addConnected=True))
    alone = second.hostFolder.childEntity[0].host[0]
    with connect(center) as host:
        yield host, host.domain(raw.make_vm("crosses")), alone
    raw.close()


def test_a_host_without_the_datastores_is_none_to_move_to(other_center: tuple[hvsdk.Host, hvsdk.Domain, Any]) -> None:
    host, domain, alone = other_center
    with pytest.raises(errors.UnsupportedError, match=r"does not see storage pool 'LocalDS.*pool= too"):
        domain.migrate(node=alone.name)
    store = host.storage_pools()[0]
    with pytest.raises(errors.UnsupportedError, match=f"does not see storage pool '{store.name}'"):
        domain.migrate(node=alone.name, pool=store)


def test_a_domain_moves_to_another_datacenter(
    other_center: tuple[hvsdk.Host, hvsdk.Domain, Any], tmp_path: Any
) -> None:
    _, domain, alone = other_center
    system = alone.configManager.datastoreSystem
    store = system.CreateLocalDatastore(name="far", path=str(tmp_path))
    moved = domain.migrate(node=alone.name, pool=store.name)
    assert moved.node == alone.name
    assert moved.info.folder == "Second / DC/vm"
    assert store_of(moved) == store._moId
    assert [nic.network for nic in moved.nics] == [nic.network for nic in domain.nics]
