"""The events of many hosts as one stream: nothing is missed, nothing is told twice, whatever breaks."""

from __future__ import annotations

import asyncio
import random
import threading
import time

import pytest

import hvsdk
from hvsdk import EventKind, errors
from hvsdk.testing.fake import control


def drain(watch, quiet=1.0):
    """Return the events until none comes any more."""
    events = []
    while (event := watch.get(quiet)) is not None:
        events.append(event)
    return events


@pytest.fixture
def fleet():
    with hvsdk.Fleet({"a": "fake://a?domains=3", "b": "fake://b?domains=2"}) as fleet:
        yield fleet


def test_events_of_all_hosts_come_in_one_stream(fleet):
    with fleet.watch() as watch:
        assert len(watch.domains) == 5
        fleet.host("a").domain("web-1").power_off()
        fleet.host("b").domains(state="running")[0].pause()
        kinds = {watch.get(10).kind, watch.get(10).kind}
    assert kinds == {EventKind.STOPPED, EventKind.PAUSED}


def test_events_applied_to_the_first_listing_give_the_last_one_whatever_breaks(fleet):
    rng = random.Random(7)
    with fleet.watch(interval=0.05) as watch:
        states = {(domain.host.url, domain.native_id): domain.power_state for domain in fleet.domains()}
        for _ in range(40):
            domain = rng.choice(fleet.domains())
            if domain.power_state in ("running", "paused"):
                domain.power_off()
            else:
                domain.start()
            if rng.random() < 0.3:
                control(domain.host).drop_connections()
            if rng.random() < 0.2:
                control(domain.host).lost_events()
        for event in drain(watch, 2.0):
            if event.native_id is not None:
                before = states.get((event.host.url, event.native_id))
                assert event.before is None or event.before.power_state == before, "a step was missed or told twice"
                states[event.host.url, event.native_id] = event.after.power_state
        assert states == {(domain.host.url, domain.native_id): domain.power_state for domain in fleet.domains()}


def test_a_host_that_cannot_be_reached_comes_in_when_it_can():
    hosts = {"a": "fake://a?domains=1", "late": "fake://late?domains=2&fault=open:drop-before*3"}
    with hvsdk.Fleet(hosts) as fleet, fleet.watch() as watch:
        assert len(watch.domains) == 1
        assert [failure.host for failure in watch.failures] == ["late"]
        assert watch.get(10).kind is EventKind.HOST_LOST
        events = [watch.get(20) for _ in range(3)]
        assert [event.kind for event in events] == [EventKind.HOST_BACK, EventKind.DEFINED, EventKind.DEFINED]
        assert watch.failures == ()


def test_refused_credentials_are_not_tried_again_in_the_background():
    class Counting:
        count = 0

        @hvsdk.hookimpl
        def hvsdk_credentials(self, target):
            Counting.count += 1
            return hvsdk.PasswordCredentials(password="wrong")

    plugin = Counting()
    hvsdk.register(plugin, "counting")
    try:
        with hvsdk.Fleet({"a": "fake://root@a?login_password=right"}) as fleet, fleet.watch() as watch:
            assert watch.get(5).kind is EventKind.HOST_LOST
            assert watch.get(2) is None
            assert [failure.kind for failure in watch.failures] == ["Authentication"]
            assert Counting.count == 1
    finally:
        hvsdk.unregister(plugin)


def test_closing_from_another_thread_ends_whoever_waits(fleet):
    watch = fleet.watch()
    threading.Timer(0.2, watch.close).start()
    assert list(watch) == []
    assert watch.closed
    watch.close()


def test_a_slow_reader_gets_one_event_for_each_domain(fleet):
    domain = fleet.host("a").domain("web-1")
    with fleet.watch(limit=1) as watch:
        for _ in range(150):
            domain.pause()
            domain.unpause()
        domain.power_off()
        time.sleep(1)
        events = drain(watch, 0.5)
    assert len(events) < 200
    assert events[-1].after.power_state == "shutoff"


def test_a_slow_reader_can_ask_for_an_error_instead():
    with hvsdk.connect("fake://a?domains=1") as host, host.watch(limit=5, overflow="error") as watch:
        domain = host.domains()[0]
        for _ in range(20):
            (domain.power_off if domain.power_state == "running" else domain.start)()
            time.sleep(0.05)
        read = [watch.get(5) for _ in range(5)]
        assert all(event is not None for event in read)
        with pytest.raises(errors.OperationFailedError, match="more than 5 events"):
            watch.get(5)


def test_an_unknown_way_to_overflow_is_refused(fleet):
    with pytest.raises(errors.InvalidSpecError, match="overflow="):
        fleet.watch(overflow="drop")


def test_an_asyncio_program_reads_it_without_a_thread(fleet):
    async def main():
        kinds = []
        with fleet.watch() as watch:
            threading.Timer(0.2, lambda: fleet.host("a").domain("web-1").power_off()).start()
            async for event in watch:
                kinds.append(event.kind)
                break
        return kinds

    assert asyncio.run(main()) == [EventKind.STOPPED]


def test_two_hundred_watchers_leave_the_executor_of_asyncio_free():
    hosts = [hvsdk.connect(f"fake://w{n}?domains=1") for n in range(200)]
    watches = [host.watch() for host in hosts]

    async def first(watch):
        async for event in watch:
            return event.kind
        return None

    async def main():
        tasks = [asyncio.create_task(first(watch)) for watch in watches]
        await asyncio.sleep(0.1)
        began = time.monotonic()
        assert await asyncio.to_thread(lambda: 7) == 7
        assert time.monotonic() - began < 5
        for host in hosts:
            domain = host.domains()[0]
            if domain.power_state == "running":
                domain.power_off()
            else:
                domain.start()
        return await asyncio.gather(*tasks)

    try:
        assert set(asyncio.run(main())) <= {EventKind.STOPPED, EventKind.STARTED}
    finally:
        for watch, host in zip(watches, hosts, strict=True):
            watch.close()
            host.close()


def test_the_end_of_a_watch_ends_its_asynchronous_reader(fleet):
    async def main():
        watch = fleet.watch()
        threading.Timer(0.2, watch.close).start()
        return [event async for event in watch]

    assert asyncio.run(main()) == []


def test_some_hosts_alone_are_followed():
    hosts = {"a": {"url": "fake://a?domains=1", "tags": ["x"]}, "b": "fake://b?domains=1"}
    with hvsdk.Fleet(hosts) as fleet:
        for chosen in ({"hosts": "a"}, {"host_tags": "x"}):
            with fleet.watch(**chosen) as watch:
                assert [info.name for info in watch.domains] == ["web-1"]
        with pytest.raises(hvsdk.errors.NotFoundError, match="no host of the fleet is named 'c'"):
            fleet.watch(hosts="c")
