"""A fleet on a real cluster of two worker processes: credentials are read there, and the death of one is survived."""

from __future__ import annotations

import copyreg
import os
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hvsdk_simulators
import pytest

import hvsdk

pytest.importorskip("XenAPI", reason="the hosts are those of the Xen backend")


def where(host: hvsdk.Host) -> tuple[int, int]:
    """Say in which process this runs, and what the host has."""
    time.sleep(0.3)
    return os.getpid(), len(host.domains())


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A cluster. Once it is imported Dask pickles errors in its own way, which is taken back for other tests."""
    before = dict(copyreg.dispatch_table)
    yield from started()
    copyreg.dispatch_table.clear()
    copyreg.dispatch_table.update(before)


def started() -> Iterator[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        distributed = pytest.importorskip("distributed", reason="Dask is for fleets that one machine cannot ask")
        with (
            distributed.LocalCluster(
                n_workers=2, threads_per_worker=2, processes=True, dashboard_address=None, host="127.0.0.1"
            ) as cluster,
            distributed.Client(cluster) as client,
        ):
            yield client


@pytest.fixture(scope="module")
def pools() -> Iterator[list[hvsdk_simulators.Running]]:
    running = [hvsdk_simulators.start("xapi", domains=3, seed=seed) for seed in range(3)]
    yield running
    for one in running:
        one.stop()


@pytest.fixture
def hosts(pools: list[hvsdk_simulators.Running], tmp_path: Path) -> dict[str, dict[str, Any]]:
    secret = tmp_path / "secret"
    secret.write_text(pools[0].password)
    secret.chmod(0o600)
    return {
        f"pool-{number}": {"url": pool.url, "verify": pool.fingerprint, "secret": f"file:{secret}"}
        for number, pool in enumerate(pools)
    }


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_hosts_are_asked_by_the_workers_and_domains_belong_to_the_caller(
    cluster: Any, hosts: dict[str, dict[str, Any]]
) -> None:
    with hvsdk.Fleet(hosts, executor=cluster.get_executor()) as fleet:
        found = fleet.domains(control=False, full=True)
        assert found.answered == ("pool-0", "pool-1", "pool-2"), found.failures
        assert len(found) == 9
        assert found[0].host is fleet.host("pool-0")
        places = fleet.run(where)
        assert os.getpid() not in {one.value[0] for one in places}
        assert {one.value[1] for one in places} == {3}
        domain = next(one for one in found if one.power_state == "running")
        domain.power_off()
        assert domain.power_state == "shutoff"


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_a_secret_itself_does_not_travel(cluster: Any, hosts: dict[str, dict[str, Any]]) -> None:
    literal = {name: {**one, "password": "hush"} for name, one in hosts.items()}
    for one in literal.values():
        del one["secret"]
    with hvsdk.Fleet(literal, executor=cluster.get_executor()) as fleet:
        failures = fleet.domains().failures
    assert {failure.kind for failure in failures} == {"InvalidSpec"}
    assert "SecretRef" in str(failures[0].error)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_the_death_of_a_worker_is_survived(cluster: Any, hosts: dict[str, dict[str, Any]]) -> None:
    with hvsdk.Fleet(hosts, executor=cluster.get_executor()) as fleet:
        victim = fleet.run(where).by_host()["pool-0"][0].value[0]
        killed = []

        def kill(done: int, total: int, answer: Any) -> None:
            if not killed:
                killed.append(victim)
                os.kill(victim, 9)

        found = fleet.run(where, progress=kill)
        assert found.answered == ("pool-0", "pool-1", "pool-2"), found.failures
