"""Watches of a whole host: `fake://` through the core."""

import os
import pickle
import threading

import pytest

import hvsdk
from hvsdk.enums import EventKind as K

SOON = 10.0


@pytest.fixture
def host():
    with hvsdk.connect("fake://demo") as host:
        yield host


def test_verbs_are_told_in_order(host):
    with host.watch() as watch:
        assert watch.domains == [domain.info for domain in host.domains()]
        assert watch.host is host
        web = host.domain("web-1")
        web.pause()
        events = [watch.get(timeout=SOON)]
        assert events[0].kind == K.PAUSED
        web.unpause()
        web.rename("web-2")
        web.power_off()
        web.delete()
        while events[-1].kind != K.REMOVED:
            events.append(watch.get(timeout=SOON))
    assert {event.domain for event in events} == {web}
    assert [event.before for event in events[1:]] == [event.after for event in events[:-1]]


def test_events_carry_handles_that_work(host):
    with host.watch() as watch:
        host.domain("db-1").start()
        event = watch.get(timeout=SOON)
        assert event.kind == K.STARTED
        assert event.host is host
        event.domain.power_off()
        assert watch.get(timeout=SOON).kind == K.STOPPED


def test_event_hooks_are_called_and_one_that_crashes_stops_nobody(host, caplog):
    seen = threading.Event()

    class Broken:
        @hvsdk.hookimpl
        def hvsdk_event(self, event):
            raise RuntimeError("a broken tool")

    class Audit:
        @hvsdk.hookimpl
        def hvsdk_event(self, event):
            if event.kind == K.PAUSED:
                seen.set()

    plugins = [Broken(), Audit()]
    for plugin in plugins:
        hvsdk.register(plugin)
    try:
        with host.watch() as watch:
            host.domain("web-1").pause()
            assert watch.get(timeout=SOON).kind == K.PAUSED
            assert seen.wait(SOON)
    finally:
        for plugin in plugins:
            hvsdk.unregister(plugin)
    assert "Broken" in caplog.text


def test_closing_the_host_ends_its_watches(host):
    watch = host.watch()
    ended = threading.Event()

    def read():
        list(watch)
        ended.set()

    threading.Thread(target=read, daemon=True).start()
    host.close()
    assert ended.wait(SOON)


def test_a_closed_host_is_not_watched(host):
    host.close()
    with pytest.raises(hvsdk.errors.HostClosedError):
        host.watch()


def test_a_watch_stays_in_its_process(host):
    with host.watch() as watch:
        with pytest.raises(TypeError, match=r"call watch\(\) over there"):
            pickle.dumps(watch)
        watch._pid = os.getpid() + 1
        with pytest.raises(hvsdk.errors.HostClosedError, match="process"):
            watch.get(timeout=0)
