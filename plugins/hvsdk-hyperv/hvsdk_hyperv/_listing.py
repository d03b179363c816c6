"""Inventory: all virtual machines in one request, however many there are."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from hvsdk.driver import Deadline, DomainInfo, Target

from hvsdk_hyperv._records import domain_info, domain_infos
from hvsdk_hyperv._session import HyperVSession

__all__ = ["ListingReads"]

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_SAME_START = timedelta(seconds=5)
_MOST_STARTS = 100_000


class ListingReads(HyperVSession):
    """`list_domains`, `get_domain` and `find_domains`."""

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self._starts: dict[str, datetime] = {}

    def list_domains(self, include: frozenset[str], *, deadline: Deadline) -> Iterable[DomainInfo]:
        """Return all domains of the host: one request, and some cmdlets on the host however many there are."""
        records = self.call("domains.list", {"include": sorted(include)}, deadline=deadline)
        found = domain_infos(records)
        return [self._steady(info) for info in found] if "config" in include else found

    def get_domain(self, native_id: str, include: frozenset[str], *, deadline: Deadline) -> DomainInfo:
        """Return one domain."""
        record = self.call("domains.get", {"id": native_id, "include": sorted(include)}, deadline=deadline)
        return self.domain_info(record)

    def find_domains(self, key: str, *, deadline: Deadline) -> Iterable[str]:
        """Return the ids of the domains with this UUID, Hyper-V's own or the one that the guest sees, or this name."""
        uuids: list[str] = []
        if _UUID.fullmatch(key):
            asked = uuid.UUID(key)
            uuids = list(dict.fromkeys((str(asked), str(uuid.UUID(bytes_le=asked.bytes)))))
        found = self.call("domains.find", {"uuids": uuids, "name": key}, deadline=deadline)
        return [str(one) for one in found]

    @staticmethod
    def could_be_native_id(key: str) -> bool:
        return _UUID.fullmatch(key) is not None

    # ---- for the other parts -----------------------------------------------------------------------------

    def domain_info(self, record: Mapping[str, Any]) -> DomainInfo:
        """Return a domain from a record that an operation answered."""
        info = domain_info(record)
        return info if record["config"] is None else self._steady(info)

    def _steady(self, info: DomainInfo) -> DomainInfo:
        """Let a start be told as it was told before: it comes from the time that has passed, which is not exact."""
        started = info.started_at
        if started is None:
            return info
        before = self._starts.get(info.native_id)
        if before is not None and abs(before - started) < _SAME_START:
            return info.replace(started_at=before)
        if len(self._starts) > _MOST_STARTS:
            self._starts.clear()
        self._starts[info.native_id] = started
        return info
