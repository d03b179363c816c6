"""Many hosts asked at once: how near that comes to what so many threads can do, and what it costs."""

from __future__ import annotations

import gc
import math
import statistics
import time
import tracemalloc
from collections.abc import Iterator
from typing import Any

import hvsdk
from hvsdk_bench._measure import Row

LATENCY = 0.05
THREADS = 32
ALLOWED = 5.0
"""Seconds that one host may take where some are dead."""
RUNS = 5


def rows(runs: int, hosts: int, domains: int) -> Iterator[Row]:
    """Measure fleets of that many hosts in the process, and one with that many domains on each."""
    yield _fan_out(min(runs, RUNS), hosts)
    yield _with_failures(hosts)
    yield from _large(min(runs, RUNS), hosts, domains)


def _fan_out(runs: int, hosts: int) -> Row:
    """Compare with the time that this many threads need if nothing but the hosts takes time."""
    ideal = math.ceil(hosts / THREADS) * LATENCY
    urls: dict[str, Any] = {f"h{number}": f"fake://h{number}?domains=2&latency=50ms" for number in range(hosts)}
    with hvsdk.Fleet(urls, parallel=THREADS) as fleet:
        fleet.domains()
        seconds = statistics.median(_wall(fleet.domains) for _ in range(runs))
    name = f"fleet, {hosts} hosts, 50 ms each, {THREADS} at once: domains() / the ideal"
    return Row(name=name, ratio=seconds / ideal, target=1.2, ours_s=seconds, theirs_s=ideal, runs=runs)


def _with_failures(hosts: int) -> Row:
    """One in ten is dead, one in forty slow, one in forty refuses the login: the first listing, logins included."""
    urls: dict[str, Any] = {}
    for number in range(hosts):
        url = f"fake://root@bad-{number}?domains=2&latency=50ms"
        if number % 10 == 0:
            url += "&fault=open:hang*9"
        elif number % 40 == 1:
            url += "&fault=list_domains:slow=1.5*9"
        elif number % 40 == 2:
            urls[f"h{number}"] = {"url": url.replace("root", f"user-{number}") + "&login_password=x", "password": "y"}
            continue
        urls[f"h{number}"] = url
    with hvsdk.Fleet(urls, parallel=hosts, deadline=ALLOWED) as fleet:
        seconds = _wall(fleet.domains)
    name = f"fleet, {hosts} hosts, some dead, slow or refusing: domains() / the {ALLOWED:.0f} s that one host may take"
    return Row(name=name, ratio=seconds / ALLOWED, target=1.3, ours_s=seconds, theirs_s=ALLOWED)


def _large(runs: int, hosts: int, domains: int) -> Iterator[Row]:
    """Compare with the same hosts one after the other; most of the time of both is the hosts' own, in this process."""
    urls: dict[str, Any] = {f"h{number}": f"fake://large-{number}?domains={domains}" for number in range(hosts)}
    where = f"fleet, {hosts} hosts of {domains} domains"
    with hvsdk.Fleet(urls, parallel=THREADS) as fleet:
        fleet.domains()
        members = [fleet.host(name) for name in urls]
        ours, theirs = [], []
        for _ in range(runs):
            ours.append(_processor(fleet.domains))
            theirs.append(_processor(lambda: [host.domains() for host in members]))
        ours_s, theirs_s = statistics.median(ours), statistics.median(theirs)
        name = f"{where}: processor time of domains() / the same in a loop"
        yield Row(name=name, ratio=ours_s / theirs_s, target=1.2, ours_s=ours_s, theirs_s=theirs_s, runs=runs)
        yield Row(name=f"{where}: KiB for each domain kept: summary", ratio=_kept(fleet) / 1024, target=1.0)


def _wall(work: Any) -> float:
    gc.collect()
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _processor(work: Any) -> float:
    gc.collect()
    began = time.process_time()
    work()
    return time.process_time() - began


def _kept(fleet: hvsdk.Fleet) -> float:
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        kept = fleet.domains()
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return (after - before) / len(kept)
