"""Which host answers for the pool."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hvsdk_simulators.xapi.actions import ACTIONS
from storage_pool import Pool


@pytest.fixture
def pool() -> Iterator[Pool]:
    with Pool(domains=2, hosts=3) as made:
        yield made


def test_the_next_host_becomes_master(pool: Pool) -> None:
    hosts = [member.host for member in pool.world.members]

    with pool.world.lock:
        told = ACTIONS["change-master"](pool.world)

    assert pool.world.master is hosts[1]
    assert told == {"uuid": hosts[1]["uuid"], "address": hosts[1]["address"]}


def test_a_new_master_knows_no_sessions_and_no_tasks(pool: Pool) -> None:
    pool.world.db.create("task", name_label="left over")
    with pool.world.lock:
        ACTIONS["change-master"](pool.world, host=pool.world.members[2].host["uuid"])

    assert pool.world.db.all("session") == pool.world.db.all("task") == []
    assert pool.world.db.lost_before == pool.world.db.generation


def test_a_designated_host_takes_over_after_the_answer(pool: Pool) -> None:
    chosen = pool.world.members[1].host

    pool.call("pool.designate_new_master", chosen)

    with pool.world.lock:
        assert pool.world.lock.wait_for(lambda: pool.world.master is chosen, 30)


def test_a_designated_host_that_dies_before_it_takes_over_stops_no_clock(pool: Pool) -> None:
    old, chosen = pool.world.master, pool.world.members[1].host
    pool.call("pool.designate_new_master", chosen)
    with pool.world.lock:
        ACTIONS["kill-host"](pool.world, chosen["uuid"])
        metrics = pool.world.db.get("host_metrics", chosen["metrics"])
        assert pool.world.lock.wait_for(lambda: not metrics["live"], 30)
    assert pool.world.master is old


def test_a_dead_host_does_not_take_over(pool: Pool) -> None:
    chosen = pool.world.members[1].host
    pool.call("host.declare_dead", chosen)

    assert pool.refused("pool.designate_new_master", chosen) == ["HOST_OFFLINE", chosen.ref]


def test_a_member_takes_over_from_a_dead_master(pool: Pool) -> None:
    dead, heir = pool.world.master, pool.world.members[1].host
    with pool.world.lock:
        ACTIONS["kill-host"](pool.world, dead["uuid"])

    pool.call("pool.emergency_transition_to_master", member=heir)

    with pool.world.lock:
        assert pool.world.lock.wait_for(lambda: pool.world.master is heir, 30)
    assert not pool.world.db.get("host_metrics", dead["metrics"])["live"]
    assert pool.call("pool.recover_slaves") == [pool.world.members[2].host]


def test_hosts_follow_the_pools_storage_for_saved_memory(pool: Pool) -> None:
    sr = pool.sr("lvmoiscsi")

    pool.call("pool.set_suspend_image_SR", pool.world.pool, sr)

    assert {host["suspend_image_sr"] for host in pool.world.db.all("host")} == {sr.ref}
