"""What guests say of themselves, with a real agent in a real guest."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hvsdk.driver import Address, Deadline
from hvsdk_testbed.bootsector import make_disk, up_line
from hvsdk_testbed.console import Console
from hvsdk_testbed.domainxml import DiskXML, NicXML, domain_xml
from hvsdk_testbed.linux import MEMORY_BYTES, command_line, linux_guest
from kvm_support import OpenDriver, eventually, soon, world_domain

from hvsdk_kvm._agent import addresses_of_agent
from hvsdk_kvm._driver import KvmDriver
from hvsdk_kvm._parallel import in_parallel

MAC = "52:54:00:12:34:56"
GUEST = frozenset(("guest",))


def linux_xml(name: str, serial: Path) -> str:
    guest = linux_guest()
    return domain_xml(
        name,
        serial_file=serial,
        memory_bytes=MEMORY_BYTES,
        kernel=guest.kernel,
        initrd=guest.initrd,
        cmdline=command_line(name),
        agent=True,
        nics=[NicXML(mac=MAC)],
    )


@pytest.mark.timeout(300)
def test_the_agent_tells_addresses_name_and_system(embed: KvmDriver, tmp_path: Path) -> None:
    made = embed.connection.defineXML(linux_xml("web", tmp_path / "web.log"))
    made.create()
    seen: list[Any] = []

    def answers() -> bool:
        info = embed.get_domain(made.UUIDString(), GUEST, deadline=soon())
        seen.append(info)
        return info.agent == "running" and any(address.ip == "10.0.2.15" for address in info.addresses)

    assert eventually(answers, 240), seen[-1].to_dict()
    info = seen[-1]
    (address,) = [address for address in info.addresses if address.ip == "10.0.2.15"]
    assert address == Address(ip="10.0.2.15", source="agent", mac=MAC, interface="eth0", prefix_length=24)
    assert info.guest_hostname == "web"
    assert info.guest_os == "hvsdk testbed"
    assert not info.has("config")
    (listed,) = embed.list_domains(GUEST, deadline=soon())
    assert set(listed.addresses) >= set(info.addresses), "it may have got more of them since"


def test_a_port_that_no_agent_has_open_is_stopped_and_costs_no_wait(embed: KvmDriver, tmp_path: Path) -> None:
    disk = make_disk(tmp_path / "d.qcow2", "d")
    made = embed.connection.defineXML(domain_xml("d", [DiskXML(path=disk)], serial_file=tmp_path / "d.log", agent=True))
    assert embed.get_domain(made.UUIDString(), GUEST, deadline=soon()).agent == "unknown"
    made.create()
    with Console(tmp_path / "d.log") as console:
        console.wait(up_line("d"))
    info = embed.get_domain(made.UUIDString(), GUEST, deadline=soon())
    assert (info.agent, info.addresses, info.guest_os) == ("stopped", (), None)


def test_leases_are_told_where_there_is_no_agent(open_driver: OpenDriver, world: Callable[..., str]) -> None:
    nic = f"<devices><interface type='network'><mac address='{MAC}'/><source network='default'/></interface></devices>"
    network = (
        "<network><name>default</name><bridge name='virbr0'/><ip address='192.168.122.1' netmask='255.255.255.0'>"
        "<dhcp><range start='192.168.122.128' end='192.168.122.253'/></dhcp></ip></network>"
    )
    driver = open_driver(world(world_domain("one", more=nic), extra=network))
    (info,) = driver.list_domains(GUEST, deadline=soon())
    assert info.agent == "absent"
    (address,) = info.addresses
    assert (address.source, address.mac, address.interface) == ("lease", MAC, None)
    assert address.ip.startswith("192.168.122.")


def test_a_domain_that_is_off_has_no_addresses(embed: KvmDriver) -> None:
    made = embed.connection.defineXML(domain_xml("d", nics=[NicXML(mac=MAC)]))
    assert embed.get_domain(made.UUIDString(), GUEST, deadline=soon()).addresses == ()


@pytest.mark.parametrize(
    "told",
    [
        {"if.count": 10**9},
        {"if.count": "many"},
        {"if.count": 1, "if.0.addr.count": 1, "if.0.addr.0.addr": "not an address"},
        {"if.count": 1, "if.0.addr.count": 1, "if.0.addr.0.addr": "127.0.0.1"},
        {"if.count": 1, "if.0.addr.count": 1},
    ],
)
def test_hostile_answers_of_an_agent_are_no_addresses(told: dict[str, Any]) -> None:
    assert addresses_of_agent(told) == ()


def test_a_link_local_address_loses_its_zone_and_a_wrong_prefix() -> None:
    told = {
        "if.count": 1,
        "if.0.name": "eth0",
        "if.0.hwaddr": MAC.upper(),
        "if.0.addr.count": 1,
        "if.0.addr.0.addr": "fe80::1%eth0",
        "if.0.addr.0.prefix": 640,
    }
    assert addresses_of_agent(told) == (Address(ip="fe80::1", source="agent", mac=MAC, interface="eth0"),)


def test_what_does_not_answer_is_left_behind() -> None:
    never = threading.Event()
    try:
        done = in_parallel(lambda n: never.wait() if n == 1 else n, range(4), width=2, deadline=Deadline(1.0))
        assert done == {0: 0, 2: 2, 3: 3}
    finally:
        never.set()


def test_no_more_than_so_many_are_asked_at_once() -> None:
    lock = threading.Lock()
    present, most = [0], [0]

    def count(number: int) -> int:
        with lock:
            present[0] += 1
            most[0] = max(most[0], present[0])
        threading.Event().wait(0.01)
        with lock:
            present[0] -= 1
        return number

    assert len(in_parallel(count, range(20), width=3, deadline=Deadline(10.0))) == 20
    assert most[0] <= 3


def test_an_exception_comes_out() -> None:
    with pytest.raises(ZeroDivisionError):
        in_parallel(lambda n: 1 // n, [1, 0], width=1, deadline=Deadline(5.0))
