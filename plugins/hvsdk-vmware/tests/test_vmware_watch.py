"""Changes as vSphere pushes them."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator

import hvsdk
import pytest
from hvsdk import EventKind
from hvsdk.driver import Change, DomainInfo, PowerState
from hvsdk_simulators import Running
from pyVmomi import vim
from vmware_follower import Follower
from vmware_support import Raw, connect, domain_calls, eventually, opened, soon

from hvsdk_vmware._driver import VmwareDriver

WATCH_THREADS = ("hvsdk-watch", "hvsdk-vmware-keep-alive")


@pytest.fixture
def follower(driver: VmwareDriver, domain: hvsdk.Domain) -> Follower:
    return Follower(driver)


def of(key: str, state: PowerState | None = None) -> Callable[[Change], bool]:
    return lambda change: (
        change.native_id == key and change.info is not None and state in (None, change.info.power_state)
    )


def test_each_state_is_told(follower: Follower, domain: hvsdk.Domain, raw: Raw) -> None:
    for state in ("running", "suspended", "running", "shutoff"):
        raw.reach(domain.native_id, state)
        change = follower.until(of(domain.native_id, PowerState(state)))
        assert change.info is not None
        assert change.info.node


def test_a_new_name_is_told_as_people_see_it(follower: Follower, domain: hvsdk.Domain, raw: Raw) -> None:
    raw.rename(domain.native_id, "a/b %2f <x>&")
    change = follower.until(of(domain.native_id))
    assert change.info is not None
    assert change.info.name == "a/b %2f <x>&"


def test_a_domain_that_comes_and_goes_is_told(follower: Follower, raw: Raw) -> None:
    key = raw.make_vm("comes-and-goes")
    assert follower.until(of(key)).kind is None
    raw.remove_vm(key)
    assert follower.until(lambda change: change.native_id == key and change.info is None)


def test_what_the_summary_does_not_show_is_told_as_a_change(
    follower: Follower, domain: hvsdk.Domain, center: Running, raw: Raw
) -> None:
    domain.set_notes(f"noted at {time.monotonic()}")
    assert follower.until(of(domain.native_id)).kind == EventKind.CHANGED
    question = center.act("question", vm=domain.native_id, now=True)
    assert follower.until(of(domain.native_id)).kind == EventKind.CHANGED
    raw.vm(domain.native_id).AnswerVM(question, "button.uuid.movedTheVM")
    assert follower.until(of(domain.native_id)).kind == EventKind.CHANGED


def test_a_snapshot_is_told_as_a_change(follower: Follower, spare: hvsdk.Domain) -> None:
    follower.until(of(spare.native_id))
    for name in ("one", "two"):
        spare.create_snapshot(name)
        assert follower.until(of(spare.native_id)).kind == EventKind.CHANGED


def test_a_move_to_another_host_is_told(follower: Follower, domain: hvsdk.Domain, raw: Raw) -> None:
    raw.reach(domain.native_id, "running")
    follower.until(of(domain.native_id, PowerState.RUNNING))
    vm = raw.vm(domain.native_id)
    here = vm.runtime.host
    there = next(host for host in here.parent.host if host._moId != here._moId)
    raw.done(vm.MigrateVM_Task(host=there, priority=vim.VirtualMachine.MovePriority.defaultPriority))
    change = follower.until(lambda each: each.native_id == domain.native_id and each.info.node == there.name)
    assert change.info is not None
    raw.done(vm.MigrateVM_Task(host=here, priority=vim.VirtualMachine.MovePriority.defaultPriority))


def test_a_mark_as_a_template_is_told(follower: Follower, domain: hvsdk.Domain, raw: Raw) -> None:
    vm = raw.vm(domain.native_id)
    pool = vm.resourcePool
    vm.MarkAsTemplate()
    assert follower.until(of(domain.native_id)).info.is_template  # type: ignore[union-attr]
    vm.MarkAsVirtualMachine(pool)
    assert not follower.until(of(domain.native_id)).info.is_template  # type: ignore[union-attr]


def test_more_hardware_is_told(follower: Follower, domain: hvsdk.Domain, raw: Raw) -> None:
    vm = raw.vm(domain.native_id)
    before = vm.config.hardware.numCPU
    raw.done(vm.ReconfigVM_Task(vim.vm.ConfigSpec(numCPUs=before + 1)))
    assert follower.until(lambda each: each.native_id == domain.native_id and each.info.vcpus == before + 1)
    raw.done(vm.ReconfigVM_Task(vim.vm.ConfigSpec(numCPUs=before)))


def test_a_domain_that_vsphere_cannot_see_is_unknown(driver: VmwareDriver, raw: Raw, center: Running) -> None:
    key = raw.make_vm("lost-while-watched")
    follower = Follower(driver)
    center.act("inaccessible", vm=key)
    follower.until(of(key, PowerState.UNKNOWN))
    while follower.next():
        pass
    assert plain(follower.domains[key])[:4] == now(driver)[key][:4]
    raw.remove_vm(key)


def test_a_host_by_itself_tells_the_same(esxi: Running) -> None:
    client = Raw(esxi)
    with opened(esxi) as driver:
        follower = Follower(driver)
        key = client.make_vm("watched-on-esxi")
        follower.until(of(key, PowerState.SHUTOFF))
        client.reach(key, "running")
        follower.until(of(key, PowerState.RUNNING))
        client.remove_vm(key)
        follower.until(lambda change: change.native_id == key and change.info is None)
        assert {key: plain(info) for key, info in follower.domains.items()} == now(driver)
    client.close()


def test_waiting_is_one_call(center: Running, follower: Follower) -> None:
    while follower.next(0.0):
        pass
    center.reset_counts()
    began = time.monotonic()
    assert follower.next(1.0) == []
    assert time.monotonic() - began > 0.8
    assert center.counts().get("WaitForUpdatesEx") == 1


def test_subscribing_and_listing_read_all_once(center: Running, driver: VmwareDriver) -> None:
    followers: list[Follower] = []
    counts = domain_calls(center, lambda: followers.append(Follower(driver)))
    (follower,) = followers
    looks_for_fences = {"RetrievePropertiesEx": 1}  # there is a template
    once = ("CreatePropertyCollector", "CreateContainerView", "CreateFilter", "WaitForUpdatesEx")
    assert counts == dict.fromkeys(once, 1) | looks_for_fences
    assert {key: plain(info) for key, info in follower.domains.items()} == now(driver)


def test_what_is_told_comes_in_pages(center: Running) -> None:
    with opened(center, options={"page_size": 3}) as driver:
        follower = Follower(driver)
        assert {key: plain(info) for key, info in follower.domains.items()} == now(driver)


def test_a_subscription_takes_the_place_of_the_one_before(center: Running, driver: VmwareDriver) -> None:
    follower = Follower(driver)
    before = follower.token
    center.reset_counts()
    follower.subscribe()
    assert center.counts()["DestroyPropertyCollector"] == 1
    assert driver.watch(before, 0.0, deadline=soon()) == ((), None)


def plain(info: DomainInfo) -> tuple[object, ...]:
    return info.name, info.uuid, info.power_state, info.node, info.is_template, info.vcpus, info.memory_bytes


def now(driver: VmwareDriver) -> dict[str, tuple[object, ...]]:
    with_config = driver.list_domains(frozenset({"guest"}), deadline=soon())
    return {info.native_id: plain(info) for info in with_config}


# ---- what goes wrong -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        "WaitForUpdatesEx:drop-before:1",
        "WaitForUpdatesEx:drop-after:1",
        "WaitForUpdatesEx:half-answer:1",
        "WaitForUpdatesEx:session-expired:1",
        "WaitForUpdatesEx:error=InvalidCollectorVersion:1",
    ],
)
def test_changes_that_were_lost_are_said_to_be(
    fault: str, center: Running, driver: VmwareDriver, domain: hvsdk.Domain, raw: Raw
) -> None:
    follower = Follower(driver)
    raw.rename(domain.native_id, "told-or-lost")
    center.fault(fault)
    changes, token = driver.watch(follower.token, 1.0, deadline=soon())
    assert (list(changes), token) == ([], None)
    follower.subscribe()
    assert follower.domains[domain.native_id].name == "told-or-lost"


def test_a_session_that_ends_while_it_is_subscribed_to_is_renewed(
    make_center: Callable[..., Running],
) -> None:
    center = make_center()
    with opened(center) as driver:
        center.fault("CreateFilter:session-expired:1")
        assert Follower(driver).domains


def test_a_frozen_server_is_given_up_in_time(center: Running) -> None:
    with opened(center) as driver:
        follower = Follower(driver)
        center.fault("WaitForUpdatesEx:freeze:1")
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            driver.watch(follower.token, 0.0, deadline=soon(1.0))
        assert time.monotonic() - began < 10


def test_closing_ends_a_call_that_waits(make_center: Callable[..., Running]) -> None:
    center = make_center()
    with opened(center) as driver:
        follower = Follower(driver)
        ended = threading.Event()
        center.reset_counts()

        def wait() -> None:
            driver.watch(follower.token, 15.0, deadline=soon(60))
            ended.set()

        thread = threading.Thread(target=wait)
        thread.start()
        assert eventually(lambda: center.counts().get("WaitForUpdatesEx"))
        began = time.monotonic()
        driver.close()
        assert ended.wait(10)
        assert time.monotonic() - began < 10
        thread.join()
    assert center.sessions() == []


# ---- through the core ------------------------------------------------------------------------------------


class Table:
    """The listing of a watch, to which events are applied."""

    def __init__(self, watch: hvsdk.Watch, host: hvsdk.Host) -> None:
        self._watch, self._host = watch, host
        self.known = {info.native_id: info for info in watch.domains}
        self.told: list[hvsdk.Event] = []

    def differences(self) -> object:
        while (event := self._watch.get(timeout=0.2)) is not None:
            self.told.append(event)
            info = event.after or event.before
            if info is None:
                continue
            self.known[info.native_id] = info
            if event.after is None:
                del self.known[info.native_id]
        now = {domain.native_id: (domain.name, domain.power_state, domain.node) for domain in self._host.domains()}
        known = {key: (info.name, info.power_state, info.node) for key, info in self.known.items()}
        return {(key, known.get(key), now.get(key)) for key in known | now if known.get(key) != now.get(key)}


@pytest.fixture
def own(make_center: Callable[..., Running]) -> Iterator[tuple[Running, hvsdk.Host]]:
    """A vCenter of the test's own."""
    center = make_center(domains=6, hosts=2)
    with connect(center) as host:
        yield center, host


def change_much(center: Running, count: int, seed: int) -> None:
    """Make so many changes, as another client does."""
    choose = random.Random(seed)
    client = Raw(center)
    keys = [client.make_vm(f"made-{seed}-{number}") for number in range(3)]
    for number in range(count):
        key = choose.choice(keys)
        match choose.randrange(5):
            case 0 | 1:
                client.reach(key, choose.choice(["running", "shutoff", "suspended"]))
            case 2 | 3:
                client.rename(key, f"n/{seed}-{number}")
            case 4:
                client.remove_vm(key)
                keys[keys.index(key)] = client.make_vm(f"again-{seed}-{number}")
    client.close()


def test_two_hundred_changes_applied_to_the_listing_give_the_listing_now(own: tuple[Running, hvsdk.Host]) -> None:
    center, host = own
    with host.watch() as watch:
        table = Table(watch, host)
        change_much(center, 200, 1)
        assert eventually(lambda: not table.differences()), table.differences()
        for event in table.told:
            if event.kind != EventKind.CHANGED:
                assert event.before != event.after
        assert not any(event.kind in (EventKind.HOST_LOST, EventKind.HOST_BACK) for event in table.told)


def test_a_restart_and_broken_connections_lose_no_change_and_tell_none_twice(own: tuple[Running, hvsdk.Host]) -> None:
    center, host = own

    with host.watch() as watch:
        table = Table(watch, host)
        for number, action in enumerate(("hang-up", "restart", "expire-sessions", "restart")):
            change_much(center, 8, number + 2)
            center.act(action)
            change_much(center, 4, number + 12)
        assert eventually(lambda: not table.differences()), table.differences()
        seen: dict[str, DomainInfo] = {info.native_id: info for info in watch.domains}
        for event in table.told:
            info = event.after or event.before
            if info is None:
                continue
            assert seen.get(info.native_id) == event.before, "each event goes on from the one before"
            seen[info.native_id] = info
            if event.after is None:
                del seen[info.native_id]


def test_a_watch_has_the_words_for_what_happens(host: hvsdk.Host, domain: hvsdk.Domain, raw: Raw) -> None:
    key = domain.native_id
    with host.watch() as watch:
        kinds: list[EventKind] = []

        def heard(kind: EventKind) -> bool:
            event = watch.get(timeout=1.0)
            if event is not None and event.domain is not None and event.domain.native_id == key:
                kinds.append(event.kind)
            return kind in kinds

        for state, kind in (
            ("running", EventKind.STARTED),
            ("suspended", EventKind.SUSPENDED),
            ("running", EventKind.RESUMED),
            ("shutoff", EventKind.STOPPED),
        ):
            kinds.clear()
            raw.reach(key, state)
            assert eventually(lambda kind=kind: heard(kind)), f"{kind} was not told, but {kinds}"


def test_a_watch_that_is_closed_leaves_no_session_and_no_thread(own: tuple[Running, hvsdk.Host]) -> None:
    center, host = own
    host.info()
    before = {thread.ident for thread in threading.enumerate() if thread.name in WATCH_THREADS}
    watch = host.watch()
    ended = threading.Event()

    def read() -> None:
        for _ in watch:
            pass
        ended.set()

    threading.Thread(target=read, daemon=True).start()
    watch.close()
    assert ended.wait(10)
    assert eventually(lambda: len(center.sessions()) == 1), "its session was not logged out"

    def ours() -> set[int | None]:
        return {thread.ident for thread in threading.enumerate() if thread.name in WATCH_THREADS}

    assert eventually(lambda: ours() <= before)
