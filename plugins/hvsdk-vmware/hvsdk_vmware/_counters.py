"""Performance counters: which are asked for, in which of our units they are, and what an answer tells of them.

Hosts measure in intervals of 20 seconds, and tell means over one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

import attrs
from pyVmomi import vim

from hvsdk_vmware._fields import NOTHING, NS, Element, as_moment, child, children

__all__ = ["COUNTERS", "INTERVAL", "Counter", "Measured", "ids_in", "measured_in", "query_spec"]

Performance = vim.PerformanceManager
INTERVAL: Final = 20
"""Seconds, and the name of those figures that hosts have themselves."""
_KIB = 1024.0
_ONE, _EACH = "", "*"
"""A domain's own figure, which counts no frame twice; and those of its devices, where some servers have no other."""


@attrs.frozen
class Counter:
    """A counter of vSphere's that fills a field of `DomainStats`."""

    name: str
    """Group, name and rollup, as in `virtualDisk.read.average`."""
    field: str
    instance: str
    scale: float = 1.0
    is_sum: bool = False
    """Whether it is the sum over its interval, and no rate yet."""


COUNTERS: Final = (
    Counter("cpu.usage.average", "cpu_ratio", _ONE, 1e-4),  # hundredths of a per cent of all vCPUs together
    Counter("virtualDisk.read.average", "disk_read_bytes_per_second", _EACH, _KIB),
    Counter("virtualDisk.write.average", "disk_write_bytes_per_second", _EACH, _KIB),
    Counter("virtualDisk.numberReadAveraged.average", "disk_read_requests_per_second", _EACH),
    Counter("virtualDisk.numberWriteAveraged.average", "disk_write_requests_per_second", _EACH),
    Counter("net.bytesRx.average", "net_rx_bytes_per_second", _ONE, _KIB),
    Counter("net.bytesTx.average", "net_tx_bytes_per_second", _ONE, _KIB),
    Counter("net.packetsRx.summation", "net_rx_packets_per_second", _ONE, is_sum=True),
    Counter("net.packetsTx.summation", "net_tx_packets_per_second", _ONE, is_sum=True),
)
_BY_NAME: Final = {counter.name: counter for counter in COUNTERS}


@attrs.frozen
class Measured:
    """What was measured of one domain."""

    at: datetime
    seconds: int
    """What each rate is the mean of."""
    rates: Mapping[str, float]
    """By field; the CPU's as a share of all vCPUs."""


def ids_in(known: Element) -> dict[str, Counter]:
    """Return the counters that a server has, by the ids that it has given to them.

    Args:
        known: The property `perfCounter`.
    """
    found = {}
    for entry in known:
        parts = (child(entry, "groupInfo", "key"), child(entry, "nameInfo", "key"), child(entry, "rollupType"))
        counter = _BY_NAME.get(".".join(parts))
        if counter is not None:
            found[child(entry, "key")] = counter
    return found


def query_spec(entity: Any, ids: Mapping[str, Counter]) -> Any:
    """Return the question for the newest figures of a domain; as CSV the answer is a third shorter."""
    wanted = [Performance.MetricId(counterId=int(key), instance=counter.instance) for key, counter in ids.items()]
    return Performance.QuerySpec(entity=entity, maxSample=1, intervalId=INTERVAL, format="csv", metricId=wanted)


def measured_in(domains: Iterable[Element], ids: Mapping[str, Counter]) -> dict[str, Measured]:
    """Return what an answer tells, by domain; one of which nothing was measured is not in it."""
    found = {}
    for domain in domains:
        sample = _sample(child(domain, "sampleInfoCSV"))
        if sample is None:
            continue
        rates = _rates(children(domain, "value"), sample[1], ids)
        if rates:
            found[child(domain, "entity")] = Measured(*sample, rates)
    return found


def _sample(told: str) -> tuple[datetime, int] | None:
    """Return when the newest sample ended and how many seconds it lasted."""
    parts = told.split(",")
    at = as_moment(parts[-1].strip())
    seconds = _value(parts[-2]) if len(parts) >= 2 else None
    return (at, int(seconds)) if at is not None and seconds is not None and seconds >= 1 else None


def _rates(rows: Iterable[Element], seconds: int, ids: Mapping[str, Counter]) -> dict[str, float]:
    wholes: dict[str, float] = {}
    parts: dict[str, float] = {}
    for row in rows:
        key = next(iter(children(row, "id")), NOTHING)
        counter = ids.get(child(key, "counterId"))
        value = _value((row.findtext(f"{NS}value") or "").rpartition(",")[2])
        if counter is None or value is None:
            continue
        rate = value * counter.scale / (seconds if counter.is_sum else 1)
        if child(key, "instance"):
            parts[counter.field] = parts.get(counter.field, 0.0) + rate
        else:
            wholes[counter.field] = rate
    return parts | wholes


def _value(told: str) -> float | None:
    """Return a figure; -1 stands for none."""
    try:
        value = float(told)
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None
