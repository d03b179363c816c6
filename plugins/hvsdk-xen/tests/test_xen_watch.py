"""Changes as the pool pushes them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import hvsdk
import pytest
from hvsdk import EventKind
from hvsdk.driver import Change, Deadline, PowerState
from hvsdk_simulators import Running
from xen_support import Raw, connect, eventually, opened, soon

from hvsdk_xen._driver import XenDriver

STATE: frozenset[str] = frozenset()


class Follower:
    """A driver that is asked for changes as the core does it."""

    def __init__(self, driver: XenDriver) -> None:
        self.driver = driver
        self.subscribe()

    def subscribe(self) -> None:
        _, self.token = self.driver.watch(None, 0.0, deadline=soon())
        self.domains = {info.native_id: info for info in self.driver.list_domains(STATE, deadline=soon())}

    def next(self, seconds: float = 0.5) -> list[Change]:
        changes, self.token = self.driver.watch(self.token, seconds, deadline=soon())
        return list(changes)

    def until(self, wanted: Callable[[Change], Any], seconds: float = 20.0) -> Change:
        deadline = Deadline(seconds)
        while not deadline.expired:
            for change in self.next():
                if wanted(change):
                    return change
        raise AssertionError("that was not told")


@pytest.fixture
def follower(driver: XenDriver) -> Follower:
    return Follower(driver)


@pytest.fixture
def own(make_pool: Callable[..., Running]) -> Iterator[tuple[Running, Follower]]:
    """A pool of the test's own, and who follows it."""
    pool = make_pool(domains=6, hosts=3)
    with opened(pool) as driver:
        yield pool, Follower(driver)


def of(key: str, state: PowerState | None = None) -> Callable[[Change], bool]:
    return lambda change: (
        change.native_id == key and change.info is not None and state in (None, change.info.power_state)
    )


def test_a_domain_that_is_started_is_told(follower: Follower, make_vm: Callable[..., str], raw: Raw) -> None:
    key = make_vm()
    change = follower.until(of(key))
    assert change.info is not None
    assert change.info.power_state == PowerState.SHUTOFF
    raw.reach(key, "running")
    change = follower.until(of(key, PowerState.RUNNING))
    assert change.info is not None
    assert change.info.node


def test_a_domain_that_is_removed_is_told_by_its_id(driver: XenDriver, make_vm: Callable[..., str], raw: Raw) -> None:
    key = make_vm()
    follower = Follower(driver)
    raw.remove_vm(key)
    assert follower.until(lambda change: change.native_id == key and change.info is None)


def test_what_the_summary_does_not_show_is_told_as_a_change(
    driver: XenDriver, make_vm: Callable[..., str], raw: Raw
) -> None:
    key = make_vm()
    ref = raw("VM.get_by_uuid", key)
    follower = Follower(driver)
    raw("VM.set_name_description", ref, "other notes")
    assert follower.until(of(key)).kind == EventKind.CHANGED
    raw("VM.add_to_other_config", ref, "last_seen_by", "somebody's tool")
    assert follower.until(of(key)).kind is None, "what other tools keep there is no change of the domain"


def test_a_guest_that_gets_an_address_is_told(
    driver: XenDriver, make_vm: Callable[..., str], pool: Running, raw: Raw
) -> None:
    key = make_vm()
    raw.reach(key, "running")
    ref = raw("VM.get_by_uuid", key)
    assert eventually(lambda: raw("VM.get_guest_metrics", ref) != "OpaqueRef:NULL")
    follower = Follower(driver)
    while follower.next(0.3):
        pass
    pool.act("guest", vm=key, addresses={"0": "198.19.77.7"})
    change = follower.until(of(key, PowerState.RUNNING))
    assert change.kind == EventKind.CHANGED
    told = driver.get_domain(key, frozenset({"guest"}), deadline=soon())
    assert "198.19.77.7" in {address.ip for address in told.addresses}


def test_snapshots_are_not_told(driver: XenDriver, make_vm: Callable[..., str], raw: Raw) -> None:
    key = make_vm()
    follower = Follower(driver)
    snapshot = raw("VM.get_uuid", raw("VM.snapshot", raw("VM.get_by_uuid", key), "before"))
    raw("VM.set_name_label", raw("VM.get_by_uuid", key), "last")
    seen: list[str] = []
    follower.until(lambda change: seen.append(change.native_id) or (change.info and change.info.name == "last"))
    assert snapshot not in seen


def test_waiting_is_one_call_and_ends_in_time(pool: Running, follower: Follower) -> None:
    while follower.next(0.0):
        pass
    pool.reset_counts()
    began = time.monotonic()
    assert follower.next(1.0) == []
    assert 0.8 < time.monotonic() - began < 10
    made = {method: count for method, count in pool.counts().items() if not method.startswith("session.")}
    assert made == {"event.from": 1}, "others may log out meanwhile"


def test_subscribing_does_not_fetch_all_domains(pool: Running, driver: XenDriver) -> None:
    pool.reset_counts()
    driver.watch(None, 0.0, deadline=soon())
    assert pool.counts() == {"event.from": 1}


def test_nothing_between_subscribing_and_listing_is_missed(
    driver: XenDriver, make_vm: Callable[..., str], raw: Raw
) -> None:
    key = make_vm()
    _, token = driver.watch(None, 0.0, deadline=soon())
    raw("VM.set_name_label", raw("VM.get_by_uuid", key), "in-between")
    names = {info.native_id: info.name for info in driver.list_domains(STATE, deadline=soon())}
    changes, _ = driver.watch(token, 1.0, deadline=soon())
    names |= {change.native_id: change.info.name for change in changes if change.info is not None}
    assert names[key] == "in-between"


def test_lost_events_are_said_to_be(own: tuple[Running, Follower]) -> None:
    pool, follower = own
    pool.fault("event.from:events-lost:1")
    assert follower.next() == []
    assert follower.token is None
    follower.subscribe()
    follower.next()
    assert follower.token is not None


def test_a_token_of_another_subscription_is_not_used(driver: XenDriver, follower: Follower) -> None:
    before = follower.token
    follower.subscribe()
    assert driver.watch(before, 0.0, deadline=soon()) == ((), None)


def test_a_renamed_node_has_everything_listed_again(own: tuple[Running, Follower]) -> None:
    pool, follower = own
    with Raw(pool) as raw:
        raw("host.set_name_label", raw("host.get_all")[0], "renamed")
        assert eventually(lambda: follower.next() == [] and follower.token is None, 10)
    follower.subscribe()
    assert "renamed" in {info.node for info in follower.domains.values()}


def test_a_host_that_is_heard_no_more_or_again_has_everything_listed_again(own: tuple[Running, Follower]) -> None:
    pool, follower = own
    with Raw(pool) as raw:
        host = raw.some_member()
    for action, lost in (("kill-host", True), ("revive-host", False)):
        pool.act(action, host=host)
        assert eventually(lambda: follower.next() == [] and follower.token is None, 10)
        follower.subscribe()
        assert (PowerState.UNKNOWN in {info.power_state for info in follower.domains.values()}) is lost


def test_what_changes_on_a_host_that_is_not_heard_is_told_as_unknown(own: tuple[Running, Follower]) -> None:
    pool, follower = own
    with Raw(pool) as raw:
        pool.act("kill-host", host=raw.some_member())
        assert eventually(lambda: follower.next() == [] and follower.token is None, 10)
        follower.subscribe()
        key = next(key for key, info in follower.domains.items() if info.power_state is PowerState.UNKNOWN)
        raw("VM.set_name_label", raw("VM.get_by_uuid", key), "of whom nobody knows")
    change = follower.until(of(key))
    assert change.info is not None
    assert (change.info.name, change.info.power_state) == ("of whom nobody knows", PowerState.UNKNOWN)


def test_another_master_has_everything_listed_again(own: tuple[Running, Follower]) -> None:
    pool, follower = own
    pool.act("change-master")
    for _ in range(20):
        try:
            follower.next()
        except OSError:
            continue
        if follower.token is None:
            break
    assert follower.token is None
    follower.subscribe()
    assert follower.domains


def test_an_expired_session_loses_nothing(driver: XenDriver, pool: Running, make_vm: Callable[..., str]) -> None:
    follower = Follower(driver)
    key = make_vm()
    pool.act("expire-sessions")
    assert follower.until(of(key))


def test_an_event_that_never_came_is_noticed_by_counting(follower: Follower, make_vm: Callable[..., str]) -> None:
    follower.until(of(make_vm()))
    subscription = follower.token
    gone = next(iter(subscription.uuids))
    subscription.forget(gone)
    follower.next(0.1)
    assert follower.token is None
    follower.subscribe()
    follower.next(0.1)
    assert gone in follower.token.uuids


# ---- through the core ------------------------------------------------------------------------------------


def test_events_applied_to_the_listing_give_the_listing_now(make_pool: Callable[..., Running]) -> None:
    pool = make_pool(domains=8, hosts=2)
    with connect(pool) as host, Raw(pool) as raw, host.watch() as watch:
        table = {info.native_id: info for info in watch.domains}
        made = raw.make_vm("made-meanwhile")
        raw.reach(made, "running")
        pool.fault("event.from:events-lost:1")
        raw.reach(made, "paused")
        gone = raw.make_vm("gone-again")
        raw.remove_vm(gone)

        def settled() -> bool:
            while (event := watch.get(timeout=0.2)) is not None:
                info = event.after or event.before
                assert info is not None
                table[info.native_id] = info
                if event.after is None:
                    del table[info.native_id]
            now = {domain.native_id: (domain.name, domain.power_state) for domain in host.domains()}
            return {key: (info.name, info.power_state) for key, info in table.items()} == now

        assert eventually(settled)
        assert table[made].power_state == PowerState.PAUSED


def test_a_watch_has_the_words_for_what_happens(host: hvsdk.Host, make_vm: Callable[..., str], raw: Raw) -> None:
    key = make_vm()
    with host.watch() as watch:
        kinds: list[EventKind] = []

        def told(kind: EventKind) -> bool:
            event = watch.get(timeout=1.0)
            if event is not None and event.domain is not None and event.domain.native_id == key:
                kinds.append(event.kind)
            return kind in kinds

        for state, kind in (
            ("running", EventKind.STARTED),
            ("paused", EventKind.PAUSED),
            ("running", EventKind.RESUMED),
            ("suspended", EventKind.SUSPENDED),
            ("running", EventKind.RESUMED),
            ("shutoff", EventKind.STOPPED),
        ):
            kinds.clear()
            raw.reach(key, state)
            assert eventually(lambda kind=kind: told(kind)), f"{kind} was not told, but {kinds}"


def test_a_watch_is_closed_from_another_thread(host: hvsdk.Host, pool: Running) -> None:
    before = len(pool.sessions())
    watch = host.watch()
    ended = threading.Event()

    def read() -> None:
        for _ in watch:
            pass
        ended.set()

    threading.Thread(target=read, daemon=True).start()
    watch.close()
    assert ended.wait(10)
    assert eventually(lambda: len(pool.sessions()) <= before, 20), "its session was not logged out"
