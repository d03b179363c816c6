"""A simulated vCenter: listings against pyvmomi used by hand and against Libcloud, what is kept, and a verb on a slow line."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

import hvsdk_simulators

import hvsdk
from hvsdk_bench._measure import Row, compare
from hvsdk_bench._memory import kept_rows
from hvsdk_bench._raw_vmware import FULL, SUMMARY, Raw, libcloud

LATENCY = 0.02
LOOPED = 200
"""VMs at most for what asks each of them."""
MANY = 10_000
"""VMs from which on a listing takes so long that each side is measured once."""
RUNS = 3


def rows(runs: int, sizes: Sequence[int]) -> Iterator[Row]:
    """Measure listings of inventories of several sizes, and on a slow line what asks each VM, and two verbs."""
    try:
        for domains in sorted(set(sizes)):
            with hvsdk_simulators.start("vcsim", domains=domains, hosts=4) as center, _connect(center) as host:
                yield from _of_one_size(host, center, domains, min(runs, RUNS))
        few = min(LOOPED, *sizes)
        late = hvsdk_simulators.start("vcsim", domains=few, hosts=4, latency=LATENCY)
        with late as center, _connect(center) as host:
            yield _libcloud(
                host, center, f"VMware, {few:,} domains, {LATENCY * 1000:.0f} ms", min(runs, RUNS), target=40.0
            )
            yield _verb(host, center, min(runs, 5))
    except hvsdk_simulators.BuildError as error:
        print(f"left out: VMware. {error}", file=sys.stderr)


def _of_one_size(host: hvsdk.Host, center: hvsdk_simulators.Running, domains: int, runs: int) -> Iterator[Row]:
    where = f"VMware over TLS, {domains:,} domains"
    yield from _listings(host, center, where, 1 if domains >= MANY else runs)
    if domains <= LOOPED:
        yield _loop(host, center, where, target=10.0)
        yield _libcloud(host, center, where, runs, target=12.0)
    elif domains < MANY:
        yield from kept_rows(host, f"VMware, {domains:,} domains", "a disk, a drive and an adapter")


def _connect(center: hvsdk_simulators.Running) -> hvsdk.Host:
    return hvsdk.connect(center.url, password=center.password, verify=center.fingerprint, timeout=120.0)


def _listings(host: hvsdk.Host, center: hvsdk_simulators.Running, where: str, runs: int) -> Iterator[Row]:
    with Raw(center) as raw:
        yield compare(
            f"{where}: summary / pyvmomi, the same properties in bulk",
            host.domains,
            lambda: raw.read(SUMMARY),
            target=0.5,
            runs=runs,
        )
        yield compare(
            f"{where}: full / pyvmomi, the same properties in bulk",
            lambda: host.domains(full=True),
            lambda: raw.read(FULL),
            target=0.5,
            runs=runs,
        )


def _loop(host: hvsdk.Host, center: hvsdk_simulators.Running, where: str, *, target: float) -> Row:
    with Raw(center) as raw:
        name = f"{where}: pyvmomi, six properties of each VM in a loop / summary"
        return compare(name, host.domains, raw.one_by_one, target=target, runs=1, better="higher")


def _libcloud(host: hvsdk.Host, center: hvsdk_simulators.Running, where: str, runs: int, *, target: float) -> Row:
    driver = libcloud(center)
    name = f"{where}: Libcloud's list_nodes() / summary"
    return compare(name, host.domains, driver.list_nodes, target=target, runs=runs, better="higher")


def _verb(host: hvsdk.Host, center: hvsdk_simulators.Running, runs: int) -> Row:
    """Compare two verbs with their calls made by hand, each waited for, and followed by a look."""
    ours, theirs = host.domains(state="running")[:2]
    with Raw(center) as raw:
        vm = raw.vm(theirs.native_id)

        def by_hand() -> None:
            for task in (vm.SuspendVM_Task, vm.PowerOnVM_Task):
                raw.finish(task())
                raw.look(vm, "runtime.powerState")

        def by_verbs() -> None:
            ours.suspend()
            ours.resume()

        name = f"VMware, {LATENCY * 1000:.0f} ms: suspend() and resume() / the same tasks, waited for with a filter, and a look"
        return compare(name, by_verbs, by_hand, target=1.1, runs=runs)
