"""The Linux guest does what an operating system has to do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import libvirt
import pytest
from support import eventually, is_off, state

from hvsdk_testbed.bootsector import make_disk
from hvsdk_testbed.console import Console
from hvsdk_testbed.domainxml import DiskXML, NicXML, disk_xml, domain_xml, nic_xml
from hvsdk_testbed.linux import MEMORY_BYTES, command_line, linux_guest, up_line

LIVE = libvirt.VIR_DOMAIN_AFFECT_LIVE
MAC = "52:54:00:12:34:56"


def linux_xml(name: str, serial: Path, line: str | None = None, **more: Any) -> str:
    guest = linux_guest()
    return domain_xml(
        name,
        serial_file=serial,
        memory_bytes=MEMORY_BYTES,
        kernel=guest.kernel,
        initrd=guest.initrd,
        cmdline=line or command_line(name),
        **more,
    )


def ask_agent(domain: libvirt.virDomain, command: str) -> Any:
    import libvirt_qemu

    answer = libvirt_qemu.qemuAgentCommand(domain, json.dumps({"execute": command}), 5, 0)
    return json.loads(answer)["return"]


@pytest.mark.parametrize("label", ["", "two words", "x" * 33, 'quo"te', "a=b"])
def test_a_label_that_the_command_line_cannot_carry_is_refused(label: str) -> None:
    with pytest.raises(ValueError, match="label is"):
        command_line(label)


@pytest.mark.parametrize("address", ["192.0.2.1", "somewhere", "192.0.2.1/24 init=/bin/sh"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="address is"):
        command_line("web", address=address)


@pytest.mark.parametrize("machine", ["pc", "q35"])
def test_it_boots_and_answers_the_power_button(
    host: libvirt.virConnect, serial: Path, machine: Literal["pc", "q35"]
) -> None:
    domain = host.defineXML(linux_xml("web", serial, machine=machine))
    domain.create()
    with Console(serial) as console:
        console.wait(up_line("web"))
        domain.shutdownFlags(libvirt.VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN)
        console.wait("web off")
    assert eventually(lambda: is_off(domain))


def test_the_ignoring_variant_does_not_answer_the_power_button(
    host: libvirt.virConnect, serial: Path
) -> None:
    line = command_line("deaf", answers_power_button=False)
    domain = host.defineXML(linux_xml("deaf", serial, line))
    domain.create()
    with Console(serial) as console:
        console.wait(up_line("deaf"))
        domain.shutdownFlags(libvirt.VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN)
        console.wait("deaf tick 3")
    assert state(domain) == libvirt.VIR_DOMAIN_RUNNING


def test_the_agent_answers_and_tells_the_addresses(host: libvirt.virConnect, serial: Path) -> None:
    domain = host.defineXML(linux_xml("web", serial, agent=True, nics=[NicXML(mac=MAC)]))
    domain.create()
    with Console(serial) as console:
        console.wait(up_line("web"))
    assert eventually(lambda: agent_is_there(domain))
    assert ask_agent(domain, "guest-get-host-name") == {"host-name": "web"}
    assert ask_agent(domain, "guest-get-osinfo")["id"] == "hvsdk"
    assert eventually(lambda: "10.0.2.15" in addresses(domain))


def test_a_static_address_is_told(host: libvirt.virConnect, serial: Path) -> None:
    line = command_line("web", address="192.0.2.5/24")
    domain = host.defineXML(linux_xml("web", serial, line, agent=True, nics=[NicXML(mac=MAC)]))
    domain.create()
    with Console(serial) as console:
        console.wait(up_line("web"))
    assert eventually(lambda: agent_is_there(domain))
    assert eventually(lambda: "192.0.2.5" in addresses(domain))


def test_the_agent_shuts_it_down(host: libvirt.virConnect, serial: Path) -> None:
    domain = host.defineXML(linux_xml("web", serial, agent=True))
    domain.create()
    assert eventually(lambda: agent_is_there(domain))
    domain.shutdownFlags(libvirt.VIR_DOMAIN_SHUTDOWN_GUEST_AGENT)
    assert eventually(lambda: is_off(domain))


def test_the_agent_reboots_it(host: libvirt.virConnect, serial: Path) -> None:
    domain = host.defineXML(linux_xml("web", serial, agent=True))
    domain.create()
    with Console(serial) as console:
        console.wait(up_line("web"))
        assert eventually(lambda: agent_is_there(domain))
        domain.reboot(libvirt.VIR_DOMAIN_REBOOT_GUEST_AGENT)
        console.wait(up_line("web"))


@pytest.mark.parametrize("machine", ["pc", "q35"])
def test_a_virtio_disk_is_plugged_and_unplugged(
    host: libvirt.virConnect, tmp_path: Path, serial: Path, machine: Literal["pc", "q35"]
) -> None:
    disk = disk_xml(DiskXML(path=make_disk(tmp_path / "data.qcow2", "data")), "vda")
    domain = host.defineXML(linux_xml("web", serial, machine=machine))
    domain.create()
    with Console(serial) as console:
        console.wait("web tick 1")
        domain.attachDeviceFlags(disk, LIVE)
        console.wait("web sees vda")
        domain.detachDeviceFlags(disk, LIVE)
        console.wait("web misses vda")
    assert eventually(lambda: "data.qcow2" not in domain.XMLDesc())


@pytest.mark.parametrize("machine", ["pc", "q35"])
def test_a_network_card_is_plugged_and_unplugged(
    host: libvirt.virConnect, serial: Path, machine: Literal["pc", "q35"]
) -> None:
    nic = nic_xml(NicXML(mac=MAC))
    domain = host.defineXML(linux_xml("web", serial, machine=machine))
    domain.create()
    with Console(serial) as console:
        console.wait("web tick 1")
        domain.attachDeviceFlags(nic, LIVE)
        console.wait("web sees eth0")
        domain.detachDeviceFlags(nic, LIVE)
        console.wait("web misses eth0")
    assert eventually(lambda: MAC not in domain.XMLDesc())


def agent_is_there(domain: libvirt.virDomain) -> bool:
    """Return whether the agent answers; the port's state tells it a moment before libvirt can use it."""
    try:
        return bool(ask_agent(domain, "guest-ping") == {})
    except libvirt.libvirtError as exc:
        if exc.get_error_code() == libvirt.VIR_ERR_AGENT_UNRESPONSIVE:
            return False
        raise


def addresses(domain: libvirt.virDomain) -> list[str]:
    found: Any = domain.interfaceAddresses(libvirt.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT)
    return [address["addr"] for card in found.values() for address in card["addrs"] or []]
