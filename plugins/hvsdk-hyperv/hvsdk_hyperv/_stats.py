"""Statistics: what the host counted of domains, all in one exchange.

Hyper-V counts from the domain's start. Reading its counters needs the group Performance Monitor Users; without it there are
no figures but of memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from hvsdk.driver import Deadline, DomainStats, frozen

from hvsdk_hyperv._session import HyperVSession

__all__ = ["StatsReads", "stats_of"]

_TICKS = 10_000_000
"""Of 100 ns, in which time is counted, in a second."""
_COUNTERS = (
    *("disk_read_bytes", "disk_write_bytes", "disk_read_requests", "disk_write_requests"),
    *("net_rx_bytes", "net_tx_bytes", "net_rx_packets", "net_tx_packets"),
)


class StatsReads(HyperVSession):
    """`stats`."""

    def stats(self, native_ids: Iterable[str] | None, *, deadline: Deadline) -> Iterable[DomainStats]:
        """Return figures of these domains, or of all that run.

        CPU time is counted under the domain's name: domains of one name have none. One that is off has none but its size.
        Where counters may not be read, the reason stands in the details as `hyperv.no_counters`.
        """
        ids = None if native_ids is None else list(dict.fromkeys(native_ids))
        answer = self.call("stats.read", {"ids": ids}, deadline=deadline)
        at = datetime.fromisoformat(answer["at"])
        return [stats_of(one, at, answer["problem"]) for one in answer["vms"]]


def stats_of(record: Mapping[str, Any], at: datetime, problem: str | None) -> DomainStats:
    """Return one domain's figures.

    Args:
        record: What `stats.read` answers of it.
        problem: Why there are no counters.
    """
    counted, running = record["counters"], record["running"]
    ticks = counted.get("cpu")
    return DomainStats(
        native_id=record["id"],
        name=record["name"],
        at=at,
        vcpus=record["vcpus"],
        cpu_seconds=None if ticks is None else ticks / _TICKS,
        memory_bytes=(record["memory"] or None) if running else None,
        memory_used_bytes=(record["demand"] or None) if running else None,
        details=frozen({"hyperv.no_counters": problem} if problem and running else {}),
        **{name: counted.get(name) for name in _COUNTERS},
    )
