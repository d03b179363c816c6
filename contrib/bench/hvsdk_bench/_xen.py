"""A simulated pool of Xen hosts: listings against XenAPI used by hand, and a verb on a slow line."""

from __future__ import annotations

from collections.abc import Iterator

import hvsdk_simulators

import hvsdk
from hvsdk_bench._measure import Row, compare
from hvsdk_bench._raw_xen import Json, Xml, one_by_one

LATENCY = 0.02
LOOPED = 200
"""Domains at most of the pool for the loop over all: each takes four calls."""


def rows(runs: int, *, few: int, many: int) -> Iterator[Row]:
    """Measure listings of pools of several sizes, and one verb."""
    for domains in sorted({few, many}):
        with hvsdk_simulators.start("xapi", domains=domains, hosts=3) as pool, _connect(pool) as host:
            yield from _listings(host, pool, f"Xen over TLS, {domains:,} domains", min(runs, 3))
    looped = min(LOOPED, few)
    with hvsdk_simulators.start("xapi", domains=looped, hosts=3, latency=LATENCY) as pool, _connect(pool) as host:
        yield _loop(host, pool, looped)
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


def _loop(host: hvsdk.Host, pool: hvsdk_simulators.Running, domains: int) -> Row:
    with Xml(pool) as by_xml:
        return compare(
            f"Xen, {domains:,} domains, {LATENCY * 1000:.0f} ms: XenAPI in a loop over all VMs / full",
            lambda: host.domains(full=True),
            lambda: one_by_one(by_xml),
            target=20.0,
            runs=1,
            better="higher",
        )


def _verb(host: hvsdk.Host, pool: hvsdk_simulators.Running) -> Row:
    """Compare two verbs with their calls made by hand, each followed by a look."""
    ours, theirs = host.domains(state="running")[:2]
    with Json(pool) as by_json:
        vm = by_json.call("VM.get_by_uuid", theirs.native_id)

        def by_hand() -> None:
            for method in ("VM.pause", "VM.unpause"):
                by_json.call(method, vm)
                by_json.call("VM.get_record", vm)

        def by_verbs() -> None:
            ours.pause()
            ours.unpause()

        name = f"Xen, {LATENCY * 1000:.0f} ms: pause() and unpause() / VM.pause, VM.unpause and a look after each"
        return compare(name, by_verbs, by_hand, target=1.1, runs=5)
