"""Guests that are made and driven through `hvsdk.connect` alone, and tell on their serial lines what happened to them.

Snapshots, clones, devices, migration and deaf guests have files of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hvsdk
import pytest
from hvsdk import DiskSpec, NicSpec, PowerState
from hvsdk_testbed import linux, uefi
from hvsdk_testbed.bootsector import ticks, up_line
from hvsdk_testbed.console import Console
from hvsdk_testbed.screenshot import read_screenshot
from kvm_support import BOOT_SECONDS, eventually
from making_support import boot_disk, spec

TEXT_ROW = 16
"""Height of the first text row in a screenshot, in pixels; the guest writes nothing below."""

Make = Callable[..., hvsdk.Domain]


@pytest.fixture
def make(embed_host: hvsdk.Host, tmp_path: Path) -> Make:
    """Makes a domain whose first serial line goes to `serial.log`."""

    def create(*disks: DiskSpec, hints: dict[str, str] | None = None, **more: Any) -> hvsdk.Domain:
        told = {"kvm.serial_file": str(tmp_path / "serial.log"), **(hints or {})}
        return embed_host.create_domain(spec(disks=list(disks), hints=told, **more))

    return create


@pytest.fixture
def console(tmp_path: Path) -> Iterator[Console]:
    with Console(tmp_path / "serial.log") as console:
        yield console


@pytest.fixture
def web(make: Make, console: Console, tmp_path: Path) -> hvsdk.Domain:
    """A guest that has been up for a second."""
    domain = make(DiskSpec(source=boot_disk(tmp_path / "web.qcow2")))
    domain.start()
    console.wait("web tick 1\r\n")
    return domain


def test_a_guest_starts_and_shuts_down_when_asked(web: hvsdk.Domain, console: Console) -> None:
    assert web.power_state is PowerState.RUNNING
    web.shutdown(timeout=20)
    assert web.power_state is PowerState.SHUTOFF
    console.wait("web off")
    web.start()
    console.wait(up_line("web"))


@pytest.mark.parametrize("verb", ["reboot", "reset"])
def test_a_guest_that_boots_again_counts_anew(web: hvsdk.Domain, console: Console, verb: str) -> None:
    before = web.uuid
    getattr(web, verb)()
    console.wait(up_line("web"))
    console.wait("web tick 1\r\n")
    assert (web.refresh().power_state, web.uuid) == (PowerState.RUNNING, before)
    assert ("web off" in console.text) is (verb == "reboot")


def test_a_paused_guest_does_nothing_until_it_goes_on(web: hvsdk.Domain, console: Console) -> None:
    web.pause()
    said = console.text
    with pytest.raises(hvsdk.errors.OperationTimeoutError):
        web.wait_for(PowerState.RUNNING, timeout=2.5)
    assert console.text == said
    web.unpause()
    last = ticks(said, "web")[-1]
    console.wait(f"web tick {last + 1}\r\n")
    assert console.text.count(up_line("web")) == 1


@pytest.mark.parametrize("verb", ["resume", "start"])
def test_a_suspended_guest_goes_on_where_it_was(web: hvsdk.Domain, console: Console, verb: str) -> None:
    web.suspend()
    assert web.power_state is PowerState.SUSPENDED
    last = ticks(console.text, "web")[-1]
    getattr(web, verb)()
    console.wait(f"web tick {last + 2}\r\n")
    assert ticks(console.text, "web") == list(range(1, last + 3))
    assert console.text.count(up_line("web")) == 1


def test_a_screenshot_shows_what_the_guest_wrote(web: hvsdk.Domain) -> None:
    picture = web.screenshot()
    assert picture.startswith(b"\x89PNG")
    screen = read_screenshot(picture)
    assert not screen.is_black(0, TEXT_ROW)
    assert screen.is_black(2 * TEXT_ROW)


def test_linux_starts_with_uefi_from_a_copied_disk(make: Make, console: Console, tmp_path: Path) -> None:
    disk = uefi.make_uefi_disk(tmp_path / "modern.qcow2", "modern")
    domain = make(DiskSpec(source=str(disk), copy=True), firmware="uefi", memory=uefi.MEMORY_BYTES)
    assert (domain.firmware, domain.secure_boot) == ("uefi", False)
    domain.start()
    console.wait(linux.up_line("modern"), timeout=BOOT_SECONDS)
    domain.shutdown(timeout=60)
    console.wait("modern off")
    domain.delete(disks="delete")


def test_a_guest_with_an_agent_tells_its_addresses_and_reboots(make: Make, console: Console) -> None:
    guest = linux.linux_guest()
    direct = {"kernel": guest.kernel, "initrd": guest.initrd, "cmdline": linux.command_line("talker")}
    hints = {f"kvm.{key}": str(value) for key, value in direct.items()}
    domain = make(name="talker", memory=linux.MEMORY_BYTES, nics=[NicSpec()], hints=hints)
    domain.start()
    console.wait(linux.up_line("talker"), timeout=BOOT_SECONDS)
    assert eventually(lambda: "10.0.2.15" in {address.ip for address in domain.refresh().addresses}, 90)
    assert (domain.agent, domain.guest_hostname, domain.guest_os) == ("running", "talker", "hvsdk testbed")
    assert {address.source for address in domain.addresses} == {"agent"}
    (listed,) = domain.host.domains(include=("guest",))
    assert set(listed.addresses) >= set(domain.addresses), "it may have got more of them since"
    domain.reboot()
    console.wait(linux.up_line("talker"), timeout=BOOT_SECONDS)
    assert domain.refresh().power_state is PowerState.RUNNING
