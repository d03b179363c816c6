"""What is measured of a host and of each VM on it, and the value of each source at any moment.

Nothing is stored: a value follows from the owner's UUID, the source's name and the time, so that two answers about
the same moment agree.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from functools import lru_cache
from typing import Any
from zlib import crc32

from attrs import frozen

from hvsdk_simulators.xapi.database import NULL, Object
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.world import World

NAN = math.nan
_PERIOD = 900
"""Seconds in which a value goes once up and down."""
_WAVE = [0.7 * math.sin(2 * math.pi * second / _PERIOD) for second in range(_PERIOD)]
_SCATTER = 2654435761
"""A factor whose products with numbers that follow each other have bits that do not."""


@lru_cache(maxsize=1 << 18)
def _phase(owner: str, name: str) -> int:
    return crc32(f"{owner}:{name}".encode())


@frozen
class Source:
    """One data source; `middle` and `swing` say between which values it moves."""

    name: str
    description: str
    units: str
    middle: float
    swing: float = 0.0
    top: float = math.inf

    def value(self, owner: str, moment: int) -> float:
        """The value for an owner, by its UUID, at a Unix time."""
        if not self.swing:
            return self.middle
        phase = _phase(owner, self.name)
        ripple = ((phase ^ moment) * _SCATTER >> 8 & 0xFFFF) / 0x10000 - 0.5
        return max(0.0, self.middle + self.swing * (_WAVE[(moment + phase) % _PERIOD] + 0.6 * ripple))


@frozen
class Measured:
    """A host, VM or SR with its sources, as the legend names it (`vm:UUID:`), and since when it is measured."""

    kind: str
    uuid: str
    sources: list[Source]
    since: int = 0

    def value(self, source: Source, moment: int) -> float:
        """The value of one of the sources at a Unix time; not a number before there was anything to measure."""
        return NAN if moment <= self.since else source.value(self.uuid, moment)

    def source(self, name: str) -> Source:
        """The source of a name.

        Raises:
            Failure: There is none.
        """
        found = next((one for one in self.sources if one.name == name), None)
        if found is None:
            raise Failure("INTERNAL_ERROR", f"no data source {name} of {self.kind} {self.uuid}")
        return found

    def now(self, name: str) -> float:
        """The value of a source now, by its name."""
        return self.source(name).value(self.uuid, int(time.time()))

    def records(self) -> list[dict[str, Any]]:
        """All sources with their values now, as the API shows them."""
        moment = int(time.time())
        return [
            {
                "name_label": source.name,
                "name_description": source.description,
                "enabled": True,
                "standard": True,
                "units": source.units,
                "min": 0.0,
                "max": source.top,
                "value": source.value(self.uuid, moment),
            }
            for source in self.sources
        ]


def measured_host(world: World, host: Object) -> Measured:
    """What is measured of a host."""
    return Measured("host", host["uuid"], list(_host_sources(world, host)))


def measured_vm(world: World, vm: Object) -> Measured:
    """What is measured of a VM since it started."""
    since = 0
    if vm["metrics"] != NULL:
        since = int(world.db.get("VM_metrics", vm["metrics"])["start_time"].timestamp())
    return Measured("vm", vm["uuid"], list(_vm_sources(world, vm)), since=since)


def _vm_sources(world: World, vm: Object) -> Iterator[Source]:
    for number in range(vm["VCPUs_at_startup"]):
        yield Source(f"cpu{number}", f"CPU{number} usage", "(fraction)", 0.25, 0.2, 1.0)
    memory = float(vm["memory_target"] or vm["memory_dynamic_max"])
    yield Source("memory", "Memory currently allocated to VM", "B", memory)
    yield Source("memory_target", "Target of VM balloon driver", "B", memory)
    if vm["guest_metrics"] != NULL:
        kib = memory / 1024
        yield Source("memory_internal_free", "Memory used as reported by the guest agent", "KiB", kib / 2, kib / 8, kib)
    for ref in vm["VBDs"]:
        vbd = world.db.get("VBD", ref)
        if vbd["currently_attached"] and vbd["type"] == "Disk":
            yield from _disk_sources(vbd["device"])
    for ref in vm["VIFs"]:
        vif = world.db.get("VIF", ref)
        if vif["currently_attached"]:
            yield from _wire_sources(f"vif_{vif['device']}", f"VIF {vif['device']}")


def _disk_sources(device: str) -> Iterator[Source]:
    yield Source(f"vbd_{device}_read", f"Reads from device '{device}' in B/s", "B/s", 40_000.0, 30_000.0)
    yield Source(f"vbd_{device}_write", f"Writes to device '{device}' in B/s", "B/s", 90_000.0, 60_000.0)
    yield Source(f"vbd_{device}_iops_read", "Read requests per second", "requests/s", 10.0, 8.0)
    yield Source(f"vbd_{device}_iops_write", "Write requests per second", "requests/s", 22.0, 15.0)
    yield Source(f"vbd_{device}_read_latency", "Reads latency in microseconds", "μs", 400.0, 200.0)
    yield Source(f"vbd_{device}_write_latency", "Writes latency in microseconds", "μs", 900.0, 500.0)


def _wire_sources(prefix: str, what: str) -> Iterator[Source]:
    yield Source(f"{prefix}_rx", f"Bytes per second received on {what}", "B/s", 12_000.0, 9_000.0)
    yield Source(f"{prefix}_tx", f"Bytes per second sent on {what}", "B/s", 7_000.0, 5_000.0)


def _host_sources(world: World, host: Object) -> Iterator[Source]:
    for ref in host["host_CPUs"]:
        number = world.db.get("host_cpu", ref)["number"]
        yield Source(f"cpu{number}", f"Physical cpu usage for cpu {number}", "(fraction)", 0.3, 0.2, 1.0)
    yield Source("cpu_avg", "Average physical CPU usage", "(fraction)", 0.3, 0.2, 1.0)
    yield Source("loadavg", "Domain0 loadavg", "(fraction)", 0.4, 0.3)
    total = world.db.get("host_metrics", host["metrics"])["memory_total"] / 1024
    yield Source("memory_total_kib", "Total amount of memory on the host", "KiB", total)
    used = sum(world.db.get("VM", ref)["memory_target"] for ref in host["resident_VMs"]) / 1024
    yield Source("memory_free_kib", "Total amount of free memory", "KiB", max(0.0, total - used))
    yield Source("xapi_memory_usage_kib", "Total memory allocated used by xapi daemon", "KiB", 120_000.0, 9_000.0)
    for ref in host["PIFs"]:
        pif = world.db.get("PIF", ref)
        if pif["physical"]:
            yield from _wire_sources(f"pif_{pif['device']}", f"physical interface {pif['device']}")
    yield from _wire_sources("pif_aggr", "all physical interfaces")
    for ref in host["PBDs"]:
        sr = world.db.get("SR", world.db.get("PBD", ref)["SR"])
        if sr["content_type"] != "iso":
            yield Source(f"read_{sr['uuid'][:8]}", f"Reads from SR {sr['uuid']}", "B/s", 900_000.0, 600_000.0)
            yield Source(f"write_{sr['uuid'][:8]}", f"Writes to SR {sr['uuid']}", "B/s", 700_000.0, 500_000.0)
