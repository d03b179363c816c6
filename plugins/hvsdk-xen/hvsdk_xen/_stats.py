"""Statistics: what each host measured of the domains on it, one request to each host.

XAPI measures rates: the means of some seconds. It keeps no counters of a domain's whole life.
"""

from __future__ import annotations

import http.client
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import XenAPI
from hvsdk.driver import Deadline, DomainStats, errors, frozen

from hvsdk_xen._fields import Record, count, reference, text
from hvsdk_xen._listing import ListingReads
from hvsdk_xen._parallel import in_parallel
from hvsdk_xen._records import uuid_of
from hvsdk_xen._rpc import AnswerError
from hvsdk_xen._rrd import Figures, Updates, parse_updates

__all__ = ["StatsReads", "stats_of"]

_SECONDS = 60
"""How far back figures are asked for: some are missing now and then."""
_COARSE = 300
"""Seconds of a step from which on an answer is of another archive than the one that was meant."""
_LIMIT = 256 * 2**20
_SHARE = 0.7
"""Of the time that is left: a host that is silent all the while must not cost the figures of the others."""
_AT_ONCE = 8
_ONE_BY_ONE = 5
"""Of more domains than this all records are read: that is one call, whatever their number."""
_AWAKE = ("Running", "Paused")
_NO_ANSWER = (OSError, http.client.HTTPException, AnswerError, XenAPI.Failure, errors.HvsdkError)
_SUMS: Mapping[str, re.Pattern[str]] = {
    "cpu_ratio": re.compile(r"cpu\d+"),
    "disk_read_bytes_per_second": re.compile(r"vbd_[^_]+_read"),
    "disk_write_bytes_per_second": re.compile(r"vbd_[^_]+_write"),
    "disk_read_requests_per_second": re.compile(r"vbd_[^_]+_iops_read"),
    "disk_write_requests_per_second": re.compile(r"vbd_[^_]+_iops_write"),
    "net_rx_bytes_per_second": re.compile(r"vif_\d+_rx"),
    "net_tx_bytes_per_second": re.compile(r"vif_\d+_tx"),
}
"""Rates by field: the sum over all sources of such names."""


class StatsReads(ListingReads):
    """`stats`."""

    def stats(self, native_ids: Iterable[str] | None, *, deadline: Deadline) -> Iterable[DomainStats]:
        """Return figures of these domains, or of all that run.

        One that is off has none but its size. Where a host does not answer, its domains have no rates, and the reason stands
        in their details as `xen.no_figures`.
        """
        vms = self._awake(deadline) if native_ids is None else self._named(list(native_ids), deadline)
        places = {uuid: reference(vm, "resident_on") for uuid, vm in vms.items() if text(vm, "power_state") in _AWAKE}
        only = next(iter(vms)) if len(vms) == 1 else None
        hosts = dict.fromkeys(host for host in places.values() if host is not None)
        limit = deadline.sooner(min(deadline.remaining(), self.target.timeout) * _SHARE)
        answers = in_parallel(self._asking(only, limit), hosts, width=_AT_ONCE, deadline=limit)
        now, found = datetime.now(UTC), []
        for uuid, vm in vms.items():
            host = places.get(uuid)
            answer = answers.get(host, TimeoutError("not in time")) if host is not None else None
            if isinstance(answer, BaseException) and not isinstance(answer, _NO_ANSWER):
                raise answer
            found.append(stats_of(vm, answer, now))
        return found

    def _awake(self, deadline: Deadline) -> dict[str, Record]:
        return {
            uuid_of(vm, "VM"): vm
            for vm in self.domain_records(deadline).values()
            if text(vm, "power_state") in _AWAKE and vm.get("is_control_domain") is not True
        }

    def _named(self, native_ids: list[str], deadline: Deadline) -> dict[str, Record]:
        if len(native_ids) <= _ONE_BY_ONE:
            return {key: self.domain_record(key, deadline) for key in native_ids}
        known = {uuid_of(vm, "VM"): vm for vm in self.domain_records(deadline).values()}
        missing = [key for key in native_ids if key not in known]
        if missing:
            raise errors.DomainNotFoundError(f"there is no domain {missing[0]}")
        return {key: known[key] for key in native_ids}

    def _asking(self, only: str | None, deadline: Deadline) -> Callable[[str], Updates]:
        def ask(host: str) -> Updates:
            updates = self._updates(host, -_SECONDS, only, deadline)
            if updates.step < _COARSE:
                return updates
            # Old servers take a time before 1970 for one long ago; now their clock is known.
            return self._updates(host, updates.end - _SECONDS, only, deadline)

        return ask

    def _updates(self, host: str, start: int, only: str | None, deadline: Deadline) -> Updates:
        query = {"start": str(start), "cf": "AVERAGE", "host": "false", "json": "true"}
        if only is not None:
            query["vm_uuid"] = query["uuid"] = only
        headers = {"Accept": "application/json"}
        with self.http(host, "GET", "/rrd_updates", query, headers=headers, deadline=deadline) as exchange:
            if exchange.status != 200:
                raise errors.OperationFailedError(f"its host answered {exchange.status} when asked for figures")
            return parse_updates(exchange.read_all(_LIMIT))


def stats_of(vm: Record, answer: Updates | BaseException | None, now: datetime) -> DomainStats:
    """Return one domain's figures.

    Args:
        answer: What its host measured, or why that is not known; `None` for a domain that is on no host.
        now: The time of what is read from its record.
    """
    uuid = uuid_of(vm, "VM")
    figures = answer.vms.get(uuid) if isinstance(answer, Updates) else None
    details = {}
    if figures is None and answer is not None:
        told = str(answer) or type(answer).__name__ if isinstance(answer, BaseException) else "nothing is measured yet"
        details["xen.no_figures"] = told
    values = figures.values if figures is not None else {}
    rates = _rates(figures)
    on = text(vm, "power_state") in _AWAKE
    memory = values.get("memory")
    return DomainStats(
        native_id=uuid,
        name=text(vm, "name_label"),
        at=figures.at if figures is not None else now,
        vcpus=sum(1 for name in values if _SUMS["cpu_ratio"].fullmatch(name)) or count(vm, "VCPUs_at_startup"),
        memory_bytes=int(memory) if memory is not None else _memory(vm) if on else None,
        memory_used_bytes=_used(values),
        interval_seconds=float(answer.step) if isinstance(answer, Updates) and figures is not None else None,
        details=frozen(details),
        **rates,
    )


def _rates(figures: Figures | None) -> dict[str, Any]:
    rates: dict[str, float | None] = dict.fromkeys(_SUMS)
    if figures is None:
        return rates
    for field, pattern in _SUMS.items():
        values = [max(0.0, value) for name, value in figures.values.items() if pattern.fullmatch(name)]
        rates[field] = sum(values) if values else None
    return rates


def _memory(vm: Record) -> int | None:
    return count(vm, "memory_target") or count(vm, "memory_dynamic_max")


def _used(values: Mapping[str, float]) -> int | None:
    """Return what the guest uses of its memory; its tools tell what is free, in KiB."""
    total, free = values.get("memory"), values.get("memory_internal_free")
    return None if total is None or free is None else max(0, int(total - free * 1024))
