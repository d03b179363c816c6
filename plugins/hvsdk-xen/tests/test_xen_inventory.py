"""Nodes, networks, storage pools and volumes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import hvsdk
import pytest
import XenAPI
from hvsdk_simulators import Running
from xen_support import Raw, connect, eventually, soon

from hvsdk_xen._driver import XenDriver
from hvsdk_xen._fields import Related
from hvsdk_xen._networks import network_info
from hvsdk_xen._nodes import node
from hvsdk_xen._pools import pool_info, volume_info


@pytest.fixture
def other_pool(make_pool: Callable[..., Running]) -> Running:
    return make_pool(domains=4, hosts=3)


@pytest.fixture
def other(other_pool: Running) -> Iterator[tuple[hvsdk.Host, Raw]]:
    """A pool of this test's own, and another client of it."""
    with connect(other_pool) as host, Raw(other_pool) as raw:
        yield host, raw


def count(pool: Running, work: Callable[[], Any]) -> int:
    pool.reset_counts()
    work()
    return sum(pool.counts().values())


def test_nodes_are_the_hosts_of_the_pool(host: hvsdk.Host, raw: Raw) -> None:
    hosts = raw("host.get_all_records")
    nodes = {node.id: node for node in host.nodes()}
    assert nodes.keys() == {record["uuid"] for record in hosts.values()}
    (pool,) = raw("pool.get_all_records").values()
    for ref, record in hosts.items():
        node, metrics = nodes[record["uuid"]], raw("host_metrics.get_record", record["metrics"])
        assert (node.name, node.state) == (record["name_label"], "up")
        assert node.cpus == int(record["cpu_info"]["cpu_count"])
        assert node.memory_bytes == metrics["memory_total"]
        assert node.free_memory_bytes is not None
        assert 0 < node.free_memory_bytes < node.memory_bytes
        assert node.details["xen.is_master"] == (ref == pool["master"])


def test_a_disabled_host_is_in_maintenance(other: tuple[hvsdk.Host, Raw]) -> None:
    host, raw = other
    (pool,) = raw("pool.get_all_records").values()
    ref = next(ref for ref in raw("host.get_all") if ref != pool["master"])
    raw("host.disable", ref)
    name = raw("host.get_name_label", ref)
    assert {node.name: node.state for node in host.nodes()}[name] == "maintenance"
    raw("host.enable", ref)
    assert {node.name: node.state for node in host.nodes()}[name] == "up"


def test_a_dead_host_is_down(other_pool: Running, other: tuple[hvsdk.Host, Raw]) -> None:
    host, raw = other
    (pool,) = raw("pool.get_all_records").values()
    dead = next(record for ref, record in raw("host.get_all_records").items() if ref != pool["master"])
    other_pool.act("kill-host", host=dead["uuid"])

    def states() -> dict[str, str]:
        return {node.id: node.state for node in host.nodes()}

    assert eventually(lambda: states()[dead["uuid"]] == "down")
    assert {state for key, state in states().items() if key != dead["uuid"]} == {"up"}


def test_networks_have_their_vlans(host: hvsdk.Host, raw: Raw) -> None:
    networks = {network.name: network for network in host.networks()}
    assert networks["VLAN 100"].vlan == 100
    assert networks["VLAN 100"].active is True
    private = networks["Private"]
    assert (private.vlan, private.details["xen.is_private"]) == (None, True)
    assert networks["Bond 2+3"].details["xen.is_bond"] is True
    assert "Host internal management network" not in networks
    for network in networks.values():
        assert raw("network.get_bridge", raw("network.get_by_uuid", network.id)) == network.bridge


def test_networks_take_one_call(pool: Running, host: hvsdk.Host) -> None:
    assert count(pool, host.networks) == 1


def test_storage_pools_are_the_repositories(host: hvsdk.Host, raw: Raw) -> None:
    repositories = {sr["uuid"]: sr for sr in raw("SR.get_all_records").values()}
    pools = {pool.id: pool for pool in host.storage_pools()}
    assert pools.keys() == repositories.keys()
    (pool,) = raw("pool.get_all_records").values()
    for key, sr in repositories.items():
        info = pools[key].info
        assert (info.name, info.type) == (sr["name_label"], sr["type"])
        if sr["physical_size"] > 0:
            assert info.capacity_bytes == sr["physical_size"]
            assert info.free_bytes == sr["physical_size"] - sr["physical_utilisation"]
    default = raw("SR.get_uuid", pool["default_SR"])
    assert [one.id for one in pools.values() if one.info.details.get("xen.is_default")] == [default]


def test_storage_pools_take_one_call_and_volumes_three(pool: Running, host: hvsdk.Host) -> None:
    assert count(pool, host.storage_pools) == 1
    (one, *_) = host.storage_pools()
    assert count(pool, one.volumes) == 3


def test_volumes_are_the_disks_of_a_repository(host: hvsdk.Host, raw: Raw, domain: hvsdk.Domain) -> None:
    (disk,) = (disk for disk in domain.disks if disk.device == "disk")
    pool = host.storage_pool(disk.pool or "")
    (volume,) = (volume for volume in pool.volumes() if volume.id == disk.volume)
    vdi = raw("VDI.get_record", raw("VDI.get_by_uuid", volume.id))
    assert (volume.name, volume.capacity_bytes) == (vdi["name_label"], vdi["virtual_size"])
    assert volume.info.details["xen.in_use"] is True
    assert volume.path == disk.source


def test_volumes_of_what_is_no_repository(driver: XenDriver) -> None:
    with pytest.raises(XenAPI.Failure, match="UUID_INVALID"):
        driver.list_volumes("00000000-0000-0000-0000-000000000000", deadline=soon())


def test_what_it_takes_to_attach_a_repository_is_not_shown() -> None:
    config = {"target": "198.18.9.9", "chapuser": "xen", "chappassword": "hunter2", "cifspassword": "hunter2"}
    pbd = {"device_config": config, "currently_attached": True, "host": "OpaqueRef:h"}
    sr = {"uuid": "u", "name_label": "iSCSI", "PBDs": ["OpaqueRef:p"], "physical_size": "-1"}
    info = pool_info(sr, Related({"pbd": {"OpaqueRef:p": pbd}}), is_default=False)
    assert (info.path, info.active, info.capacity_bytes) == ("198.18.9.9", True, None)
    assert "hunter2" not in repr(info.to_dict())


@pytest.mark.parametrize("hostile", [None, 7, "x", [], {}, [1, None], {"a": []}])
def test_no_value_of_a_field_breaks_an_inventory(hostile: Any) -> None:
    fields = ("name_label", "physical_size", "PBDs", "sm_config", "virtual_size", "SR", "PIFs", "other_config", "MTU")
    fields += ("purpose", "tags", "cpu_info", "software_version", "metrics", "enabled", "bridge", "content_type")
    record = {"uuid": "u"} | dict.fromkeys(fields, hostile)
    related = Related({"pif": {"OpaqueRef:p": {"VLAN": hostile, "network": hostile}}})
    pool_info(record, related, is_default=False).to_dict()
    volume_info(record, record).to_dict()
    network_info(record, related, None).to_dict()
    node(record, record, is_master=True).to_dict()


def test_the_host_says_what_it_is(host: hvsdk.Host) -> None:
    info = host.info()
    assert info.product
    assert info.api_version
    assert info.api_version.startswith("2.")
    assert info.details["xen.hosts"] == 3
