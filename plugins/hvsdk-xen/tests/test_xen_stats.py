"""Figures of running domains."""

from __future__ import annotations

from collections.abc import Callable

import hvsdk
import pytest
from hvsdk.driver import errors
from hvsdk_simulators import Running
from xen_support import Raw, connect

RATES = (
    "cpu_ratio",
    "disk_read_bytes_per_second",
    "disk_write_bytes_per_second",
    "disk_read_requests_per_second",
    "net_rx_bytes_per_second",
    "net_tx_bytes_per_second",
)


def test_all_that_runs_has_figures_at_one_request_to_each_host(pool: Running, host: hvsdk.Host) -> None:
    awake = {domain.native_id for domain in host.domains(state=["running", "paused"])}
    pool.reset_counts()
    found = {stats.native_id: stats for stats in host.stats()}
    assert sum(pool.counts().values()) == 4, pool.counts()
    assert found.keys() == awake
    fresh = [stats for stats in found.values() if "xen.no_figures" in stats.details]
    assert len(fresh) <= 1
    for stats in found.values():
        if stats not in fresh:
            assert stats.interval_seconds == 5.0
            assert all(getattr(stats, name) is not None for name in RATES), stats
            assert stats.memory_bytes
            assert stats.cpu_seconds is None, "XAPI has no counters"


def test_names_and_sizes_are_those_of_the_domains(host: hvsdk.Host) -> None:
    domains = {domain.native_id: domain for domain in host.domains()}
    for stats in host.stats():
        domain = domains[stats.native_id]
        assert (stats.name, stats.vcpus) == (domain.name, domain.vcpus)


def test_memory_used_is_told_by_tools_alone(host: hvsdk.Host) -> None:
    domains = {domain.native_id: domain for domain in host.domains(full=True)}
    for stats in host.stats():
        if domains[stats.native_id].agent == "absent":
            assert stats.memory_used_bytes is None
    assert any(stats.memory_used_bytes for stats in host.stats())


def test_one_domain_takes_two_calls(pool: Running, host: hvsdk.Host) -> None:
    domain = host.domains(state="running")[0]
    domain.refresh()
    pool.reset_counts()
    stats = domain.stats()
    assert stats.native_id == domain.native_id
    assert sum(pool.counts().values()) == 2, pool.counts()


def test_a_domain_that_is_off_has_no_rates(domain: hvsdk.Domain) -> None:
    stats = domain.stats()
    assert (stats.native_id, stats.cpu_ratio, stats.memory_bytes) == (domain.native_id, None, None)


def test_a_domain_that_is_gone(host: hvsdk.Host, domain: hvsdk.Domain, raw: Raw) -> None:
    raw.remove_vm(domain.native_id)
    with pytest.raises(errors.DomainNotFoundError):
        domain.stats()


@pytest.mark.parametrize("api", ["2.0", "2.23"])
def test_pools_of_every_age_tell_figures(make_pool: Callable[..., Running], api: str) -> None:
    with connect(make_pool(domains=10, hosts=2, api=api)) as host:
        assert any(stats.cpu_ratio is not None for stats in host.stats())


def test_a_host_that_does_not_answer_costs_its_own_domains_alone(make_pool: Callable[..., Running]) -> None:
    pool = make_pool(domains=12, hosts=2)
    with connect(pool) as host, Raw(pool) as raw:
        (record,) = raw("pool.get_all_records").values()
        dead = next(vm for ref, vm in raw("host.get_all_records").items() if ref != record["master"])
        nodes = {domain.native_id: domain.node for domain in host.domains()}
        pool.act("kill-host", host=dead["uuid"])
        found = list(host.stats())
        lost = [stats for stats in found if nodes[stats.native_id] == dead["name_label"]]
        for stats in lost:
            assert stats.cpu_ratio is None
            assert stats.details["xen.no_figures"]
        assert any(stats.cpu_ratio is not None for stats in found if stats not in lost)


def test_figures_that_cannot_be_read_are_said_to_be(pool: Running, host: hvsdk.Host) -> None:
    pool.fault("/rrd_updates:http-500:99")
    for stats in host.stats():
        assert "500" in stats.details["xen.no_figures"]


@pytest.mark.parametrize("fault", ["freeze", "trickle", "half-answer", "drop-before", "drop-after"])
def test_a_host_that_breaks_off_does_not_hold_the_others_up(pool: Running, fault: str) -> None:
    with connect(pool, timeout=4.0) as host:
        host.domains()
        pool.fault(f"/rrd_updates:{fault}:1")
        found = host.stats()
        lost = [stats for stats in found if stats.cpu_ratio is None]
        assert found
        assert len(lost) < len(found), "one host of three broke off"
        assert all(stats.details["xen.no_figures"] for stats in lost)
