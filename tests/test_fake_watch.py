"""What the fake pushes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import hvsdk
from hvsdk.driver import Deadline, EventKind, Target
from hvsdk.testing.fake import control
from hvsdk.testing.fake._control import FakeControl
from hvsdk.testing.fake._driver import FakeDriver

SOON = Deadline(3600)  # counted from the collection of the tests, which may run much later


def make(**options: object) -> FakeDriver:
    driver = FakeDriver(Target(url="fake://watch", scheme="fake", hostname="watch", options=options))
    driver.open(deadline=SOON)
    return driver


@pytest.fixture
def driver() -> Iterator[FakeDriver]:
    driver = make()
    yield driver
    driver.close()


@pytest.fixture
def fake(driver) -> FakeControl:
    return driver.native(deadline=SOON)


def token(driver: FakeDriver) -> object:
    return driver.watch(None, 0, deadline=SOON)[1]


def test_subscribing_returns_at_once(driver):
    changes, first = driver.watch(None, 1000, deadline=SOON)
    assert changes == []
    assert first is not None


def test_several_changes_of_one_domain_are_told_as_one_with_the_domain_as_it_is_now(driver, fake):
    start = token(driver)
    driver.pause("vm-1", deadline=SOON)
    driver.unpause("vm-1", deadline=SOON)
    driver.power_off("vm-1", discard_memory=False, deadline=SOON)
    fake.rename("vm-2", "other")
    changes, after = driver.watch(start, 0, deadline=SOON)
    assert [(c.native_id, c.info.power_state, c.kind) for c in changes] == [
        ("vm-1", "shutoff", None),
        ("vm-2", changes[1].info.power_state, EventKind.CHANGED),
    ]
    assert changes[1].info.name == "other"
    assert driver.watch(after, 0, deadline=SOON) == ([], after)


def test_a_domain_that_is_gone_has_no_record(driver, fake):
    start = token(driver)
    fake.remove("vm-1")
    (change,), _ = driver.watch(start, 0, deadline=SOON)
    assert (change.native_id, change.info) == ("vm-1", None)


def test_a_crash_is_called_one(driver, fake):
    start = token(driver)
    fake.crash("vm-1")
    (change,), _ = driver.watch(start, 0, deadline=SOON)
    assert (change.info.power_state, change.kind) == ("crashed", EventKind.CRASHED)


def test_what_is_due_while_waiting_is_told(driver, fake):
    fake.guest("vm-1", shutdown_seconds=0.05)
    start = token(driver)
    driver.shutdown("vm-1", deadline=SOON)
    (change,), _ = driver.watch(start, 30, deadline=SOON)
    assert change.info.power_state == "shutoff"


def test_who_falls_behind_the_history_is_told_so():
    driver = make(history=3)
    fake = driver.native(deadline=SOON)
    start = token(driver)
    for number in range(4):
        fake.rename("vm-1", f"name-{number}")
    assert driver.watch(start, 0, deadline=SOON) == ([], None)
    driver.close()


def test_lost_events_are_told_to_every_token(driver, fake):
    start = token(driver)
    fake.lost_events()
    assert driver.watch(start, 1000, deadline=SOON) == ([], None)
    assert driver.watch(token(driver), 0, deadline=SOON)[1] is not None


def test_a_sibling_sees_the_same_world(driver, fake):
    sibling = driver.sibling()
    sibling.open(deadline=SOON)
    start = token(sibling)
    driver.pause("vm-1", deadline=SOON)
    assert len(sibling.watch(start, 0, deadline=SOON)[0]) == 1
    assert fake.open_sessions == 2
    sibling.close()
    sibling.close()
    assert fake.open_sessions == 1


def test_a_watch_follows_another_client_and_a_lost_connection():
    with hvsdk.connect("fake://demo") as host, host.watch() as watch:
        fake = control(host)
        fake.set_state("web-1", "paused")
        event = watch.get(timeout=30)
        assert (event.kind, event.domain.name) == ("paused", "web-1")
        native_id = fake.define("newcomer")
        event = watch.get(timeout=30)
        assert (event.kind, event.domain.native_id) == ("defined", native_id)
        fake.drop_connections()
        fake.remove("newcomer")
        kinds = [watch.get(timeout=30).kind for _ in range(3)]
        assert kinds == ["host-lost", "host-back", "removed"]
