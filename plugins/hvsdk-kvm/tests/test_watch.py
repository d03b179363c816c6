"""Changes that libvirt pushes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import hvsdk
import libvirt
import pytest
from hvsdk import PowerState, errors
from hvsdk.driver import Change, EventKind
from hvsdk_testbed.domainxml import NicXML, domain_xml, nic_xml
from hvsdk_testbed.libvirtd import PrivateLibvirtd
from kvm_support import OpenDriver, eventually, finish, soon, world_domain

from hvsdk_kvm._driver import KvmDriver


class Watcher:
    """Follows one driver, as the core does."""

    def __init__(self, driver: KvmDriver) -> None:
        self.driver = driver
        changes, self.token = driver.watch(None, 0.0, deadline=soon())
        assert list(changes) == []
        self.seen: list[Change] = []

    def until(self, condition: Callable[[Change], Any], seconds: float = 15.0) -> Change:
        def found() -> bool:
            changes, self.token = self.driver.watch(self.token, 0.3, deadline=soon())
            assert self.token is not None
            self.seen += changes
            return any(map(condition, self.seen))

        assert eventually(found, seconds), self.seen
        return next(change for change in self.seen if condition(change))


def is_state(state: PowerState) -> Callable[[Change], bool]:
    return lambda change: change.info is not None and change.info.power_state == state


def test_definitions_and_removals_are_told(daemon: KvmDriver) -> None:
    watcher = Watcher(daemon)
    made = daemon.connection.defineXML(domain_xml("d"))
    change = watcher.until(is_state(PowerState.SHUTOFF))
    assert change.native_id == made.UUIDString()
    made.undefine()
    watcher.until(lambda change: change.info is None)


def test_power_changes_are_told(daemon: KvmDriver) -> None:
    made = daemon.connection.defineXML(domain_xml("d"))
    watcher = Watcher(daemon)
    made.create()
    watcher.until(is_state(PowerState.RUNNING))
    made.suspend()
    watcher.until(is_state(PowerState.PAUSED))
    made.resume()
    made.managedSave()
    watcher.until(is_state(PowerState.SUSPENDED))


def test_saved_memory_that_somebody_else_removes_is_told(
    daemon: KvmDriver, libvirtd: PrivateLibvirtd, open_driver: OpenDriver
) -> None:
    made = daemon.connection.defineXML(domain_xml("d"))
    made.create()
    made.managedSave()
    watcher = Watcher(daemon)
    open_driver(libvirtd.uri).connection.lookupByName("d").managedSaveRemove()
    watcher.until(is_state(PowerState.SHUTOFF))


def test_devices_and_metadata_are_changes(daemon: KvmDriver) -> None:
    made = daemon.connection.defineXML(domain_xml("d"))
    made.create()
    watcher = Watcher(daemon)
    made.attachDeviceFlags(nic_xml(NicXML()), libvirt.VIR_DOMAIN_AFFECT_LIVE)
    watcher.until(lambda change: change.kind == EventKind.CHANGED)
    watcher.seen.clear()
    made.setMetadata(libvirt.VIR_DOMAIN_METADATA_DESCRIPTION, "notes", None, None)
    watcher.until(lambda change: change.kind == EventKind.CHANGED)


def test_many_changes_cost_two_calls(daemon: KvmDriver) -> None:
    watcher = Watcher(daemon)
    for number in range(20):
        daemon.connection.defineXML(domain_xml(f"d{number}"))
    seen: set[str] = set()

    def all_seen() -> bool:
        changes, watcher.token = daemon.watch(watcher.token, 0.3, deadline=soon())
        seen.update(change.info.name for change in changes if change.info is not None)
        return len(seen) == 20

    assert eventually(all_seen)


def test_two_watches_of_one_connection_both_hear(open_driver: OpenDriver, world: Callable[..., str]) -> None:
    driver = open_driver(world(world_domain("one")))
    one, two = Watcher(driver), Watcher(driver)
    driver.connection.lookupByName("one").suspend()
    one.until(is_state(PowerState.PAUSED))
    two.until(is_state(PowerState.PAUSED))


def test_nothing_is_told_when_nothing_changes(open_driver: OpenDriver, world: Callable[..., str]) -> None:
    driver = open_driver(world(world_domain("one")))
    watcher = Watcher(driver)
    changes, token = driver.watch(watcher.token, 0.1, deadline=soon())
    assert list(changes) == []
    assert token is not None


def test_a_token_of_a_connection_before_says_that_changes_were_lost(
    libvirtd: PrivateLibvirtd, daemon: KvmDriver
) -> None:
    watcher = Watcher(daemon)
    daemon.open(deadline=soon())
    assert daemon.watch(watcher.token, 0.1, deadline=soon()) == ((), None)


def test_a_lost_daemon_ends_the_wait_at_once(open_driver: OpenDriver) -> None:
    with PrivateLibvirtd() as own:
        driver = open_driver(own.uri)
        watcher = Watcher(driver)
        own.kill()
        with pytest.raises((errors.ConnectionLostError, libvirt.libvirtError)):
            driver.watch(watcher.token, 10.0, deadline=soon())


def test_the_test_drivers_own_world_is_watched(test_host: hvsdk.Host) -> None:
    one = test_host.domain("one")
    with test_host.watch() as watch:
        one.pause()
        event = watch.get(timeout=10)
        assert event is not None
        assert (event.kind, event.after.power_state) == ("paused", "paused")


def test_events_go_on_after_the_daemon_was_restarted() -> None:
    with PrivateLibvirtd() as own, hvsdk.connect(own.uri, timeout=10) as host:
        host.native().defineXML(domain_xml("d"))
        with host.watch() as watch:
            own.restart()
            kinds = []

            def back() -> bool:
                event = watch.get(timeout=1)
                kinds.extend([] if event is None else [event.kind])
                return EventKind.HOST_BACK in kinds

            assert eventually(back, 30)
            host.domain("d").start()
            assert eventually(lambda: (event := watch.get(timeout=1)) is not None and event.kind == "started", 15)


def test_a_suspended_domain_is_told_through_the_core(daemon: KvmDriver, libvirtd: PrivateLibvirtd) -> None:
    made = daemon.connection.defineXML(domain_xml("d"))
    finish(daemon.start(made.UUIDString(), deadline=soon()))
    with hvsdk.connect(libvirtd.uri) as host, host.watch() as watch:
        host.domain("d").suspend()
        seen = []

        def suspended() -> bool:
            event = watch.get(timeout=1)
            seen.extend([] if event is None else [event.kind])
            return "suspended" in seen

        assert eventually(suspended)
