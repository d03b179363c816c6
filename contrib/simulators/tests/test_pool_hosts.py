"""Hosts: on and off, emptied, dead, forgotten."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import attrs
import pytest
from hvsdk_simulators.xapi.actions import ACTIONS
from hvsdk_simulators.xapi.database import Object
from hvsdk_simulators.xapi.hosts.abilities import guests_on
from hvsdk_simulators.xapi.vm.guest import ABSENT, guest_of
from storage_pool import Pool


@pytest.fixture
def pool() -> Iterator[Pool]:
    with Pool(domains=12, hosts=3) as made:
        yield made


def slave(pool: Pool) -> Object:
    return pool.world.members[1].host


def without_the_immobile(pool: Pool, host: Object) -> None:
    """Halt the VMs that cannot be moved while they run."""
    for vm in guests_on(pool.world, host):
        pool.call("VM.unpause", vm) if vm["power_state"] == "Paused" else None
        if guest_of(pool.world, vm).tools == ABSENT:
            pool.call("VM.hard_shutdown", vm)


def test_a_disabled_host_starts_no_vms(pool: Pool) -> None:
    host = slave(pool)
    pool.call("host.disable", host)

    assert "vm_start" not in pool.allowed(host)
    assert pool.refused("VM.start_on", pool.vm("Halted"), host, False, False) == ["HOST_DISABLED", host.ref]
    pool.call("host.enable", host)
    assert "vm_start" in pool.allowed(host)


def test_an_emptied_host_has_its_vms_elsewhere(pool: Pool) -> None:
    host = slave(pool)
    without_the_immobile(pool, host)
    vms = guests_on(pool.world, host)
    assert vms

    pool.call("host.assert_can_evacuate", host)
    pool.call("host.evacuate", host)

    assert guests_on(pool.world, host) == []
    assert {vm["power_state"] for vm in vms} == {"Running"}


def test_vms_that_cannot_move_are_named_and_nothing_moves(pool: Pool) -> None:
    host = slave(pool)
    vms = guests_on(pool.world, host)
    for vm in vms:
        pool.world.db.update(vm, platform=vm["platform"] | {"nomigrate": "true"})

    found = pool.call("host.get_vms_which_prevent_evacuation", host)

    assert found.keys() == {vm.ref for vm in vms}
    assert pool.refused("host.assert_can_evacuate", host)[0] == "CANNOT_EVACUATE_HOST"
    assert pool.refused("host.evacuate", host)[0] == next(iter(found.values()))[0]
    assert guests_on(pool.world, host) == vms


def test_nowhere_to_go_prevents_the_evacuation(pool: Pool) -> None:
    host = slave(pool)
    without_the_immobile(pool, host)
    for member in pool.world.members:
        if member.host is not host:
            pool.call("host.disable", member.host)

    assert {code for code, *_ in pool.call("host.get_vms_which_prevent_evacuation", host).values()} == {"HOST_DISABLED"}


def test_a_host_goes_down_when_it_is_disabled_and_empty(pool: Pool) -> None:
    host = slave(pool)
    assert pool.refused("host.shutdown", host) == ["HOST_NOT_DISABLED"]
    pool.call("host.disable", host)
    vm = guests_on(pool.world, host)[0]
    assert pool.refused("host.reboot", host) == ["HOST_IN_USE", host.ref, "VM", vm.ref]


@pytest.mark.parametrize("scale", [0.0, 1.0])
def test_an_emptied_host_boots_anew(pool: Pool, scale: float) -> None:
    host = slave(pool)
    member, metrics = pool.world.member_of(host), pool.world.db.get("host_metrics", host["metrics"])
    pool.call("host.disable", host)
    without_the_immobile(pool, host)
    pool.call("host.evacuate", host)
    ours, theirs = socket.socketpair()
    member.connections.add(theirs)
    pool.world.options = attrs.evolve(pool.world.options, duration_scale=scale)

    pool.call("host.reboot", host)

    with pool.world.lock:
        assert pool.world.lock.wait_for(lambda: host["enabled"], 30)
    assert member.alive
    assert metrics["live"]
    assert ours.recv(1) == b""
    ours.close()
    theirs.close()


def test_a_host_is_switched_on_in_the_way_it_is_set_up_for(pool: Pool) -> None:
    host = slave(pool)
    pool.call("host.disable", host)
    without_the_immobile(pool, host)
    pool.call("host.evacuate", host)
    pool.call("host.shutdown", host)
    with pool.world.lock:
        assert pool.world.lock.wait_for(lambda: not pool.world.member_of(host).alive, 30)
    assert pool.refused("host.power_on", host) == ["HOST_POWER_ON_MODE_DISABLED"]

    pool.call("host.set_power_on_mode", host, "wake-on-lan", {})
    pool.call("host.power_on", host)

    assert pool.world.member_of(host).alive
    assert pool.refused("host.power_on", host) == ["HOST_IS_LIVE", host.ref]


def test_a_dead_host_loses_its_connections_and_its_vms_stay_as_they_were(pool: Pool) -> None:
    host, member = slave(pool), pool.world.members[1]
    ours, theirs = socket.socketpair()
    member.connections.add(theirs)
    vms = guests_on(pool.world, host)

    with pool.world.lock:
        ACTIONS["kill-host"](pool.world, host["uuid"])

    assert not member.alive
    assert ours.recv(1) == b""
    ours.close()
    theirs.close()
    assert [vm["resident_on"] for vm in vms] == [host.ref] * len(vms)


def test_the_pool_notices_a_dead_host(pool: Pool) -> None:
    host = slave(pool)
    metrics = pool.world.db.get("host_metrics", host["metrics"])

    with pool.world.lock:
        ACTIONS["kill-host"](pool.world, host["uuid"])
        assert pool.world.lock.wait_for(lambda: not metrics["live"], 30)

    assert pool.refused("VM.start_on", pool.vm("Halted"), host, False, False) == ["HOST_NOT_LIVE"]
    assert "power_on" in pool.allowed(host)


def test_nothing_is_done_to_vms_of_a_host_that_does_not_answer(pool: Pool) -> None:
    host = slave(pool)
    vm = next(vm for vm in guests_on(pool.world, host) if vm["power_state"] == "Running")
    with pool.world.lock:
        ACTIONS["kill-host"](pool.world, host["uuid"])
        metrics = pool.world.db.get("host_metrics", host["metrics"])
        early = pool.refused("VM.hard_shutdown", vm)
        assert pool.world.lock.wait_for(lambda: not metrics["live"], 30)

    assert early == ["CANNOT_CONTACT_HOST", host.ref]
    assert pool.refused("VM.hard_shutdown", vm) == ["HOST_OFFLINE", host.ref]
    pool.call("VM.power_state_reset", vm)
    assert vm["power_state"] == "Halted"


def test_vms_of_a_host_that_is_declared_dead_are_halted(pool: Pool) -> None:
    host = slave(pool)
    vms = guests_on(pool.world, host)

    pool.call("host.declare_dead", host)

    assert {vm["power_state"] for vm in vms} == {"Halted"}
    assert guests_on(pool.world, host) == []


def test_a_host_comes_back_without_its_vms(pool: Pool) -> None:
    host = slave(pool)
    with pool.world.lock:
        ACTIONS["kill-host"](pool.world, host["uuid"])
        ACTIONS["revive-host"](pool.world, host["uuid"])

    assert pool.world.members[1].alive
    assert guests_on(pool.world, host) == []
    assert pool.world.db.get("host_metrics", host["metrics"])["live"]


def test_a_host_is_forgotten_when_it_is_dead_and_empty(pool: Pool) -> None:
    host = slave(pool)
    assert pool.refused("host.destroy", pool.world.master)[0] == "HOST_CANNOT_DESTROY_SELF"
    assert pool.refused("host.destroy", host) == ["HOST_IS_LIVE", host.ref]
    with pool.world.lock:
        pool.world.member_of(host).alive = False
    pool.call("host.declare_dead", host)

    pool.call("host.destroy", host)

    db = pool.world.db
    assert host not in db.all("host")
    assert [
        obj for cls in ("PBD", "PIF", "PGPU", "PUSB", "host_cpu") for obj in db.all(cls) if obj["host"] == host.ref
    ] == []


@pytest.mark.parametrize("name", ["", "-x", "a b", "x" * 256, "ünï"])
def test_a_host_is_not_named_what_no_network_can_say(pool: Pool, name: str) -> None:
    assert pool.refused("host.set_hostname_live", slave(pool), name)[0] == "HOST_NAME_INVALID"


def test_plugins_are_called_and_missed(pool: Pool) -> None:
    host = slave(pool)

    assert pool.call("host.call_plugin", host, "echo", "main", {"b": "2", "a": "1"}) == "a=1\nb=2\n"
    assert pool.refused("host.call_plugin", host, "none", "main", {}) == ["XENAPI_MISSING_PLUGIN", "none"]
    assert pool.refused("host.call_plugin", host, "echo", "none", {})[0] == "XENAPI_PLUGIN_FAILURE"


def test_free_memory_is_what_vms_leave(pool: Pool) -> None:
    host = slave(pool)
    before = pool.call("host.compute_free_memory", host)
    vm = guests_on(pool.world, host)[0]
    held = vm["memory_dynamic_min"] + vm["memory_overhead"]

    pool.call("VM.hard_shutdown", vm)

    assert pool.call("host.compute_free_memory", host) == before + held
