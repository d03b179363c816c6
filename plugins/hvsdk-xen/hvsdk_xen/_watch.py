"""Changes as XAPI pushes them: `event.from` waits at the server for what is newer than a token."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import XenAPI
from hvsdk.driver import Change, Deadline, EventKind

from hvsdk_xen._fields import Record, reference, text
from hvsdk_xen._listing import ListingReads
from hvsdk_xen._login import code_of
from hvsdk_xen._records import is_domain, summaries, uuid_of
from hvsdk_xen._related import events_of
from hvsdk_xen._states import as_seen
from hvsdk_xen._subscription import Subscription
from hvsdk_xen._values import as_int

__all__ = ["WatchReads"]

_CLASSES = ["vm", "host", "host_metrics", "vm_guest_metrics"]
_RECENT = ["host", "host_metrics", "pool"]
"""Classes of few objects, of which some change every minute: what is new since their last change is soon told."""
_LOST = frozenset(("EVENTS_LOST", "EVENT_FROM_TOKEN_PARSE_FAILURE", "EVENT_SUBSCRIPTION_PARSE_FAILURE"))
_SPARE_SECONDS = 5.0


class WatchReads(ListingReads):
    """`watch`."""

    _subscription: Subscription | None = None

    def watch(self, token: Any, seconds: float, *, deadline: Deadline) -> tuple[Iterable[Change], Any]:
        """Return what has changed.

        All is to be listed again after `EVENTS_LOST`, when another member became master, when a node was renamed, or the pool
        hears it no more, or again, and when there are more or fewer VMs than the events say.
        """
        if token is None:
            return (), self._subscribe(deadline)
        subscription: Subscription = token
        if subscription is not self._subscription:
            return (), None  # of a connection before this one
        answer = self._wait(subscription, seconds, deadline)
        if answer is None or subscription.master != self.master_endpoint:
            return (), None
        if subscription.see_hosts(_there(answer, "host"), _there(answer, "host_metrics")):
            return (), None
        changes = self._changes(subscription, answer, deadline)
        if not subscription.adds_up(_count_of(answer)):
            return (), None
        subscription.token = _token_of(answer)
        return changes, subscription

    def vm_records(self, deadline: Deadline) -> dict[str, dict[str, Any]]:
        vms = super().vm_records(deadline)
        if self._subscription is not None:
            self._subscription.learn(vms)
        return vms

    # ---- inside ------------------------------------------------------------------------------------------

    def _subscribe(self, deadline: Deadline) -> Subscription:
        answer = self.call("event.from", _RECENT, "", 0.0, deadline=deadline)
        hosts, metrics = _there(answer, "host"), _there(answer, "host_metrics")
        self._subscription = Subscription(_token_of(answer), self.master_endpoint, hosts, metrics)
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

    def _changes(self, subscription: Subscription, answer: Any, deadline: Deadline) -> list[Change]:
        changes: dict[str, Change] = {}
        for ref, vm in _snapshots(answer, "vm").items():
            if vm is not None:
                changed = subscription.see(ref, vm)
                if is_domain(vm):
                    changes[ref] = self._change(subscription, vm, changed=changed)
            elif (uuid := subscription.forget(ref)) is not None:
                changes[ref] = Change(native_id=uuid, info=None)
        changes |= self._changes_of_guests(subscription, answer, changes, deadline)
        return list(changes.values())

    def _changes_of_guests(
        self, subscription: Subscription, answer: Any, told: dict[str, Change], deadline: Deadline
    ) -> dict[str, Change]:
        """Return the domains of which the guest told something new, such as an address."""
        seen = [subscription.see_guest(ref, one) for ref, one in _snapshots(answer, "vm_guest_metrics").items()]
        refs = dict.fromkeys(ref for ref in seen if ref is not None)
        asked = [f"vm/{ref}" for ref in refs if ref not in told]
        vms = self.read_together(asked, deadline).get("vm", {})
        changes = {ref: self._change(subscription, vm, changed=True) for ref, vm in vms.items() if is_domain(vm)}
        for ref in refs:
            change = told.get(ref)
            if change is not None and change.info is not None:
                changes[ref] = Change(native_id=change.native_id, info=change.info, kind=EventKind.CHANGED)
        return changes

    def _change(self, subscription: Subscription, vm: Record, *, changed: bool) -> Change:
        (info,) = summaries(as_seen((vm,), subscription.unheard), subscription.nodes, datetime.now(UTC))
        return Change(native_id=uuid_of(vm, "VM"), info=info, kind=EventKind.CHANGED if changed else None)


def _token_of(answer: Any) -> str:
    return text(answer, "token") if isinstance(answer, dict) else ""


def _count_of(answer: Any) -> int | None:
    """Return how many VM records there are, where the server says so."""
    counts = answer.get("valid_ref_counts") if isinstance(answer, dict) else None
    return as_int(counts.get("vm")) if isinstance(counts, dict) else None


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


def _there(answer: Any, cls: str) -> dict[str, Record]:
    """Return by reference what objects of a class are now, without those that are gone."""
    return {ref: record for ref, record in _snapshots(answer, cls).items() if record is not None}
