"""Changes as libvirt pushes them: callbacks take notes, `watch` reads the domains noted."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

import libvirt
from hvsdk.driver import Change, Deadline, EventKind, errors

from hvsdk_kvm._events import LIFECYCLE, UNTOLD
from hvsdk_kvm._listing import ListingReads

__all__ = ["Subscription", "WatchReads"]

_SAVED = libvirt.VIR_CONNECT_LIST_DOMAINS_MANAGEDSAVE
_ONE_BY_ONE = 5
"""With more domains to read than this, all of them are listed: that is two calls, whatever their number."""


class WatchReads(ListingReads):
    """`watch`."""

    def watch(self, token: Any, seconds: float, *, deadline: Deadline) -> tuple[Iterable[Change], Any]:
        if token is None:
            return (), self._subscribe()
        subscription: Subscription = token
        if subscription.connection is not self._connection:
            return (), None  # of a connection before this one
        noted = subscription.wait(min(seconds, deadline.remaining()))
        if not noted:
            noted = self._saved_changes(subscription)
        return self._changes(noted), subscription

    def _subscribe(self) -> Subscription:
        if self.events is None:
            raise errors.UnsupportedError("libvirt's event loop does not run in this process", capability="watch")
        subscription = Subscription(self.connection)
        self.events.listen(subscription.told, closed=subscription.lost)
        subscription.saved = self.uuids_with(_SAVED)
        return subscription

    def _saved_changes(self, subscription: Subscription) -> dict[str, EventKind | None]:
        """Find out whose saved memory came or went: libvirt tells nobody when it is removed."""
        before, subscription.saved = subscription.saved, self.uuids_with(_SAVED)
        return dict.fromkeys(before ^ subscription.saved)

    def _changes(self, noted: dict[str, EventKind | None]) -> list[Change]:
        if len(noted) <= _ONE_BY_ONE:
            infos = {key: self.summary_of(key) for key in noted}
        else:
            listed = {info.native_id: info for info in self.summaries(self.bulk_rows(), self.uuids_with(_SAVED))}
            infos = {key: listed.get(key) for key in noted}
        return [Change(native_id=key, info=infos[key], kind=kind) for key, kind in noted.items()]


class Subscription:
    """What one watch has not been told yet: a note for each domain, so that it cannot grow without end."""

    def __init__(self, connection: libvirt.virConnect) -> None:
        self.connection = connection
        self.saved: frozenset[str] = frozenset()
        self._notes: dict[str, EventKind | None] = {}
        self._lost = False
        self._changed = threading.Condition()

    def told(self, uuid: str, kind: int, details: tuple[Any, ...]) -> None:
        """Take a note, on a thread of libvirt's."""
        meaning = _meaning(kind, details)
        with self._changed:
            before = self._notes.get(uuid)
            told_more = before if before not in (None, EventKind.CHANGED) else None
            self._notes[uuid] = meaning or told_more or before
            self._changed.notify_all()

    def lost(self) -> None:
        """Take note that the connection is gone."""
        with self._changed:
            self._lost = True
            self._changed.notify_all()

    def wait(self, seconds: float) -> dict[str, EventKind | None]:
        """Return the notes, waiting for the first one.

        Raises:
            ConnectionLostError: The connection is gone.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._notes or self._lost, seconds)
            if self._lost:
                raise errors.ConnectionLostError("the daemon has closed the connection")
            notes, self._notes = self._notes, {}
            return notes


def _meaning(kind: int, details: tuple[Any, ...]) -> EventKind | None:
    """Return what the state before and after would not tell."""
    if kind == UNTOLD:
        return None
    if kind != LIFECYCLE:
        return EventKind.CHANGED
    event, detail = details
    if (event, detail) in _MIGRATED:
        return EventKind.MIGRATED
    if event == libvirt.VIR_DOMAIN_EVENT_CRASHED or (event, detail) in _CRASHED:
        return EventKind.CRASHED
    if event == libvirt.VIR_DOMAIN_EVENT_DEFINED and detail == libvirt.VIR_DOMAIN_EVENT_DEFINED_UPDATED:
        return EventKind.CHANGED
    return None


_MIGRATED = {
    (libvirt.VIR_DOMAIN_EVENT_STARTED, libvirt.VIR_DOMAIN_EVENT_STARTED_MIGRATED),
    (libvirt.VIR_DOMAIN_EVENT_RESUMED, libvirt.VIR_DOMAIN_EVENT_RESUMED_MIGRATED),
    (libvirt.VIR_DOMAIN_EVENT_STOPPED, libvirt.VIR_DOMAIN_EVENT_STOPPED_MIGRATED),
}
_CRASHED = {
    (libvirt.VIR_DOMAIN_EVENT_STOPPED, libvirt.VIR_DOMAIN_EVENT_STOPPED_CRASHED),
}
