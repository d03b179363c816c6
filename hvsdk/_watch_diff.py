"""What differs between two views of a host's domains, and in which word that is told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from operator import attrgetter
from typing import NamedTuple

from hvsdk.enums import EventKind, PowerState
from hvsdk.errors import NotLoadedError
from hvsdk.models._domain import FIELD_GROUPS, DomainInfo

__all__ = ["Difference", "DomainTable", "is_listed", "kind_of", "same"]

_SUMMARY = FIELD_GROUPS["summary"]
_summary = attrgetter(*_SUMMARY)
_PASSING = (PowerState.CHANGING, PowerState.UNKNOWN)
_ALIVE = (PowerState.RUNNING, PowerState.PAUSED)
_KINDS = {
    PowerState.PAUSED: EventKind.PAUSED,
    PowerState.SUSPENDED: EventKind.SUSPENDED,
    PowerState.SHUTOFF: EventKind.STOPPED,
    PowerState.CRASHED: EventKind.CRASHED,
}


class Difference(NamedTuple):
    """One domain's step from one view to the next."""

    kind: EventKind
    before: DomainInfo | None
    after: DomainInfo | None


def is_listed(info: DomainInfo) -> bool:
    """Return whether `Host.domains()` shows it when nothing special is asked for."""
    return not info.is_template and not info.is_control


def same(one: DomainInfo, other: DomainInfo) -> bool:
    """Return whether two records have the same summary, as far as both have it."""
    try:
        return bool(_summary(one) == _summary(other))
    except NotLoadedError:
        both = one.loaded & other.loaded & set(_SUMMARY)
        return all(getattr(one, name) == getattr(other, name) for name in both)


def kind_of(settled: DomainInfo | None, before: DomainInfo | None, after: DomainInfo | None) -> EventKind:
    """Return the word for a step.

    Args:
        settled: The last record in a state that lasts (neither CHANGING nor UNKNOWN), if there was one: a domain that
            goes from RUNNING over CHANGING to RUNNING has not been started.
        before: The record before the step.
        after: The record after it.
    """
    if after is None:
        return EventKind.REMOVED
    if before is None:
        return EventKind.DEFINED
    state = after.power_state
    if settled is None or state in _PASSING:
        return EventKind.CHANGED
    if state == settled.power_state:
        return EventKind.MIGRATED if state in _ALIVE and _moved(settled, after) else EventKind.CHANGED
    if state == PowerState.RUNNING:
        was_off = settled.power_state in (PowerState.SHUTOFF, PowerState.CRASHED)
        return EventKind.STARTED if was_off else EventKind.RESUMED
    return _KINDS.get(state, EventKind.CHANGED)


def _moved(before: DomainInfo, after: DomainInfo) -> bool:
    return None not in (before.node, after.node) and before.node != after.node


class DomainTable:
    """The domains as they are known to be, and the steps from there."""

    def __init__(self, shown: Callable[[DomainInfo], bool]) -> None:
        self._shown = shown
        self._known: dict[str, DomainInfo] = {}
        self._settled: dict[str, DomainInfo] = {}

    def load(self, infos: Iterable[DomainInfo]) -> list[DomainInfo]:
        """Take a first listing, and return what of it is shown."""
        for info in infos:
            if self._shown(info):
                self._store(info.native_id, info)
        return list(self._known.values())

    def replace(self, infos: Iterable[DomainInfo]) -> Iterator[Difference]:
        """Take a new listing, and yield the steps to it: first those that are gone."""
        now = {info.native_id: info for info in infos if self._shown(info)}
        for native_id in [known for known in self._known if known not in now]:
            yield from self.step(native_id, None)
        for native_id, info in now.items():
            yield from self.step(native_id, info)

    def step(self, native_id: str, after: DomainInfo | None, kind: EventKind | None = None) -> Iterator[Difference]:
        """Take one domain's present record (`None`: it is gone), and yield the step, if it is one.

        Args:
            native_id: The domain.
            after: Its record.
            kind: What the product called it, where it said something that the records do not.
        """
        if after is not None and not self._shown(after):
            after = None
        before = self._known.get(native_id)
        if before is None and after is None:
            return
        unchanged = before is not None and after is not None and same(before, after)
        settled = self._settled.get(native_id)
        self._store(native_id, _completed(before, after))
        if unchanged:
            if kind == EventKind.CHANGED:
                yield Difference(kind, before, self._known[native_id])
            return
        told = kind in (EventKind.MIGRATED, EventKind.CRASHED) and before is not None and after is not None
        yield Difference(kind if told and kind else kind_of(settled, before, after), before, self._known.get(native_id))

    def _store(self, native_id: str, info: DomainInfo | None) -> None:
        if info is None:
            self._known.pop(native_id, None)
            self._settled.pop(native_id, None)
            return
        self._known[native_id] = info
        if info.power_state not in _PASSING:
            self._settled[native_id] = info


def _completed(before: DomainInfo | None, after: DomainInfo | None) -> DomainInfo | None:
    """Return `after` with the summary fields that only `before` has: a push may tell less than a listing."""
    if before is None or after is None:
        return after
    try:
        _summary(after)
    except NotLoadedError:
        missing = (before.loaded - after.loaded) & set(_SUMMARY)
        return after.replace(**{name: getattr(before, name) for name in missing}) if missing else after
    return after
