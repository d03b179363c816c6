"""The pool that a simulator begins with."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from hvsdk_simulators.xapi.build import build
from hvsdk_simulators.xapi.database import NULL, Object
from hvsdk_simulators.xapi.options import Options
from hvsdk_simulators.xapi.schema import SCHEMA
from hvsdk_simulators.xapi.world import World
from storage_pool import Pool


def make(**options: Any) -> World:
    world = World(Options(**options))
    build(world)
    return world


@pytest.fixture(scope="module")
def world() -> World:
    return make(domains=120, hosts=3, seed=1)


def guests(world: World) -> list[Object]:
    left_out = ("is_a_template", "is_a_snapshot", "is_control_domain")
    return [vm for vm in world.db.all("VM") if not any(vm[name] for name in left_out)]


def test_there_are_as_many_vms_and_hosts_as_asked_for(world: World) -> None:
    assert len(guests(world)) == 120
    assert len(world.db.all("host")) == len(world.members) == 3


def disks_in(world: World, vm: Object) -> list[Object]:
    drives = (world.db.get("VBD", ref) for ref in vm["VBDs"])
    vdis = [world.db.get("VDI", drive["VDI"]) for drive in drives if drive["VDI"] != NULL]
    return [world.db.get("SR", vdi["SR"]) for vdi in vdis]


@pytest.mark.parametrize("domains", [0, 1, 4])
def test_small_pools_can_be_built(domains: int) -> None:
    assert len(guests(make(domains=domains, hosts=1))) == domains


@pytest.mark.parametrize("api", [(1, 9), (2, 0), (2, 5), (2, 15), (2, 21), (2, 23)])
def test_pools_of_all_ages_can_be_built(api: tuple[int, int]) -> None:
    host = make(domains=20, hosts=2, api=api).master

    assert (host["API_version_major"], host["API_version_minor"]) == api
    assert host["software_version"]["product_brand"] in ("XenServer", "XCP-ng", "Citrix Hypervisor")


def test_the_same_seed_gives_the_same_pool() -> None:
    def told(world: World) -> list[tuple[Any, ...]]:
        return [(vm["uuid"], vm["name_label"], vm["power_state"]) for vm in world.db.all("VM")]

    assert told(make(domains=30, seed=5)) == told(make(domains=30, seed=5))
    assert told(make(domains=30, seed=5)) != told(make(domains=30, seed=6))


def test_vms_are_of_all_kinds_and_states(world: World) -> None:
    kinds = Counter(vm["domain_type"] for vm in guests(world))
    states = Counter(vm["power_state"] for vm in guests(world))

    assert {"hvm", "pv", "pvh", "pv_in_pvh"} <= kinds.keys()
    assert states.keys() == {"Running", "Halted", "Suspended", "Paused"}
    assert any(vm["guest_metrics"] == NULL for vm in guests(world) if vm["power_state"] == "Running")


def test_some_vms_keep_to_the_host_that_has_their_disks(world: World) -> None:
    bound = Counter(vm["power_state"] for vm in guests(world) if any(not sr["shared"] for sr in disks_in(world, vm)))

    assert bound == {"Running": 5, "Halted": 2}


def test_some_vms_have_snapshots_and_checkpoints(world: World) -> None:
    snapshots = [vm for vm in world.db.all("VM") if vm["is_a_snapshot"]]

    assert {vm["power_state"] for vm in snapshots} == {"Halted", "Suspended"}
    assert all(snapshot.ref in world.db.get("VM", snapshot["snapshot_of"])["snapshots"] for snapshot in snapshots)


def test_a_vm_goes_back_to_a_snapshot_that_the_pool_began_with() -> None:
    with Pool(domains=30) as pool:
        taken = next(one for one in pool.world.db.all("VM") if one["is_a_snapshot"] and one["power_state"] == "Halted")
        vm = pool.world.db.get("VM", taken["snapshot_of"])
        pool.world.db.update(vm, name_description="changed")
        pool.call("VM.revert", taken)
        assert (vm["power_state"], vm["parent"]) == ("Halted", taken.ref)
        assert vm["name_description"] != "changed"


def test_every_reference_leads_somewhere(world: World) -> None:
    for cls, schema in SCHEMA.items():
        for obj in world.db.all(cls):
            for one in schema.fields.values():
                kind = one.kind.item if one.kind.name == "set" else one.kind
                if kind is None or kind.name != "ref":
                    continue
                value = obj[one.name]
                for ref in value if isinstance(value, list) else [value]:
                    assert ref == NULL or world.db.lookup(kind.target, ref) is not None, (obj, one.name)


def test_every_running_vm_has_a_console_and_attached_devices(world: World) -> None:
    for vm in guests(world):
        if vm["power_state"] in ("Running", "Paused"):
            protocols = {world.db.get("console", ref)["protocol"] for ref in vm["consoles"]}
            assert protocols == {"rfb", "vt100"}
            assert all(world.db.get("VBD", ref)["currently_attached"] for ref in vm["VBDs"])
        else:
            assert vm["consoles"] == []


def test_hosts_have_room_for_what_runs_on_them(world: World) -> None:
    for host in world.db.all("host"):
        used = sum(world.db.get("VM", ref)["memory_target"] for ref in host["resident_VMs"])
        assert used < world.db.get("host_metrics", host["metrics"])["memory_total"]


@pytest.mark.parametrize(("api", "types"), [((2, 14), []), ((2, 15), ["host"]), ((2, 21), ["host", "host_internal"])])
def test_hosts_have_the_certificate_records_of_their_time(api: tuple[int, int], types: list[str]) -> None:
    world = make(domains=0, hosts=2, api=api)

    for host in world.db.all("host"):
        assert [world.db.get("Certificate", ref)["type"] for ref in host["certificates"]] == types


def test_names_are_odd_where_it_matters(world: World) -> None:
    names = Counter(vm["name_label"] for vm in guests(world))

    assert names["twin"] == 2
    assert any("`" in name for name in names)
    assert json.loads(json.dumps(list(names))) == list(names)
