"""The fake's power machine and its guests, below the core: what the product itself refuses, and what guests do."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import hvsdk
from hvsdk import PowerState, errors
from hvsdk.driver import Deadline, Target
from hvsdk.testing.fake import control
from hvsdk.testing.fake._control import FakeControl
from hvsdk.testing.fake._driver import FakeDriver
from hvsdk.testing.fake._errors import FakeError

VERBS = ("start", "shutdown", "power_off", "reboot", "reset", "pause", "unpause", "suspend", "resume", "delete")
CARRIED_OUT = {
    "start": {"shutoff": "running", "suspended": "running"},
    "shutdown": {"running": "shutoff"},
    "power_off": {"running": "shutoff", "paused": "shutoff", "crashed": "shutoff"},
    "reboot": {"running": "running"},
    "reset": {"running": "running", "crashed": "running"},
    "pause": {"running": "paused"},
    "unpause": {"paused": "running"},
    "suspend": {"running": "suspended"},
    "resume": {"suspended": "running"},
    "delete": {"shutoff": None},
}
SOON = Deadline(3600)  # counted from the collection of the tests, which may run much later


@pytest.fixture
def driver() -> Iterator[FakeDriver]:
    driver = FakeDriver(Target(url="fake://power", scheme="fake", hostname="power"))
    driver.open(deadline=SOON)
    yield driver
    driver.close()


@pytest.fixture
def fake(driver) -> FakeControl:
    return driver.native(deadline=SOON)


def call(driver: FakeDriver, verb: str) -> object:
    more = {"power_off": {"discard_memory": False}, "delete": {"disks": "keep"}}.get(verb, {})
    return getattr(driver, verb)("vm-1", **more, deadline=SOON)


def state_of(driver: FakeDriver) -> PowerState | None:
    try:
        return driver.get_domain("vm-1", frozenset(), deadline=SOON).power_state
    except FakeError:
        return None


@pytest.mark.parametrize("state", list(PowerState))
@pytest.mark.parametrize("verb", VERBS)
def test_the_product_refuses_what_the_table_calls_an_error_and_what_is_done_already(driver, fake, verb, state):
    fake.set_state("vm-1", state)
    if state in CARRIED_OUT[verb]:
        call(driver, verb)
        assert state_of(driver) == CARRIED_OUT[verb][state]
        return
    with pytest.raises(FakeError) as caught:
        call(driver, verb)
    assert caught.value.code == ("BUSY" if state == "changing" else "BAD_POWER_STATE")
    assert state_of(driver) == state


def test_saved_memory_is_given_up_only_when_that_is_said(driver, fake):
    fake.set_state("vm-1", "suspended")
    info = driver.power_off("vm-1", discard_memory=True, deadline=SOON)
    assert info.power_state == "shutoff"
    assert fake.boot_id("vm-1") is None


@pytest.fixture
def host() -> Iterator[hvsdk.Host]:
    with hvsdk.connect("fake://demo", timeout=10.0) as host:
        yield host


@pytest.fixture
def web(host) -> hvsdk.Domain:
    return host.domain("web-1")


def test_memory_is_the_same_through_pause_and_suspend_and_new_after_a_start(host, web):
    fake = control(host)
    web.reset()
    boot = fake.boot_id(web)
    web.pause()
    web.unpause()
    web.suspend()
    web.resume()
    web.suspend()
    web.start()
    assert fake.boot_id(web) == boot
    web.power_off()
    web.start()
    assert fake.boot_id(web) != boot


def test_a_booting_guest_misses_the_first_request(host, web):
    fake = control(host)
    fake.guest(web, boot_seconds=0.15)
    web.reset()
    before = fake.calls.get("shutdown", 0)
    web.shutdown(timeout=30)
    assert web.power_state == "shutoff"
    assert fake.calls["shutdown"] - before >= 2


def test_a_guest_that_takes_its_time_is_waited_for(host, web):
    control(host).guest(web, shutdown_seconds=0.1)
    web.shutdown(timeout=30)
    assert web.power_state == "shutoff"


def test_a_guest_that_ignores_shutdown_keeps_running(host, web):
    control(host).guest(web, shutdown="ignores")
    with pytest.raises(errors.OperationTimeoutError):
        web.shutdown(timeout=1.0)
    assert web.refresh().power_state == "running"
    web.shutdown(timeout=1.0, then="power_off")
    assert web.power_state == "shutoff"


@pytest.mark.parametrize("agent", ["absent", "stopped"])
def test_a_guest_without_tools_cannot_be_asked(host, web, agent):
    control(host).guest(web, agent=agent)
    with pytest.raises(errors.GuestAgentError) as caught:
        web.shutdown(timeout=30)
    assert not caught.value.not_yet
    assert web.refresh().agent == agent


def test_tools_that_do_not_run_yet_are_tried_again(host, web):
    fake = control(host)
    fake.fail("shutdown", "TOOLS_NOT_READY", times=2)
    web.shutdown(timeout=30)
    assert web.power_state == "shutoff"
    assert fake.calls["shutdown"] == 3


def test_a_guest_that_dies_right_after_its_start_is_reported_as_it_is(host, web):
    web.power_off()
    control(host).guest(web, dies=True)
    web.start()
    assert web.refresh().power_state == "shutoff"


def test_a_planned_switch_off_does_not_reach_a_later_boot(host, web):
    fake = control(host)
    fake.guest(web, shutdown_seconds=1000.0)
    with pytest.raises(errors.OperationTimeoutError):
        web.shutdown(timeout=1.0)
    web.reset()
    fake.advance(2000)
    assert web.refresh().power_state == "running"


def test_addresses_come_with_the_agent_and_go_with_the_power(host, web):
    assert {address.source for address in web.addresses} == {"agent"}
    control(host).guest(web, agent="absent")
    assert {address.source for address in web.refresh().addresses} == {"lease"}
    web.power_off()
    assert web.refresh().addresses == ()


def test_a_fenced_domain_is_refused_by_the_product_until_unfenced(driver, fake):
    driver.power_off("vm-1", discard_memory=False, deadline=SOON)
    before = driver.get_domain("vm-1", frozenset({"config"}), deadline=SOON)
    driver.create_snapshot("vm-1", "s", memory=False, quiesce=False, description="", deadline=SOON)
    snapshot = driver.list_snapshots("vm-1", deadline=SOON)[0]
    driver.fence("vm-1", "moved", deadline=SOON)
    driver.fence("vm-1", "again", deadline=SOON)
    info = driver.get_domain("vm-1", frozenset({"config"}), deadline=SOON)
    assert not info.autostart
    assert not any(nic.link_up for nic in info.nics)
    assert info.fenced.reason == "moved"
    for act in (driver.start, lambda i, deadline: driver.revert_snapshot(i, snapshot.id, deadline=deadline)):
        with pytest.raises(FakeError, match="FENCED"):
            act("vm-1", deadline=SOON)
    driver.unfence("vm-1", deadline=SOON)
    driver.unfence("vm-1", deadline=SOON)
    after = driver.get_domain("vm-1", frozenset({"config"}), deadline=SOON)
    assert (after.autostart, after.nics, after.metadata) == (before.autostart, before.nics, before.metadata)
    driver.start("vm-1", deadline=SOON)


def test_more_memory_than_a_node_has_cannot_start(host):
    big = host.create_domain(hvsdk.DomainSpec(name="big", memory="1TiB"))
    with pytest.raises(errors.InsufficientResourcesError):
        big.start()
    assert big.refresh().power_state == "shutoff"
