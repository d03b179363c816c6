"""The Linux guest starts with UEFI from its own disk."""

from __future__ import annotations

from pathlib import Path

import libvirt
import pytest
from support import eventually, is_off

from hvsdk_testbed.console import Console
from hvsdk_testbed.domainxml import Bus, DiskXML, domain_xml
from hvsdk_testbed.linux import up_line
from hvsdk_testbed.uefi import MEMORY_BYTES, make_uefi_disk


@pytest.mark.parametrize("bus", ["virtio", "sata", "scsi"])
def test_it_starts_with_uefi_and_answers_the_power_button(
    host: libvirt.virConnect, tmp_path: Path, serial: Path, bus: Bus
) -> None:
    disk = make_uefi_disk(tmp_path / "disk.qcow2", "modern")
    disks = [DiskXML(path=disk, bus=bus)]
    xml = domain_xml("modern", disks, uefi=True, memory_bytes=MEMORY_BYTES, serial_file=serial)
    domain = host.defineXML(xml)
    domain.create()
    with Console(serial) as console:
        console.wait(up_line("modern"), 60)
        console.wait("modern tick 1")
        domain.shutdown()
        console.wait("modern off")
    assert eventually(lambda: is_off(domain))
