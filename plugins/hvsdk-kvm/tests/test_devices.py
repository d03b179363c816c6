"""Disks and adapters come and go, at once and for the next boot, and what a guest does not let go stays listed."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import libvirt
import pytest
from hvsdk import DiskSpec, Domain, Host, NicSpec
from hvsdk.errors import (
    AlreadyExistsError,
    DiskNotFoundError,
    HvsdkError,
    InvalidSpecError,
    NetworkNotFoundError,
    NicNotFoundError,
    OperationTimeoutError,
    PowerStateError,
)
from hvsdk_testbed import linux
from hvsdk_testbed.bootsector import up_line
from hvsdk_testbed.console import Console
from kvm_support import BOOT_SECONDS
from making_support import MIB, boot_disk, definition, spec, volume_names

Boots = Callable[..., Domain]
MAC = "52:54:00:12:34:56"


@pytest.fixture
def boots(embed_host: Host, tmp_path: Path) -> Boots:
    """Makes a domain with a guest in its boot sector and starts it."""

    def make(*disks: DiskSpec, **more: object) -> Domain:
        log = tmp_path / "serial.log"
        boot = DiskSpec(source=boot_disk(tmp_path / "web.qcow2"))
        hints = {"kvm.serial_file": str(log)}
        domain = embed_host.create_domain(spec(disks=[boot, *disks], hints=hints, **more))
        domain.start()
        with Console(str(log)) as console:
            console.wait(up_line("web"), timeout=30)
        return domain

    return make


def disk_ids(domain: Domain) -> list[str]:
    return [disk.id for disk in domain.refresh().disks]


def configured(domain: Domain, pattern: str) -> bool:
    """Whether the definition, what it boots with next, has something."""
    return re.search(pattern, definition(domain)) is not None


def test_a_scsi_disk_comes_and_goes_while_it_runs(boots: Boots) -> None:
    domain = boots()
    disk = domain.attach_disk(DiskSpec(size="4MiB", bus="scsi", serial="S-1"))
    assert (disk.id, disk.bus, disk.serial, disk.format) == ("sda", "scsi", "S-1", "qcow2")
    assert configured(domain, "dev='sda'")
    domain.detach_disk(disk)
    assert disk_ids(domain) == ["vda"]
    assert not configured(domain, "dev='sda'")
    assert disk.source is not None
    assert Path(disk.source).exists()


def test_a_disk_that_the_guest_does_not_let_go_stays_listed(boots: Boots) -> None:
    domain = boots()
    disk = domain.attach_disk(DiskSpec(size="4MiB"))
    assert disk.bus == "virtio"
    with pytest.raises(OperationTimeoutError):
        domain.detach_disk(disk, timeout=2)
    assert disk_ids(domain) == ["vda", "vdb"]
    domain.pause(timeout=2)  # libvirt does not wait for the guest, and holds nobody up
    domain.power_off()
    assert disk_ids(domain) == ["vda"]


def test_an_adapter_that_the_guest_does_not_let_go_stays_listed(boots: Boots) -> None:
    domain = boots()
    nic = domain.attach_nic(NicSpec(mac=MAC))
    assert nic.mac == MAC
    with pytest.raises(OperationTimeoutError):
        domain.detach_nic(MAC, timeout=2)
    assert [nic.mac for nic in domain.refresh().nics] == [MAC]


def test_a_guest_that_answers_lets_disk_and_adapter_go(embed_host: Host, tmp_path: Path) -> None:
    guest, log = linux.linux_guest(), tmp_path / "serial.log"
    domain = embed_host.create_domain(
        spec(
            memory=linux.MEMORY_BYTES,
            hints={
                "kvm.kernel": str(guest.kernel),
                "kvm.initrd": str(guest.initrd),
                "kvm.cmdline": linux.command_line("web"),
                "kvm.serial_file": str(log),
            },
        )
    )
    domain.start()
    with Console(str(log)) as console:
        console.wait(linux.up_line("web"), timeout=BOOT_SECONDS)
        disk = domain.attach_disk(DiskSpec(size="4MiB"))
        console.wait("web sees vda", timeout=30)
        domain.detach_disk(disk, timeout=30)
        console.wait("web misses vda", timeout=30)
        domain.attach_nic(NicSpec(mac=MAC))
        console.wait("web sees eth0", timeout=30)
        domain.detach_nic(MAC, timeout=30)
        console.wait("web misses eth0", timeout=30)
    assert (domain.disks, domain.nics) == ((), ())


@pytest.mark.parametrize("bus", ["sata", "ide"])
def test_a_disk_on_a_cold_bus_needs_a_domain_that_is_off(embed_host: Host, boots: Boots, bus: str) -> None:
    domain = boots(machine="pc")
    before = volume_names(embed_host)
    with pytest.raises(PowerStateError, match=bus):
        domain.attach_disk(DiskSpec(size="4MiB", bus=bus))
    assert volume_names(embed_host) == before
    domain.power_off()
    disk = domain.attach_disk(DiskSpec(size="4MiB", bus=bus))
    domain.start()
    with pytest.raises(PowerStateError, match=bus):
        domain.detach_disk(disk)
    domain.power_off()
    domain.detach_disk(disk)
    assert disk_ids(domain) == ["vda"]


@pytest.mark.parametrize(
    "wish",
    [
        DiskSpec(size="1MiB", pool="nowhere"),
        DiskSpec(source="/no/such.qcow2"),
        DiskSpec(size="1MiB", bus="nonsense"),
        DiskSpec(size="1MiB", serial="x" * 40),
        DiskSpec(size="1MiB", format="nonsense"),
    ],
    ids=lambda wish: str(wish.to_dict())[:40],
)
def test_a_disk_that_cannot_be_leaves_nothing(embed_host: Host, wish: DiskSpec) -> None:
    domain = embed_host.create_domain(spec())
    before = volume_names(embed_host)
    with pytest.raises(HvsdkError):
        domain.attach_disk(wish)
    assert disk_ids(domain) == []
    assert volume_names(embed_host) == before


def test_a_disk_that_libvirt_refuses_takes_its_volume_and_its_controller_with_it(embed_host: Host) -> None:
    domain = embed_host.create_domain(spec(disks=[DiskSpec(size="1MiB", boot_order=1)]))
    before = volume_names(embed_host)
    with pytest.raises(HvsdkError):
        domain.attach_disk(DiskSpec(size="1MiB", bus="scsi", boot_order=1))
    assert volume_names(embed_host) == before
    assert not configured(domain, "controller type='scsi'")


def test_a_copy_is_attached(embed_host: Host, tmp_path: Path) -> None:
    domain = embed_host.create_domain(spec())
    source = boot_disk(tmp_path / "golden.qcow2")
    disk = domain.attach_disk(DiskSpec(source=source, copy=True))
    assert disk.source not in (source, None)
    domain.delete(disks="delete")
    assert Path(source).exists()


def test_a_link_goes_down_and_up_at_once_and_for_good(boots: Boots) -> None:
    domain = boots(nics=[NicSpec(mac=MAC), NicSpec()])
    for up in (False, True):
        domain.set_nic_link(MAC, up)
        assert [nic.link_up for nic in domain.refresh().nics] == [up, True]
        assert configured(domain, "link state='down'") is not up


def test_a_mac_is_not_given_twice(embed_host: Host) -> None:
    domain = embed_host.create_domain(spec(nics=[NicSpec(mac=MAC)]))
    with pytest.raises(AlreadyExistsError):
        domain.attach_nic(NicSpec(mac=MAC))
    assert len(domain.refresh().nics) == 1


def test_what_is_not_there_is_not_found(embed_host: Host) -> None:
    domain = embed_host.create_domain(spec())
    with pytest.raises(DiskNotFoundError):
        domain.detach_disk("vdz")
    with pytest.raises(DiskNotFoundError):
        domain.resize_disk("vdz", "1GiB")
    with pytest.raises(DiskNotFoundError):
        domain.insert_media("/x.iso", drive="sda")
    with pytest.raises(NicNotFoundError):
        domain.detach_nic(MAC)
    with pytest.raises(NetworkNotFoundError):
        domain.attach_nic(NicSpec(network="nowhere"))


def capacity(domain: Domain) -> int:
    handle: libvirt.virDomain = domain.host.native().lookupByUUIDString(domain.native_id)
    return int(handle.blockInfo("vda")[0])


def test_a_disk_grows_while_it_runs_and_while_it_is_off_and_never_shrinks(boots: Boots) -> None:
    domain = boots()
    domain.resize_disk("vda", "16MiB")
    assert capacity(domain) == 16 * MIB
    for running in (True, False):
        with pytest.raises(InvalidSpecError, match="cut"):
            domain.resize_disk("vda", "12MiB")
        domain.resize_disk("vda", "16MiB")
        if running:
            domain.power_off()
    domain.resize_disk("vda", "24MiB")
    assert capacity(domain) == 24 * MIB


@pytest.mark.parametrize("running", [False, True])
def test_media_goes_in_and_out(boots: Boots, tmp_path: Path, running: bool) -> None:
    iso = tmp_path / "tools & <more>.iso"
    iso.write_bytes(bytes(64 * 1024))
    domain = boots(DiskSpec(device="cdrom"))
    if not running:
        domain.power_off()
    drive = domain.insert_media(str(iso))
    assert (drive.id, drive.source) == ("sda", str(iso))
    assert configured(domain, r"tools &amp; &lt;more&gt;\.iso")
    domain.eject_media(drive=drive)
    assert [disk.source for disk in domain.refresh().disks if disk.device == "cdrom"] == [None]
    assert not configured(domain, r"tools &amp;")
    domain.eject_media()


def test_without_a_drive_there_is_nowhere_to_insert(embed_host: Host, tmp_path: Path) -> None:
    iso = tmp_path / "a.iso"
    iso.write_bytes(bytes(4096))
    domain = embed_host.create_domain(spec(disks=[DiskSpec(size="1MiB")]))
    for drive in (None, "vda"):
        with pytest.raises(DiskNotFoundError, match="drive"):
            domain.insert_media(str(iso), drive=drive)


def test_devices_do_not_change_while_the_memory_is_saved(boots: Boots) -> None:
    domain = boots(nics=[NicSpec(mac=MAC)])
    domain.suspend()
    for verb in (
        lambda: domain.attach_disk(DiskSpec(size="1MiB")),
        lambda: domain.detach_disk("vda"),
        lambda: domain.attach_nic(NicSpec()),
        lambda: domain.detach_nic(MAC),
        lambda: domain.resize_disk("vda", "1GiB"),
    ):
        with pytest.raises(PowerStateError):
            verb()
    domain.power_off(discard_memory=True)


def test_a_disk_says_how_large_it_is_and_which_volume(boots: Boots, embed_host: Host) -> None:
    domain = boots()
    made = domain.attach_disk(DiskSpec(size="4MiB"))
    assert (made.capacity_bytes, made.pool) == (4 * MIB, "default")
    assert made.volume in volume_names(embed_host)
    assert domain.resize_disk(made, "8MiB").capacity_bytes == 8 * MIB
    domain.power_off()
    off = {disk.id: disk for disk in domain.refresh().disks}
    assert off["vdb"].allocated_bytes is not None
    assert 0 < off["vdb"].allocated_bytes < 8 * MIB
    assert (off["vdb"].capacity_bytes, off["vdb"].volume) == (8 * MIB, made.volume)
    assert off["vda"].capacity_bytes is not None
    assert (off["vda"].pool, off["vda"].volume) == (None, None)
    (listed,) = embed_host.domains(full=True)
    assert listed.disks == domain.disks


def test_an_empty_drive_and_a_file_that_is_gone_have_no_size(embed_host: Host, tmp_path: Path) -> None:
    path = Path(boot_disk(tmp_path / "web.qcow2"))
    domain = embed_host.create_domain(spec(disks=[DiskSpec(source=str(path)), DiskSpec(device="cdrom")]))
    path.unlink()
    assert [(disk.capacity_bytes, disk.allocated_bytes) for disk in domain.refresh().disks] == [(None, None)] * 2
