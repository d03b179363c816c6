"""Changes as XAPI pushes them: `event.from` waits at the server for what is newer than a token."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import attrs
import XenAPI
from hvsdk.driver import Change, Deadline, EventKind

from hvsdk_xen._fields import Record, mapping, reference, text
from hvsdk_xen._labels import AUTO_POWERON, METADATA_PREFIX
from hvsdk_xen._listing import ListingReads
from hvsdk_xen._login import code_of
from hvsdk_xen._records import is_domain, node_names, summaries, uuid_of
from hvsdk_xen._related import events_of
from hvsdk_xen._wire import Endpoint

__all__ = ["WatchReads"]

_CLASSES = ["vm", "host"]
_RECENT = ["host", "host_metrics", "pool"]
"""Classes of few objects, of which some change every minute: what is new since their last change is soon told."""
_LOST = frozenset(("EVENTS_LOST", "EVENT_FROM_TOKEN_PARSE_FAILURE", "EVENT_SUBSCRIPTION_PARSE_FAILURE"))
_SPARE_SECONDS = 5.0
_TOLD = (
    *("name_description", "tags", "blocked_operations", "VBDs", "VIFs", "VGPUs", "VUSBs", "VTPMs", "domain_type"),
    *("VCPUs_max", "VCPUs_params", "memory_static_max", "memory_dynamic_min", "HVM_boot_params", "HVM_boot_policy"),
    *("PV_bootloader", "PV_kernel", "PV_ramdisk", "PV_args", "affinity", "actions_after_crash", "ha_restart_priority"),
)
"""Fields that people change, and that the summary does not show. XAPI tells of many others, which it writes itself."""
_OURS = frozenset(("folder", "pci", AUTO_POWERON))
_CLOCK_OFFSET = "timeoffset"


@attrs.define
class Subscription:
    """Where one watch is.

    Attributes:
        token: XAPI's; everything newer has not been told.
        master: Who gave it: another one numbers changes differently.
        nodes: Names of the nodes by reference.
        uuids: Of all domains by reference: of what is removed XAPI tells the reference alone.
        marks: Hash of each domain's fields that the summary does not show.
    """

    token: str
    master: Endpoint
    nodes: dict[str, str]
    uuids: dict[str, str] = attrs.field(factory=dict)
    marks: dict[str, int] = attrs.field(factory=dict)


class WatchReads(ListingReads):
    """`watch`."""

    _subscription: Subscription | None = None

    def watch(self, token: Any, seconds: float, *, deadline: Deadline) -> tuple[Iterable[Change], Any]:
        if token is None:
            return (), self._subscribe(deadline)
        subscription: Subscription = token
        if subscription is not self._subscription:
            return (), None  # of a connection before this one
        answer = self._wait(subscription, seconds, deadline)
        if answer is None or subscription.master != self.master_endpoint:
            return (), None
        return self._changes(subscription, answer)

    def domain_records(self, deadline: Deadline) -> dict[str, dict[str, Any]]:
        vms = super().domain_records(deadline)
        if self._subscription is not None:
            self._subscription.uuids = {ref: uuid for uuid, ref in self._refs.items()}
            self._subscription.marks = {ref: _mark(vm) for ref, vm in vms.items()}
        return vms

    # ---- inside ------------------------------------------------------------------------------------------

    def _subscribe(self, deadline: Deadline) -> Subscription:
        answer = self.call("event.from", _RECENT, "", 0.0, deadline=deadline)
        hosts = {ref: host for ref, host in _snapshots(answer, "host").items() if host is not None}
        self._subscription = Subscription(_token_of(answer), self.master_endpoint, node_names(hosts))
        return self._subscription

    def _wait(self, subscription: Subscription, seconds: float, deadline: Deadline) -> Any:
        """Return an answer with events or none; `None` when some are lost."""
        limit = max(0.0, min(seconds, deadline.remaining() - _SPARE_SECONDS))
        try:
            return self.call("event.from", _CLASSES, subscription.token, float(limit), deadline=deadline)
        except XenAPI.Failure as exc:
            if code_of(exc) not in _LOST:
                raise
            return None

    def _changes(self, subscription: Subscription, answer: Any) -> tuple[Iterable[Change], Any]:
        hosts = _snapshots(answer, "host")
        known = subscription.nodes
        subscription.nodes = known | node_names({ref: host for ref, host in hosts.items() if host is not None})
        if any(ref in known and known[ref] != name for ref, name in subscription.nodes.items()):
            return (), None  # a node has another name now: all of its domains show it
        changes = []
        for ref, vm in _snapshots(answer, "vm").items():
            change = self._gone(subscription, ref) if vm is None else self._changed(subscription, ref, vm)
            if change is not None:
                changes.append(change)
        subscription.token = _token_of(answer)
        return changes, subscription

    def _gone(self, subscription: Subscription, ref: str) -> Change | None:
        subscription.marks.pop(ref, None)
        uuid = subscription.uuids.pop(ref, None)
        return Change(native_id=uuid, info=None) if uuid is not None else None

    def _changed(self, subscription: Subscription, ref: str, vm: Record) -> Change | None:
        if not is_domain(vm):
            return None
        uuid, mark = uuid_of(vm, "VM"), _mark(vm)
        before = subscription.marks.get(ref)
        subscription.uuids[ref], subscription.marks[ref] = uuid, mark
        (info,) = summaries((vm,), subscription.nodes, datetime.now(UTC))
        return Change(native_id=uuid, info=info, kind=None if before in (None, mark) else EventKind.CHANGED)


def _mark(vm: Record) -> int:
    """Return a number that changes with the fields that the summary does not show."""
    other = mapping(vm, "other_config").items()
    told = [repr(vm.get(field)) for field in _TOLD]
    told += sorted(f"{key}={value}" for key, value in other if key in _OURS or key.startswith(METADATA_PREFIX))
    told += sorted(f"{key}={value}" for key, value in mapping(vm, "platform").items() if key != _CLOCK_OFFSET)
    return hash(tuple(told))


def _token_of(answer: Any) -> str:
    return text(answer, "token") if isinstance(answer, dict) else ""


def _snapshots(answer: Any, cls: str) -> dict[str, Record | None]:
    """Return by reference what objects of a class are now, `None` for those that are gone; the last event of each counts."""
    found: dict[str, Record | None] = {}
    for event in events_of(answer):
        ref = reference(event, "ref")
        if ref is None or text(event, "class").lower() != cls:
            continue
        found.pop(ref, None)
        if text(event, "operation") == "del":
            found[ref] = None
        elif isinstance(event.get("snapshot"), dict):
            found[ref] = event["snapshot"]
    return found
