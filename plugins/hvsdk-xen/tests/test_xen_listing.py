"""Listing and finding domains, and what that costs in calls."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import hvsdk
import pytest
import XenAPI
from hvsdk.driver import DomainInfo, PowerState, errors
from hvsdk_simulators import Running
from xen_support import Raw, connect, eventually, opened, soon

from hvsdk_xen._driver import XenDriver
from hvsdk_xen._related import Memory

STATE: frozenset[str] = frozenset()
CONFIG, GUEST = frozenset({"config"}), frozenset({"guest"})
FULL = CONFIG | GUEST
SEEN = {"seen_at": None}
STATES = {"Halted": "shutoff", "Running": "running", "Paused": "paused", "Suspended": "suspended"}


def listed(driver: XenDriver, include: frozenset[str] = FULL) -> dict[str, DomainInfo]:
    return {info.native_id: info for info in driver.list_domains(include, deadline=soon())}


def calls(pool: Running, work: Callable[[], Any]) -> dict[str, int]:
    """Return which calls something makes."""
    pool.reset_counts()
    work()
    return dict(pool.counts())


def test_a_listing_shows_what_the_pool_has(driver: XenDriver, raw: Raw) -> None:
    found = listed(driver, STATE)
    records = {vm["uuid"]: vm for vm in raw("VM.get_all_records").values() if not vm["is_a_snapshot"]}
    hosts = raw("host.get_all_records")
    assert found.keys() == records.keys()
    for key, vm in records.items():
        info = found[key]
        assert (info.uuid, info.name, info.power_state) == (key, vm["name_label"], STATES[vm["power_state"]])
        assert (info.vcpus, info.memory_bytes) == (vm["VCPUs_at_startup"], vm["memory_dynamic_max"])
        assert info.node == hosts.get(vm["resident_on"], {}).get("name_label")
        assert (info.is_template, info.is_control) == (vm["is_a_template"], vm["is_control_domain"])
    assert {info.power_state for info in found.values()} >= {"running", "shutoff", "suspended", "paused"}


def test_templates_snapshots_and_control_domains_are_left_out(host: hvsdk.Host, raw: Raw) -> None:
    vms = raw("VM.get_all_records").values()
    plain = {vm["uuid"] for vm in vms if not (vm["is_a_template"] or vm["is_control_domain"])}
    assert {domain.uuid for domain in host.domains()} == plain
    assert any(domain.is_control for domain in host.domains(control=True))
    assert any(domain.is_template for domain in host.domains(templates=True))
    snapshots = {vm["uuid"] for vm in vms if vm["is_a_snapshot"]}
    assert snapshots
    assert not snapshots & {domain.uuid for domain in host.domains(control=True, templates=True)}


@pytest.mark.parametrize(("include", "most"), [(STATE, 2), (GUEST, 4), (CONFIG, 11), (FULL, 11)])
def test_a_listing_takes_so_many_calls(pool: Running, driver: XenDriver, include: frozenset[str], most: int) -> None:
    made = calls(pool, lambda: listed(driver, include))
    assert sum(made.values()) <= most, made
    assert made.pop("event.from") <= 2, "the hosts with their metrics, and what few domains have"
    assert set(made.values()) == {1}, made


def test_calls_do_not_depend_on_how_many_domains_there_are(make_pool: Callable[..., Running]) -> None:
    counts = []
    for domains in (10, 300):
        pool = make_pool(domains=domains, hosts=3)
        with opened(pool) as driver:
            counts.append(calls(pool, lambda driver=driver: listed(driver)))
            assert sum(not (i.is_template or i.is_control) for i in listed(driver).values()) >= domains
    assert counts[0] == counts[1]
    assert sum(counts[0].values()) < 12


@pytest.mark.parametrize("include", [STATE, CONFIG, GUEST, FULL])
def test_one_domain_is_as_the_listing_shows_it(driver: XenDriver, include: frozenset[str]) -> None:
    found = listed(driver, include)
    for key, info in found.items():
        assert driver.get_domain(key, include, deadline=soon()).to_dict() | SEEN == info.to_dict() | SEEN


@pytest.mark.parametrize(("include", "most"), [(STATE, 1), (GUEST, 2), (CONFIG, 4), (FULL, 4)])
def test_one_domain_takes_so_many_calls(
    pool: Running, driver: XenDriver, make_vm: Callable[..., str], include: frozenset[str], most: int
) -> None:
    key = make_vm(disks=3, nics=2)
    driver.get_domain(key, STATE, deadline=soon())
    made = calls(pool, lambda: driver.get_domain(key, include, deadline=soon()))
    assert sum(made.values()) <= most, made


@pytest.mark.parametrize("include", [GUEST, CONFIG, FULL])
def test_a_domain_that_is_known_takes_one_call(
    pool: Running, driver: XenDriver, make_vm: Callable[..., str], include: frozenset[str]
) -> None:
    key = make_vm(disks=3, nics=2)
    before = driver.get_domain(key, include, deadline=soon())
    seen: list[DomainInfo] = []
    made = calls(pool, lambda: seen.append(driver.get_domain(key, include, deadline=soon())))
    assert made == {"event.from": 1}
    assert seen == [before]


def test_what_a_known_domain_got_meanwhile_is_seen(driver: XenDriver, make_vm: Callable[..., str], raw: Raw) -> None:
    key = make_vm()
    ref = raw("VM.get_by_uuid", key)
    before = driver.get_domain(key, FULL, deadline=soon())
    raw.add_disk(ref, 5, 32 << 20)
    raw.add_nic(ref, 3)
    raw("VDI.resize", raw("VBD.get_VDI", raw("VM.get_VBDs", ref)[0]), 64 << 20)
    after = driver.get_domain(key, FULL, deadline=soon())
    assert len(after.disks) == len(before.disks) + 1
    assert len(after.nics) == len(before.nics) + 1
    assert all(nic.network for nic in after.nics)
    assert {64 << 20, 32 << 20} >= {disk.capacity_bytes for disk in after.disks if disk.id in ("0", "5")}
    assert listed(driver)[key] == after


def test_a_known_domain_that_is_gone_is_not_found(driver: XenDriver, make_vm: Callable[..., str], raw: Raw) -> None:
    key = make_vm()
    driver.get_domain(key, FULL, deadline=soon())
    raw.remove_vm(key)
    with pytest.raises(XenAPI.Failure, match="UUID_INVALID"):
        driver.get_domain(key, FULL, deadline=soon())


def test_what_is_remembered_of_domains_has_a_limit() -> None:
    memory = Memory(limit=3)
    for number in range(5):
        memory.remember(number, [str(number)])
    memory.remember(2, ["new"])
    memory.remember(9, [])
    assert [memory.recall(number) for number in (0, 1, 2, 3, 4, 9)] == [None, None, ["new"], None, ["4"], []]


def test_after_a_listing_no_domain_is_looked_up(pool: Running, driver: XenDriver) -> None:
    found = listed(driver, STATE)
    made = calls(pool, lambda: [driver.get_domain(key, STATE, deadline=soon()) for key in list(found)[:5]])
    assert made == {"event.from": 5}


def test_a_domain_whose_reference_has_changed_is_looked_up_anew(
    pool: Running, driver: XenDriver, make_vm: Callable[..., str]
) -> None:
    key, other = make_vm(), make_vm()
    before = driver.get_domain(key, FULL, deadline=soon())
    for stale in ("OpaqueRef:of-another-life", driver.vm_ref(other, soon())):
        driver._refs[key] = stale
        made = calls(pool, lambda: driver.get_domain(key, FULL, deadline=soon()))
        assert made == {"event.from": 2, "VM.get_by_uuid": 1}
        assert driver.get_domain(key, FULL, deadline=soon()) == before


def test_a_domain_of_a_host_that_is_not_heard_is_unknown(make_pool: Callable[..., Running]) -> None:
    pool = make_pool(domains=12, hosts=3)
    with opened(pool) as driver, opened(pool) as other, Raw(pool) as raw:
        host = raw.some_member()
        name = raw("host.get_name_label", raw("host.get_by_uuid", host))
        there = {key for key, info in listed(driver).items() if info.node == name}
        assert {listed(driver)[key].power_state for key in there} >= {PowerState.RUNNING}
        pool.act("kill-host", host=host)
        assert eventually(lambda: not raw.is_heard(host))
        for include in (STATE, FULL):
            states = {key: info.power_state for key, info in listed(driver, include).items()}
            assert {key for key, state in states.items() if state is PowerState.UNKNOWN} == there
        for key in there:
            assert other.get_domain(key, STATE, deadline=soon()).power_state is PowerState.UNKNOWN
            info = driver.get_domain(key, FULL, deadline=soon())
            assert (info.power_state, info.node, info.agent, info.addresses) == ("unknown", name, "unknown", ())
            made = calls(pool, lambda key=key: driver.get_domain(key, FULL, deadline=soon()))
            assert made == {"event.from": 1}
        pool.act("revive-host", host=host)
        assert PowerState.UNKNOWN not in {info.power_state for info in listed(driver).values()}


def test_both_ways_to_write_calls_give_the_same(pool: Running) -> None:
    with opened(pool, rpc="json") as one, opened(pool, rpc="xml") as other:
        ours, theirs = listed(one), listed(other)
    assert ours.keys() == theirs.keys()
    for key, info in ours.items():
        assert info == theirs[key]


@pytest.mark.parametrize("api", ["2.0", "2.10", "2.23"])
def test_pools_of_every_age_are_read(make_pool: Callable[..., Running], api: str) -> None:
    pool = make_pool(domains=20, hosts=2, api=api)
    with opened(pool) as driver:
        found = listed(driver)
        plain = [info for info in found.values() if not (info.is_control or info.is_template)]
        assert len(plain) == 20
        assert all(info.virtualization for info in plain), [info.name for info in plain if not info.virtualization]
        assert all(disk.details["xen.sr_type"] for info in plain for disk in info.disks if disk.volume)
        assert all(nic.network for info in plain for nic in info.nics)
        assert any(info.addresses for info in plain)
        assert driver.host_info(deadline=soon()).api_version == api


def test_a_name_may_be_several_domains(driver: XenDriver, make_vm: Callable[..., str]) -> None:
    twins = {make_vm("one-of-two"), make_vm("one-of-two")}
    assert set(driver.find_domains("one-of-two", deadline=soon())) == twins


def test_a_uuid_is_found_in_both_byte_orders(driver: XenDriver, make_vm: Callable[..., str]) -> None:
    key = make_vm()
    swapped = str(uuid.UUID(bytes=uuid.UUID(key).bytes_le))
    for spelling in (key, key.upper(), swapped):
        assert list(driver.find_domains(spelling, deadline=soon())) == [key]


@pytest.mark.parametrize("name", ['it\'s "quoted"', "$(reboot); `id`", "ünïcode ✓", "<b>&amp;</b>", "a/../b", "%s {}"])
def test_odd_names_are_found(driver: XenDriver, make_vm: Callable[..., str], name: str) -> None:
    key = make_vm(name)
    assert key in driver.find_domains(name, deadline=soon())
    assert driver.get_domain(key, STATE, deadline=soon()).name == name


def test_a_name_that_looks_like_a_uuid_is_found(driver: XenDriver, make_vm: Callable[..., str]) -> None:
    name = str(uuid.uuid4())
    key = make_vm(name)
    assert list(driver.find_domains(name, deadline=soon())) == [key]


def test_what_is_not_there_is_not_found(host: hvsdk.Host, driver: XenDriver) -> None:
    for key in ("no-such-domain", str(uuid.uuid4())):
        assert list(driver.find_domains(key, deadline=soon())) == []
        with pytest.raises(errors.DomainNotFoundError):
            host.domain(key)
    with pytest.raises(XenAPI.Failure, match="UUID_INVALID"):
        driver.get_domain(str(uuid.uuid4()), STATE, deadline=soon())


def test_a_snapshot_is_no_domain(host: hvsdk.Host, driver: XenDriver, raw: Raw) -> None:
    snapshot = next(vm for vm in raw("VM.get_all_records").values() if vm["is_a_snapshot"])
    assert list(driver.find_domains(snapshot["uuid"], deadline=soon())) == []
    with pytest.raises(errors.DomainNotFoundError):
        host.domain(snapshot["uuid"])


def test_a_domain_that_is_made_anew_is_found_by_its_new_reference(
    driver: XenDriver, raw: Raw, make_vm: Callable[..., str]
) -> None:
    key = make_vm()
    driver._refs[key] = "OpaqueRef:of-before"
    assert driver.get_domain(key, STATE, deadline=soon()).native_id == key


def test_an_operation_under_way_is_seen(host: hvsdk.Host, domain: hvsdk.Domain, pool: Running, raw: Raw) -> None:
    """XAPI shows what is under way while a slow call goes on."""
    ref = raw("VM.get_by_uuid", domain.native_id)
    task = raw("Async.VM.start", ref, False, False)
    seen = {host.domain(domain.native_id).power_state}
    while raw("task.get_status", task) == "pending":
        seen.add(host.domain(domain.native_id).power_state)
    assert seen <= {PowerState.SHUTOFF, PowerState.CHANGING, PowerState.RUNNING}
    assert host.domain(domain.native_id).power_state == PowerState.RUNNING


def test_an_expired_session_is_not_noticed(pool: Running) -> None:
    with connect(pool) as host:
        before = {domain.native_id for domain in host.domains()}
        pool.act("expire-sessions")
        assert {domain.native_id for domain in host.domains(full=True)} == before


@pytest.mark.parametrize("fault", ["half-answer", "drop-before", "drop-after", "session-expired"])
@pytest.mark.parametrize("method", ["VM.get_all_records", "VDI.get_all_records"])
def test_a_listing_that_breaks_off_is_made_again(pool: Running, method: str, fault: str) -> None:
    with connect(pool) as host:
        before = {domain.native_id for domain in host.domains()}
        pool.fault(f"{method}:{fault}:1")
        assert {domain.native_id for domain in host.domains(full=True)} == before


def test_a_listing_that_fails_says_so(pool: Running) -> None:
    with connect(pool) as host:
        pool.fault("VM.get_all_records:error=INTERNAL_ERROR,out of luck:9")
        with pytest.raises(errors.OperationFailedError, match="out of luck"):
            host.domains()
