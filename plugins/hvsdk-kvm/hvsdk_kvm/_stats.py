"""Statistics: counters of all running domains, in one bulk call."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import libvirt
from hvsdk.driver import Deadline, DomainStats, frozen

from hvsdk_kvm._session import Session

__all__ = ["StatsReads", "stats_of"]

_WANTED = (
    libvirt.VIR_DOMAIN_STATS_STATE
    | libvirt.VIR_DOMAIN_STATS_CPU_TOTAL
    | libvirt.VIR_DOMAIN_STATS_BALLOON
    | libvirt.VIR_DOMAIN_STATS_VCPU
    | libvirt.VIR_DOMAIN_STATS_INTERFACE
    | libvirt.VIR_DOMAIN_STATS_BLOCK
)
_NOWAIT = libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT
_ACTIVE = libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_ACTIVE
_DISK = {
    "disk_read_bytes": "rd.bytes",
    "disk_write_bytes": "wr.bytes",
    "disk_read_requests": "rd.reqs",
    "disk_write_requests": "wr.reqs",
}
_NET = {
    "net_rx_bytes": "rx.bytes",
    "net_tx_bytes": "tx.bytes",
    "net_rx_packets": "rx.pkts",
    "net_tx_packets": "tx.pkts",
}


class StatsReads(Session):
    """`stats`."""

    def stats(self, native_ids: Iterable[str] | None, *, deadline: Deadline) -> Iterable[DomainStats]:
        connection = self.connection
        if native_ids is None:
            rows = connection.getAllDomainStats(_WANTED, _NOWAIT | _ACTIVE)
        else:
            domains = [self.find(key) for key in native_ids]
            rows = connection.domainListGetStats(domains, _WANTED, _NOWAIT) if domains else []
        at = datetime.now(UTC)
        return [stats_of(domain.UUIDString(), domain.name(), record, at) for domain, record in rows]


def stats_of(native_id: str, name: str, record: dict[str, Any], at: datetime) -> DomainStats:
    """Return one row of the bulk call as a record; a domain that is busy lacks some figures."""
    cpu = record.get("cpu.time")
    memory = record.get("balloon.current")
    available = record.get("balloon.available")
    free = record.get("balloon.usable", record.get("balloon.unused"))
    used = None if available is None or free is None else max(0, available - free) * 1024
    details = {"kvm.balloon_rss_bytes": record["balloon.rss"] * 1024} if "balloon.rss" in record else {}
    return DomainStats(
        native_id=native_id,
        name=name,
        at=at,
        cpu_seconds=None if cpu is None else cpu / 1e9,
        vcpus=record.get("vcpu.current"),
        memory_bytes=None if memory is None else memory * 1024,
        memory_used_bytes=used,
        details=frozen(details),
        **_sums(record, "block", _DISK),
        **_sums(record, "net", _NET),
    )


def _sums(record: dict[str, Any], group: str, names: dict[str, str]) -> dict[str, Any]:
    """Return the sums over all disks or adapters; a backing image of a disk has no counters and counts nothing."""
    count = record.get(f"{group}.count", 0)
    sums: dict[str, int | None] = {}
    for field, name in names.items():
        values = [value for i in range(count) if (value := record.get(f"{group}.{i}.{name}")) is not None]
        sums[field] = sum(values) if values else None
    return sums
