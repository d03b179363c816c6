"""What the conformance kit is given for real guests: boots that can be told apart, and guests that do not listen."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import hvsdk
import libvirt
import pytest
from hvsdk import DiskSpec, Domain, DomainSpec, NicSpec, PowerState
from hvsdk.testing import BackendConformance
from hvsdk_testbed import linux
from hvsdk_testbed.bootsector import make_disk
from hvsdk_testbed.console import Console
from kvm_support import BOOT_SECONDS

LONG = frozenset(
    (
        "test_a_domain_of_a_long_name",
        "test_a_domain_of_an_odd_name",
        "test_a_snapshot_of_an_odd_name",
        "test_a_suspended_domain_is_not_changed",
        "test_an_adapter_is_gone_when_detach_returns",
        "test_an_odd_new_name",
        "test_why_not_agrees_with_the_table",
    )
)
"""Tests of the kit that boot or make a domain for each of many parameters, of which other tests check some."""
LABEL = "kit"
BIOS_SECONDS = 3


class Guests:
    """Domains of the testbed's boot sector, whose serial lines go to one file each directory."""

    def __init__(self, directory: Path, images: Path | None = None) -> None:
        self._log = directory / "kit.log"
        self._disk = make_disk((images or directory) / "kit.qcow2", LABEL)

    def spec(self) -> DomainSpec:
        """Return a small domain that boots and answers the power button."""
        return DomainSpec(
            name="kit",
            vcpus=1,
            memory="16MiB",
            disks=[DiskSpec(source=str(self._disk), copy=True)],
            nics=[NicSpec()],
            hints={"kvm.serial_file": str(self._log)},
        )

    def linux(self) -> DomainSpec:
        """Return a domain whose guest lets go of PCI devices."""
        guest = linux.linux_guest()
        direct = {"kernel": guest.kernel, "initrd": guest.initrd, "cmdline": linux.command_line(LABEL)}
        hints = {f"kvm.{key}": str(value) for key, value in direct.items()}
        return self.spec().replace(memory=linux.MEMORY_BYTES, hints={**self.spec().hints, **hints})

    def wait_for_linux(self) -> None:
        """Wait until the guest with an operating system is up: before, it misses what it is asked."""
        with Console(self._log) as console:
            console.wait(linux.up_line(LABEL), timeout=BOOT_SECONDS)

    def boots(self, domain: hvsdk.Domain) -> int:
        """Return what tells this boot of the guest from others, as the guest says after its next tick."""
        with Console(self._log) as console:
            console.mark()
            return int(console.wait(re.compile(rf"{LABEL} boot (\d+)\r\n{LABEL} tick \d+\r\n"))[1])

    def ignore(self, domain: hvsdk.Domain, requests: int | None) -> None:
        """Boot the guest again, deaf for good or, for one request, still in its BIOS, where it misses that."""
        domain.power_off()
        if requests is None:
            make_disk(str(domain.disks[0].source), LABEL, answers_power_button=False)
        else:
            assert requests == 1, "the BIOS waits for one request only"
            _wait_in_bios(domain)
        domain.start()
        if requests is None:
            with Console(self._log) as console:
                console.mark()
                console.wait(f"{LABEL} tick 1\r\n")


def _wait_in_bios(domain: hvsdk.Domain) -> None:
    connection = domain.host.native()
    root = ET.fromstring(connection.lookupByUUIDString(domain.native_id).XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))
    os = root.find("os")
    assert os is not None
    ET.SubElement(os, "bootmenu", enable="yes", timeout=str(BIOS_SECONDS * 1000))
    connection.defineXML(ET.tostring(root, encoding="unicode"))


Reach = Callable[[Domain, PowerState], Domain]


class LettingGo:
    """Fixtures of a run of the kit: guests are boot sectors, but where a PCI device must be let go."""

    @pytest.fixture
    def unplugs(self, request: pytest.FixtureRequest) -> bool:
        """Whether the test needs a guest that lets go of PCI devices, which a boot sector does not."""
        return "_is_gone_when_detach_returns[" in request.node.name and "RUNNING" in request.node.name

    @pytest.fixture
    def spec(self, unplugs: bool, guests: Guests) -> DomainSpec:
        return guests.linux() if unplugs else guests.spec()

    kit_reach = BackendConformance.reach

    @pytest.fixture
    def reach(self, kit_reach: Reach, unplugs: bool, guests: Guests) -> Reach:
        def bring(domain: Domain, state: PowerState) -> Domain:
            domain = kit_reach(domain, state)
            if unplugs:
                guests.wait_for_linux()
            return domain

        return bring
