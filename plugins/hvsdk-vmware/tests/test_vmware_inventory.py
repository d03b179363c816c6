"""Nodes, networks, datastores and their files."""

from __future__ import annotations

import hvsdk
import pytest
from hvsdk.driver import errors
from hvsdk_simulators import Running
from pyVmomi import vim
from vmware_support import Raw, connect, domain_calls


@pytest.mark.parametrize("listing", ["nodes", "networks", "storage_pools"])
def test_each_listing_is_one_call(either: Running, listing: str) -> None:
    with connect(either) as host:
        calls = domain_calls(either, getattr(host, listing))
    assert calls == {"RetrievePropertiesEx": 1}


def test_nodes_are_the_hosts(host: hvsdk.Host, raw: Raw) -> None:
    nodes = {node.id: node for node in host.nodes()}
    hosts = {one._moId: one for one in raw.all(vim.HostSystem)}
    assert set(nodes) == set(hosts)
    for key, one in hosts.items():
        assert nodes[key].name == one.name
        assert nodes[key].memory_bytes == one.summary.hardware.memorySize
        assert nodes[key].state == "up"


def test_a_host_in_maintenance_is_told(host: hvsdk.Host, raw: Raw) -> None:
    one = raw.all(vim.HostSystem)[0]
    raw.done(one.EnterMaintenanceMode_Task(0))
    try:
        assert {node.id: node.state for node in host.nodes()}[one._moId] == "maintenance"
    finally:
        raw.done(one.ExitMaintenanceMode_Task(0))


def test_adapters_are_on_networks_that_are_listed(host: hvsdk.Host) -> None:
    names = {network.name for network in host.networks()}
    used = {nic.network for domain in host.domains(full=True) for nic in domain.nics}
    assert used
    assert used <= names


def test_disks_lie_in_pools_that_are_listed(host: hvsdk.Host) -> None:
    pools = {pool.id: pool for pool in host.storage_pools()}
    for domain in host.domains(full=True):
        for disk in domain.disks:
            if disk.device == "disk":
                assert disk.pool in pools
                assert disk.source is not None
                assert disk.source.startswith(f"[{pools[disk.pool].name}] ")


def test_disks_are_volumes_of_their_pool(host: hvsdk.Host) -> None:
    volumes = {volume.id for pool in host.storage_pools() for volume in pool.volumes()}
    disks = {disk.volume for domain in host.domains(full=True) for disk in domain.disks if disk.device == "disk"}
    assert disks <= volumes


def test_a_pool_that_is_gone_is_not_found(driver, raw: Raw) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(errors.StoragePoolNotFoundError):
        list(driver.list_volumes("datastore-999", deadline=hvsdk.driver.Deadline(20)))
