"""The guest in one sector, run by the real QEMU driver."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

import libvirt
import pytest
from support import eventually, is_off, state

from hvsdk_testbed._run import TestbedError
from hvsdk_testbed.bootsector import SECTOR, make_disk, make_sector, read_label, ticks, up_line
from hvsdk_testbed.console import Console
from hvsdk_testbed.domainxml import Bus, DiskXML, disk_xml, domain_xml
from hvsdk_testbed.screenshot import Screen, read_screenshot

BUSES: list[tuple[Literal["pc", "q35"], Bus]] = [
    ("pc", "virtio"),
    ("pc", "ide"),
    ("pc", "scsi"),
    ("q35", "virtio"),
    ("q35", "sata"),
    ("q35", "scsi"),
]


def test_a_sector_is_bootable_and_carries_its_label() -> None:
    sector = make_sector("alpha")
    assert len(sector) == SECTOR
    assert sector[-2:] == b"\x55\xaa"
    assert b"alpha\0" in sector


@pytest.mark.parametrize("label", ["", "x" * 33, "ümlaut", "line\nbreak", " blank first", 'quo"te', "nul\0"])
def test_a_label_that_cannot_be_shown_is_refused(tmp_path: Path, label: str) -> None:
    with pytest.raises(ValueError, match="label is"):
        make_disk(tmp_path / "disk", label)


@pytest.mark.parametrize("format", ["qcow2", "raw"])
def test_the_label_is_read_back(tmp_path: Path, format: Literal["qcow2", "raw"]) -> None:
    disk = make_disk(tmp_path / "disk", "a label of thirty-two characters"[:32], format=format)
    assert read_label(disk) == "a label of thirty-two characters"[:32]


def test_the_disk_has_the_size_that_was_asked_for(tmp_path: Path) -> None:
    disk = make_disk(tmp_path / "disk", "sized", 3 * 2**20, "raw")
    assert disk.stat().st_size == 3 * 2**20


def test_a_foreign_disk_has_no_label(tmp_path: Path) -> None:
    disk = tmp_path / "foreign"
    disk.write_bytes(bytes(4096))
    with pytest.raises(TestbedError, match="boot sector"):
        read_label(disk)


@pytest.mark.parametrize(("machine", "bus"), BUSES)
def test_it_boots_counts_and_answers_the_power_button(
    host: libvirt.virConnect, tmp_path: Path, serial: Path, machine: Literal["pc", "q35"], bus: Bus
) -> None:
    disk = make_disk(tmp_path / "disk.qcow2", "alpha")
    xml = domain_xml("alpha", [DiskXML(path=disk, bus=bus)], machine=machine, serial_file=serial)
    domain = host.defineXML(xml)
    domain.create()
    with Console(serial) as console:
        console.wait(up_line("alpha"))
        console.wait("alpha tick 2\r\n")
        domain.shutdown()
        console.wait("alpha off\r\n")
    assert eventually(lambda: is_off(domain))


@pytest.mark.parametrize("machine", ["pc", "q35"])
def test_the_ignoring_variant_does_not_answer_the_power_button(
    host: libvirt.virConnect, tmp_path: Path, serial: Path, machine: Literal["pc", "q35"]
) -> None:
    disk = make_disk(tmp_path / "disk.qcow2", "deaf", answers_power_button=False)
    domain = host.defineXML(domain_xml("deaf", [DiskXML(path=disk)], machine=machine, serial_file=serial))
    domain.create()
    with Console(serial) as console:
        console.wait(up_line("deaf"))
        domain.shutdown()
        console.wait("deaf tick 3\r\n")
        assert state(domain) == libvirt.VIR_DOMAIN_RUNNING
        assert "off" not in console.text


def test_it_goes_on_counting_where_it_was_saved(
    host: libvirt.virConnect, tmp_path: Path, serial: Path
) -> None:
    disk = make_disk(tmp_path / "disk.qcow2", "saved")
    domain = host.defineXML(domain_xml("saved", [DiskXML(path=disk)], serial_file=serial))
    domain.create()
    with Console(serial) as console:
        console.wait("saved tick 2\r\n")
        domain.managedSave()
        assert is_off(domain)
        before = ticks(console.text, "saved")[-1]
        domain.create()
        console.mark()
        assert int(console.wait(re.compile(r"saved tick (\d+)\r\n"))[1]) == before + 1
        assert console.text.count(up_line("saved")) == 1


def test_it_goes_back_in_its_count_with_a_memory_snapshot(
    host: libvirt.virConnect, tmp_path: Path, serial: Path
) -> None:
    disk = make_disk(tmp_path / "disk.qcow2", "back")
    domain = host.defineXML(domain_xml("back", [DiskXML(path=disk)], machine="pc", serial_file=serial))
    domain.create()
    with Console(serial) as console:
        console.wait("back tick 1\r\n")
        snapshot = domain.snapshotCreateXML("<domainsnapshot><name>one</name></domainsnapshot>")
        before = ticks(console.text, "back")[-1]
        console.wait(f"back tick {before + 2}\r\n")
        domain.revertToSnapshot(snapshot)
        console.mark()
        assert int(console.wait(re.compile(r"back tick (\d+)\r\n"))[1]) == before + 1
        snapshot.delete()


def test_a_reset_boots_it_anew(host: libvirt.virConnect, tmp_path: Path, serial: Path) -> None:
    disk = make_disk(tmp_path / "disk.qcow2", "again")
    domain = host.defineXML(domain_xml("again", [DiskXML(path=disk)], serial_file=serial))
    domain.create()
    with Console(serial) as console:
        console.wait("again tick 2\r\n")
        domain.reset()
        console.wait(up_line("again"))
        console.wait("again tick 2\r\n")
        boots = re.findall(r"again boot (\d+)\r\nagain tick \d+\r\n", console.text)
        assert len(boots) == 4
        assert boots[0] == boots[1] != boots[2] == boots[3]


def test_a_reboot_request_boots_it_anew(host: libvirt.virConnect, tmp_path: Path, serial: Path) -> None:
    disk = make_disk(tmp_path / "disk.qcow2", "again")
    domain = host.defineXML(domain_xml("again", [DiskXML(path=disk)], serial_file=serial))
    domain.create()
    with Console(serial) as console:
        console.wait("again tick 1\r\n")
        domain.reboot()
        console.wait(up_line("again"))
        console.wait("again tick 1\r\n")


def test_a_paused_guest_does_not_count(host: libvirt.virConnect, tmp_path: Path, serial: Path) -> None:
    disk = make_disk(tmp_path / "disk.qcow2", "held")
    domain = host.defineXML(domain_xml("held", [DiskXML(path=disk)], serial_file=serial))
    domain.create()
    with Console(serial) as console:
        console.wait("held tick 1\r\n")
        domain.suspend()
        console.mark()
        assert not eventually(lambda: "tick" in console.text[console.text.rfind("tick 1") + 6 :], 2.0)
        domain.resume()
        console.wait(re.compile(r"held tick \d+\r\n"))


def test_the_screen_shows_text_in_its_first_row_only(
    host: libvirt.virConnect, tmp_path: Path, serial: Path
) -> None:
    disk = make_disk(tmp_path / "disk.qcow2", "seen")
    domain = host.defineXML(domain_xml("seen", [DiskXML(path=disk)], serial_file=serial, screen=True))
    domain.create()
    with Console(serial) as console:
        console.wait("seen tick 1\r\n")
    screen = _screenshot(host, domain)
    assert (screen.width, screen.height) == (720, 400)
    assert not screen.is_black(0, 16)
    assert screen.is_black(32)


def test_a_disk_on_virtio_scsi_is_unplugged_at_once(
    host: libvirt.virConnect, tmp_path: Path, serial: Path
) -> None:
    disk = make_disk(tmp_path / "disk.qcow2", "alpha")
    second = DiskXML(path=make_disk(tmp_path / "second.qcow2", "second"), bus="scsi")
    xml = domain_xml("alpha", [DiskXML(path=disk, bus="scsi")], serial_file=serial)
    domain = host.defineXML(xml)
    domain.create()
    with Console(serial) as console:
        console.wait(up_line("alpha"))
    domain.attachDeviceFlags(disk_xml(second, "sdb"), libvirt.VIR_DOMAIN_AFFECT_LIVE)
    assert "second.qcow2" in domain.XMLDesc()
    domain.detachDeviceFlags(disk_xml(second, "sdb"), libvirt.VIR_DOMAIN_AFFECT_LIVE)
    assert eventually(lambda: "second.qcow2" not in domain.XMLDesc())


def test_the_label_is_read_while_the_guest_runs(
    host: libvirt.virConnect, tmp_path: Path, serial: Path
) -> None:
    disk = make_disk(tmp_path / "disk.qcow2", "busy")
    domain = host.defineXML(domain_xml("busy", [DiskXML(path=disk)], serial_file=serial))
    domain.create()
    assert read_label(disk) == "busy"


def test_it_sleeps_between_ticks(host: libvirt.virConnect, tmp_path: Path, serial: Path) -> None:
    disk = make_disk(tmp_path / "disk.qcow2", "lazy")
    domain = host.defineXML(domain_xml("lazy", [DiskXML(path=disk)], serial_file=serial))
    domain.create()
    with Console(serial) as console:
        console.wait("lazy tick 2\r\n")
        start = int(domain.info()[4])
        console.wait("lazy tick 5\r\n")
        used = int(domain.info()[4]) - start
    assert used < 1.5e9  # of three seconds, on a machine that others use too


def _screenshot(host: libvirt.virConnect, domain: libvirt.virDomain) -> Screen:
    stream = host.newStream()
    domain.screenshot(stream, 0)
    received = bytearray()
    while data := stream.recv(262144):
        received += data
    stream.finish()
    return read_screenshot(bytes(received))
