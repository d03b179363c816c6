"""Events: applied to the listing, they give the listing now."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from hvsdk import errors
from hvsdk.capability import Capability
from hvsdk.enums import EventKind, PowerState
from hvsdk.models import FIELD_GROUPS, DomainInfo
from hvsdk.testing.conformance._fixtures import Kit, MakeDomain
from hvsdk.testing.conformance._helpers import Names, needs

if TYPE_CHECKING:
    from hvsdk._domain import Domain
    from hvsdk._event import Event
    from hvsdk._host import Host
    from hvsdk._watch import Watch

__all__ = ["Watching"]


class Follower:
    """Applies the events of a watch to what it began with, and remembers those of one's own domains.

    Args:
        watch: The watch.
        names: Whose domains are one's own, beside `domain`.
        patience: How long an event may take.
        domain: A domain whose events are remembered, whatever its name.
    """

    def __init__(self, watch: Watch, names: Names, patience: float, domain: Domain | None = None) -> None:
        self._watch = watch
        self._names = names
        self._patience = patience
        self._domain_id = domain.native_id if domain is not None else None
        self.known: dict[str, DomainInfo] = {info.native_id: info for info in watch.domains}
        self.seen: list[Event] = []

    def take(self, event: Event) -> None:
        """Apply one event, which must follow what is known."""
        info = event.info
        if info is None:
            return
        known = self.known.get(info.native_id)
        assert (event.before is None) is (known is None), f"{event} does not follow what was told before"
        if event.before is not None and known is not None:
            assert event.before.power_state is known.power_state, f"{event} does not follow what was told before"
        if event.after is None:
            self.known.pop(info.native_id)
        else:
            self.known[info.native_id] = event.after
        if info.native_id == self._domain_id or self._names.owns(info.name):
            self.seen.append(event)

    def until(self, state: PowerState | None, native_id: str) -> None:
        """Take events until a domain is in a state, `None`: gone."""
        end = time.monotonic() + self._patience
        while getattr(self.known.get(native_id), "power_state", None) is not state:
            left = end - time.monotonic()
            assert left > 0, f"no event told that {native_id} is {state}; told: {self.seen}"
            event = self._watch.get(timeout=left)
            if event is not None:
                self.take(event)

    def drain(self, seconds: float) -> None:
        """Take what still comes."""
        while (event := self._watch.get(timeout=seconds)) is not None:
            self.take(event)


def summary(info: DomainInfo) -> dict[str, object]:
    """Return what a listing tells of a domain."""
    values = info.to_dict()
    return {name: values.get(name) for name in FIELD_GROUPS["summary"]}


class Watching(Kit):
    """`host.watch()`."""

    @pytest.fixture
    def watch(self, host: Host) -> Iterator[Watch]:
        """Return a watch that polls quickly where the product cannot push."""
        with host.watch(interval=0.1) as watch:
            yield watch

    def test_a_watch_begins_with_the_listing(self, host: Host, domain: Domain, watch: Watch) -> None:
        assert {info.native_id for info in watch.domains} == {item.native_id for item in host.domains()}
        assert domain.native_id in {info.native_id for info in watch.domains}

    def test_events_applied_give_the_listing(
        self, host: Host, make_domain: MakeDomain, watch: Watch, names: Names, patience: float
    ) -> None:
        needs(host, Capability.START, Capability.POWER_OFF, Capability.DELETE)
        follower = Follower(watch, names, patience)
        domain = make_domain()
        follower.until(PowerState.SHUTOFF, domain.native_id)
        domain.start(timeout=patience)
        follower.until(PowerState.RUNNING, domain.native_id)
        if host.supports(Capability.PAUSE):
            domain.pause(timeout=patience)
            follower.until(PowerState.PAUSED, domain.native_id)
        domain.power_off(timeout=patience)
        follower.until(PowerState.SHUTOFF, domain.native_id)
        follower.drain(0.3)
        mine = [item for item in host.domains() if names.owns(item.name)]
        told = [info for info in follower.known.values() if names.owns(info.name)]
        assert [summary(item.info) for item in mine] == [summary(info) for info in told]
        domain.delete(disks="delete")
        follower.until(None, domain.native_id)
        assert follower.seen[0].kind is EventKind.DEFINED
        assert follower.seen[-1].kind is EventKind.REMOVED

    def test_events_have_the_right_words(
        self, host: Host, domain: Domain, watch: Watch, names: Names, patience: float
    ) -> None:
        needs(host, Capability.START)
        follower = Follower(watch, names, patience, domain)
        steps = [("start", PowerState.RUNNING, EventKind.STARTED)]
        if host.supports(Capability.PAUSE):
            steps += [
                ("pause", PowerState.PAUSED, EventKind.PAUSED),
                ("unpause", PowerState.RUNNING, EventKind.RESUMED),
            ]
        if host.supports(Capability.SUSPEND):
            steps += [
                ("suspend", PowerState.SUSPENDED, EventKind.SUSPENDED),
                ("resume", PowerState.RUNNING, EventKind.RESUMED),
            ]
        if host.supports(Capability.POWER_OFF):
            steps.append(("power_off", PowerState.SHUTOFF, EventKind.STOPPED))
        for verb, state, kind in steps:
            getattr(domain, verb)(timeout=patience)
            follower.until(state, domain.native_id)
            assert follower.seen[-1].kind is kind
            assert follower.seen[-1].domain == domain
            assert follower.seen[-1].host is host

    def test_no_change_is_told_twice(
        self, host: Host, domain: Domain, watch: Watch, names: Names, patience: float
    ) -> None:
        needs(host, Capability.START)
        follower = Follower(watch, names, patience, domain)
        domain.start(timeout=patience)
        follower.until(PowerState.RUNNING, domain.native_id)
        follower.drain(0.5)
        kinds = [event.kind for event in follower.seen if event.kind is not EventKind.CHANGED]
        assert kinds == [EventKind.STARTED]

    def test_a_new_name_is_told(self, host: Host, domain: Domain, watch: Watch, names: Names, patience: float) -> None:
        needs(host, Capability.RENAME)
        follower = Follower(watch, names, patience, domain)
        domain.rename(names("renamed"))
        end = time.monotonic() + patience
        while follower.known[domain.native_id].name != names("renamed"):
            assert time.monotonic() < end, "no event told the new name"
            event = watch.get(timeout=0.5)
            if event is not None:
                follower.take(event)

    def test_nothing_happens_when_nothing_happens(self, host: Host, domain: Domain, watch: Watch, names: Names) -> None:
        end = time.monotonic() + 0.4
        while time.monotonic() < end:
            event = watch.get(timeout=0.1)
            assert event is None or event.native_id != domain.native_id

    def test_a_closed_watch_ends(self, host: Host) -> None:
        watch = host.watch(interval=0.1)
        watch.close()
        watch.close()
        assert watch.closed
        assert watch.get(timeout=1) is None
        assert list(watch) == []

    def test_a_watch_ends_with_its_host(self, spare_host: Host) -> None:
        watch = spare_host.watch(interval=0.1)
        spare_host.close()
        with contextlib.suppress(errors.HostClosedError):
            assert watch.get(timeout=5) is None
        watch.close()
