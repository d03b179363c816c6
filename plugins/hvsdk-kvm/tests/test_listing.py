"""Inventory: what a listing shows, and how many calls it costs."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import hvsdk
import libvirt
import pytest
from hvsdk import PowerState, errors
from hvsdk_testbed.domainxml import NicXML, domain_xml
from hvsdk_testbed.libvirtd import PrivateLibvirtd
from kvm_support import OpenDriver, eventually, finish, soon, target_of, world_domain

from hvsdk_kvm._driver import KvmDriver

ODD_NAMES = ['quo"te', "a&b<c>", "$(touch x)", "ünï-日本", "semi;colon", "x" * 80, "%s", "-rf"]
CONFIG = frozenset(("config",))
NOTHING: frozenset[str] = frozenset()


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """Counts the calls that are round trips, by name; names, UUIDs and look-ups in a list are free."""
    counted: Counter[str] = Counter()

    def count(kind: type, name: str) -> None:
        method = getattr(kind, name)

        def counting(*args: Any, **kwargs: Any) -> Any:
            counted[name] += 1
            return method(*args, **kwargs)

        monkeypatch.setattr(kind, name, counting)

    for name in ("getAllDomainStats", "listAllDomains", "domainListGetStats", "lookupByUUIDString", "lookupByName"):
        count(libvirt.virConnect, name)
    for name in ("XMLDesc", "state", "info", "hasManagedSaveImage", "autostart", "guestInfo", "interfaceAddresses"):
        count(libvirt.virDomain, name)
    yield counted
    counted.clear()


def names(driver: KvmDriver) -> set[str]:
    return {info.name for info in driver.list_domains(NOTHING, deadline=soon())}


@pytest.mark.parametrize("count", [1, 50])
def test_a_summary_costs_two_calls_whatever_the_number(daemon: KvmDriver, calls: Counter[str], count: int) -> None:
    for number in range(count):
        daemon.connection.defineXML(domain_xml(f"d{number}"))
    calls.clear()
    assert len(list(daemon.list_domains(NOTHING, deadline=soon()))) == count
    assert calls == {"getAllDomainStats": 1, "listAllDomains": 1}


def test_the_configuration_is_fetched_once_and_then_remembered(daemon: KvmDriver, calls: Counter[str]) -> None:
    for number in range(20):
        daemon.connection.defineXML(domain_xml(f"d{number}"))
    list(daemon.list_domains(CONFIG, deadline=soon()))  # events of the definitions may still be on their way
    assert eventually(lambda: _fetches(daemon, calls) == 0)
    calls.clear()
    found = list(daemon.list_domains(CONFIG, deadline=soon()))
    assert calls == {"getAllDomainStats": 1, "listAllDomains": 2}
    assert all(info.has("config") for info in found)


def _fetches(driver: KvmDriver, calls: Counter[str]) -> int:
    calls.clear()
    list(driver.list_domains(CONFIG, deadline=soon()))
    return calls["XMLDesc"]


def test_a_change_by_somebody_else_is_seen_in_a_remembered_configuration(
    daemon: KvmDriver, libvirtd: PrivateLibvirtd, open_driver: OpenDriver
) -> None:
    daemon.connection.defineXML(domain_xml("d", uuid="00000000-0000-4000-8000-00000000000a"))
    (before,) = daemon.list_domains(CONFIG, deadline=soon())
    assert before.memory_bytes == 16 * 2**20
    other = open_driver(libvirtd.uri)
    other.connection.defineXML(domain_xml("d", uuid="00000000-0000-4000-8000-00000000000a", memory_bytes=32 * 2**20))

    def seen() -> bool:
        (after,) = daemon.list_domains(CONFIG, deadline=soon())
        return after.memory_bytes == 32 * 2**20

    assert eventually(seen)


def test_a_driver_of_qemu_lists_vcpus_and_memory_in_the_summary(embed: KvmDriver) -> None:
    embed.connection.defineXML(domain_xml("d", memory_bytes=32 * 2**20, vcpus=2))
    (info,) = embed.list_domains(NOTHING, deadline=soon())
    assert (info.vcpus, info.memory_bytes, info.hypervisor) == (2, 32 * 2**20, "kvm")
    assert info.power_state == PowerState.SHUTOFF
    assert info.native_id == info.uuid
    assert info.node == embed.node_name
    assert not info.has("config")


def test_the_test_drivers_summary_has_neither(test_host: hvsdk.Host) -> None:
    info = test_host.domains()[0].info
    assert info.hypervisor == "test"
    assert "vcpus" not in info.loaded
    with pytest.raises(errors.NotLoadedError, match="list with include"):
        _ = info.vcpus
    assert test_host.domains(include=("config",))[0].vcpus == 2
    assert test_host.domain("one").vcpus == 2


def test_one_domain_is_read_with_all_its_fields(embed: KvmDriver) -> None:
    mac = "52:54:00:12:34:56"
    made = embed.connection.defineXML(domain_xml("d", nics=[NicXML(mac=mac)]))
    info = embed.get_domain(made.UUIDString(), frozenset(("config", "guest")), deadline=soon())
    assert info.has("config")
    assert info.has("guest")
    assert [nic.mac for nic in info.nics] == [mac]
    assert info.agent == "absent"
    assert info.autostart is False
    made.setAutostart(True)
    assert embed.get_domain(made.UUIDString(), CONFIG, deadline=soon()).autostart is True
    (listed,) = embed.list_domains(CONFIG, deadline=soon())
    assert listed.autostart is True


def test_a_transient_domain_is_listed_and_has_no_autostart(embed: KvmDriver) -> None:
    made = embed.connection.createXML(domain_xml("passing"), 0)
    info = embed.get_domain(made.UUIDString(), CONFIG, deadline=soon())
    assert (info.power_state, info.autostart) == (PowerState.RUNNING, False)


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_names_are_listed_and_found(embed: KvmDriver, name: str) -> None:
    made = embed.connection.defineXML(domain_xml(name))
    assert name in names(embed)
    assert list(embed.find_domains(name, deadline=soon())) == [made.UUIDString()]


@pytest.mark.parametrize("key", ["", "nobody", "a\nb", "00000000-0000-4000-8000-000000000001", "/", "\N{PILE OF POO}"])
def test_what_is_not_there_is_not_found(embed: KvmDriver, key: str) -> None:
    assert list(embed.find_domains(key, deadline=soon())) == []


def test_a_uuid_is_found_in_both_byte_orders_and_any_case(embed: KvmDriver) -> None:
    made = embed.connection.defineXML(domain_xml("d", uuid="01234567-89ab-cdef-8123-456789abcdef"))
    swapped = str(uuid.UUID(bytes_le=uuid.UUID(made.UUIDString()).bytes))
    for key in (made.UUIDString(), made.UUIDString().upper(), swapped):
        assert list(embed.find_domains(key, deadline=soon())) == [made.UUIDString()]


def test_a_domain_is_found_by_uuid_and_by_a_name_that_looks_like_one(embed: KvmDriver) -> None:
    one = embed.connection.defineXML(domain_xml("d", uuid="01234567-89ab-cdef-8123-456789abcdef"))
    two = embed.connection.defineXML(domain_xml(one.UUIDString()))
    assert set(embed.find_domains(one.UUIDString(), deadline=soon())) == {one.UUIDString(), two.UUIDString()}


def test_a_managed_save_image_makes_a_domain_suspended(open_driver: OpenDriver, world: Callable[..., str]) -> None:
    driver = open_driver(world(world_domain("one"), world_domain("two")))
    (one,) = driver.find_domains("one", deadline=soon())
    finish(driver.suspend(one, deadline=soon()))
    states = {info.name: info.power_state for info in driver.list_domains(NOTHING, deadline=soon())}
    assert states == {"one": PowerState.SUSPENDED, "two": PowerState.RUNNING}


def test_ten_thousand_domains_are_listed(open_driver: OpenDriver, world: Callable[..., str]) -> None:
    driver = open_driver(world(*(world_domain(f"d{number}") for number in range(10_000))))
    assert names(driver) == {f"d{number}" for number in range(10_000)}


def test_host_info_says_what_is_at_the_other_end(daemon: KvmDriver, libvirtd: PrivateLibvirtd) -> None:
    info = daemon.host_info(deadline=soon())
    assert (info.product, info.name, info.uuid) == ("QEMU", libvirtd.hostname, libvirtd.host_uuid)
    assert info.api_version is not None
    assert info.api_version.startswith("libvirt ")
    (node,) = daemon.list_nodes(deadline=soon())
    assert (node.id, node.name, node.state) == (libvirtd.host_uuid, libvirtd.hostname, "up")
    assert node.cpus is not None
    assert node.memory_bytes is not None
    assert node.memory_bytes > 2**20


def test_networks_are_listed_with_their_bridges(daemon: KvmDriver, embed: KvmDriver) -> None:
    (network,) = daemon.list_networks(deadline=soon())
    assert (network.name, network.active) == ("default", False)
    assert network.bridge is not None
    (user,) = embed.list_networks(deadline=soon())
    assert (user.name, user.active) == ("user", True)


def test_a_listing_is_repeated_after_the_daemon_was_restarted() -> None:
    with PrivateLibvirtd() as daemon, hvsdk.connect(daemon.uri, timeout=10) as host:
        host.native().defineXML(domain_xml("d"))
        assert [domain.name for domain in host.domains()] == ["d"]
        daemon.restart()
        assert [domain.name for domain in host.domains()] == ["d"]
        daemon.kill()
        daemon.start()
        host.domain("d").set_notes("written after a crash of the daemon")


def test_a_frozen_daemon_costs_no_more_than_the_timeout() -> None:
    with PrivateLibvirtd() as daemon, hvsdk.connect(daemon.uri, timeout=2) as host:
        host.domains()
        daemon.freeze()
        with pytest.raises((errors.OperationTimeoutError, errors.ConnectError)):
            host.domains()
        daemon.thaw()
        assert eventually(lambda: _lists(host))


def _lists(host: hvsdk.Host) -> bool:
    try:
        return list(host.domains()) == []
    except errors.HvsdkError:
        return False


def test_close_gives_the_socket_back(libvirtd: PrivateLibvirtd) -> None:
    driver = KvmDriver(target_of(libvirtd.uri))
    driver.close()
    driver.open(deadline=soon())
    list(driver.list_domains(CONFIG, deadline=soon()))
    connection = driver.connection
    driver.close()
    driver.close()
    with pytest.raises(libvirt.libvirtError):
        connection.getHostname()
