"""A simulated pool of Xen hosts: listings against XenAPI used by hand, and a verb on a slow line."""

from __future__ import annotations

import time
from collections.abc import Iterator

import hvsdk_simulators

import hvsdk
from hvsdk_bench._measure import Row, compare
from hvsdk_bench._raw_xen import Json, Xml, one_by_one

LATENCY = 0.02
LOOPED = 200
"""Domains of the pool for the loop over all: each takes four calls."""


def rows(runs: int, *, few: int, many: int) -> Iterator[Row]:
    """Measure listings of pools of several sizes, and one verb."""
    for domains in sorted({few, many}):
        with hvsdk_simulators.start("xapi", domains=domains, hosts=3) as pool, _connect(pool) as host:
            yield from _listings(host, pool, f"Xen over TLS, {domains:,} domains", min(runs, 3))
    with hvsdk_simulators.start("xapi", domains=LOOPED, hosts=3, latency=LATENCY) as pool, _connect(pool) as host:
        yield _loop(host, pool)
        yield _verb(host, pool)


def _connect(pool: hvsdk_simulators.Running) -> hvsdk.Host:
    return hvsdk.connect(pool.url, password=pool.password, verify=pool.fingerprint)


def _listings(host: hvsdk.Host, pool: hvsdk_simulators.Running, where: str, runs: int) -> Iterator[Row]:
    with Json(pool) as by_json:
        yield compare(
            f"{where}: summary / raw JSON-RPC of the same calls", host.domains, by_json.summary, target=1.2, runs=runs
        )
        yield compare(
            f"{where}: full / raw JSON-RPC of the same classes, no records made",
            lambda: host.domains(full=True),
            by_json.full,
            target=3.0,
            runs=runs,
        )
    with Xml(pool) as by_xml:
        yield compare(
            f"{where}: XenAPI's get_all_records / summary",
            host.domains,
            by_xml.summary,
            target=8.0,
            runs=runs,
            better="higher",
        )


def _loop(host: hvsdk.Host, pool: hvsdk_simulators.Running) -> Row:
    with Xml(pool) as by_xml:
        return compare(
            f"Xen, {LOOPED:,} domains, {LATENCY * 1000:.0f} ms: XenAPI in a loop over all VMs / full",
            lambda: host.domains(full=True),
            lambda: one_by_one(by_xml),
            target=20.0,
            runs=1,
            better="higher",
        )


def _verb(host: hvsdk.Host, pool: hvsdk_simulators.Running) -> Row:
    """Compare a verb with the time that its requests alone take on this line."""
    domain = next(iter(host.domains(where=lambda info: info.power_state is hvsdk.PowerState.RUNNING)))
    times, ideal = [], 0.0
    for _ in range(5):
        if domain.power_state is hvsdk.PowerState.PAUSED:
            domain.unpause()
        pool.reset_counts()
        began = time.perf_counter()
        domain.pause()
        times.append(time.perf_counter() - began)
        ideal = sum(pool.counts().values()) * LATENCY
    ours = sorted(times)[len(times) // 2]
    name = f"Xen, {LATENCY * 1000:.0f} ms: pause / its {round(ideal / LATENCY)} round trips alone"
    return Row(name=name, ratio=ours / ideal, target=1.1, ours_s=ours, theirs_s=ideal, runs=len(times))
