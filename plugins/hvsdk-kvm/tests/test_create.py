"""New domains: all of what was asked, switched off; or nothing at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hvsdk import DiskSpec, Host, NicSpec, PowerState
from hvsdk.errors import (
    AlreadyExistsError,
    HvsdkError,
    InvalidSpecError,
    NetworkNotFoundError,
    StoragePoolNotFoundError,
    VolumeNotFoundError,
)
from hvsdk.models import CloudInit, CpuTopology
from hvsdk_testbed.bootsector import up_line
from hvsdk_testbed.console import Console
from kvm_support import finish, soon
from making_support import MIB, ODD_NAMES, UUID, boot_disk, definition, spec, volume_names

from hvsdk_kvm._driver import KvmDriver
from hvsdk_kvm._xml import parse_xml


def nothing_was_made(host: Host, before: set[str]) -> bool:
    return host.domains() == [] and volume_names(host) == before


def test_a_domain_is_as_asked_and_off(embed_host: Host) -> None:
    domain = embed_host.create_domain(
        spec(
            "web",
            uuid=UUID.upper(),
            vcpus=2,
            max_vcpus=4,
            memory="32MiB",
            max_memory="64MiB",
            cpu_topology=CpuTopology(sockets=2, cores=2),
            disks=[DiskSpec(size="8MiB", serial="S1"), DiskSpec(size="9MiB", bus="scsi", boot_order=1)],
            nics=[NicSpec(mac="52:54:00:00:00:01", link_up=False), NicSpec(model="e1000e")],
            tags=["a", "b"],
            notes="two\nlines",
            metadata={"team.owner": "me <&>"},
            autostart=True,
            clock="localtime",
        )
    )
    assert domain.power_state is PowerState.SHUTOFF
    info = embed_host.domain("web").info
    assert info.without("guest") == domain.info
    assert (info.uuid, info.vcpus, info.max_vcpus) == (UUID, 2, 4)
    assert (info.memory_bytes, info.max_memory_bytes) == (32 * MIB, 64 * MIB)
    assert [(d.id, d.bus, d.serial, d.boot_order, d.format) for d in info.disks if d.device == "disk"] == [
        ("vda", "virtio", "S1", None, "qcow2"),
        ("sda", "scsi", None, 1, "qcow2"),
    ]
    assert [(n.mac == "52:54:00:00:00:01", n.model, n.link_up) for n in info.nics] == [
        (True, "virtio", False),
        (False, "e1000e", True),
    ]
    assert (info.tags, info.notes, dict(info.metadata)) == ({"a", "b"}, "two\nlines", {"team.owner": "me <&>"})
    assert info.autostart is True
    assert info.firmware == "bios"
    domain.delete(disks="delete")


@pytest.mark.parametrize("name", ODD_NAMES.values(), ids=ODD_NAMES)
def test_odd_names_are_names(embed_host: Host, name: str) -> None:
    before = volume_names(embed_host)
    domain = embed_host.create_domain(spec(name, disks=[DiskSpec(size="1MiB")]))
    assert domain.name == name
    assert embed_host.domain(name) == domain
    domain.delete(disks="delete")
    assert nothing_was_made(embed_host, before)


@pytest.mark.parametrize("name", ["two\nlines", "a/b"])
def test_names_that_libvirt_cannot_hold_leave_nothing(embed_host: Host, name: str) -> None:
    before = volume_names(embed_host)
    with pytest.raises(InvalidSpecError):
        embed_host.create_domain(spec(name, disks=[DiskSpec(size="1MiB")]))
    assert nothing_was_made(embed_host, before)


@pytest.mark.parametrize("more", [{"name": "web"}, {"name": "other", "uuid": UUID}], ids=["name", "uuid"])
def test_a_name_or_uuid_is_not_given_twice(embed_host: Host, more: dict[str, Any]) -> None:
    first = embed_host.create_domain(spec("web", uuid=UUID, notes="first"))
    before = volume_names(embed_host)
    with pytest.raises(AlreadyExistsError):
        embed_host.create_domain(spec(**more, disks=[DiskSpec(size="1MiB")]))
    assert [domain.name for domain in embed_host.domains()] == ["web"]
    assert first.refresh().notes == "first"
    assert volume_names(embed_host) == before


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"disks": [DiskSpec(size="1MiB"), DiskSpec(size="1MiB", pool="nowhere")]}, StoragePoolNotFoundError),
        ({"disks": [DiskSpec(size="1MiB"), DiskSpec(source="/no/such.qcow2")]}, VolumeNotFoundError),
        ({"disks": [DiskSpec(size="1MiB"), DiskSpec(source="no-such")]}, VolumeNotFoundError),
        ({"disks": [DiskSpec(size="1MiB"), DiskSpec(size="1MiB", format="vhdx")]}, InvalidSpecError),
        ({"disks": [DiskSpec(size="1MiB"), DiskSpec(size="1MiB", bus="fdc")]}, InvalidSpecError),
        ({"disks": [DiskSpec(size="1MiB", boot_order=1), DiskSpec(size="1MiB", boot_order=1)]}, InvalidSpecError),
        ({"disks": [DiskSpec(size="1MiB", hints={"kvm.colour": 1})]}, InvalidSpecError),
        ({"disks": [DiskSpec(size="1MiB"), DiskSpec(device="cdrom", size="1MiB")]}, InvalidSpecError),
        ({"nics": [NicSpec(network="nowhere")]}, NetworkNotFoundError),
        ({"nics": [NicSpec(model="nonsense")]}, InvalidSpecError),
        ({"nics": [NicSpec(vlan=5)]}, InvalidSpecError),
        ({"media": "/no/such.iso"}, VolumeNotFoundError),
        ({"template": "golden"}, InvalidSpecError),
        ({"machine": "no-such-board"}, HvsdkError),
    ],
    ids=lambda value: None,
)
def test_what_cannot_be_leaves_nothing(embed_host: Host, more: dict[str, Any], error: type[HvsdkError]) -> None:
    before = volume_names(embed_host)
    with pytest.raises(error):
        embed_host.create_domain(spec(**{"disks": [DiskSpec(size="1MiB")], **more}))
    assert nothing_was_made(embed_host, before)


def test_a_copied_guest_boots(embed_host: Host, tmp_path: Path) -> None:
    source = boot_disk(tmp_path / "golden.qcow2")
    log = tmp_path / "serial.log"
    domain = embed_host.create_domain(
        spec(disks=[DiskSpec(source=source, copy=True, size="20MiB")], hints={"kvm.serial_file": str(log)})
    )
    (disk,) = [disk for disk in domain.info.disks if disk.device == "disk"]
    assert disk.source not in (source, None)
    (volume,) = [v for pool in embed_host.storage_pools() for v in pool.volumes() if v.path == disk.source]
    assert volume.capacity_bytes == 20 * MIB
    domain.start()
    with Console(str(log)) as console:
        console.wait(up_line("web"), timeout=30)
    domain.power_off()
    domain.delete(disks="delete")
    assert Path(source).exists()


def test_a_copy_is_not_smaller_than_its_source(embed_host: Host, tmp_path: Path) -> None:
    source = boot_disk(tmp_path / "golden.qcow2")
    before = volume_names(embed_host)
    with pytest.raises(InvalidSpecError, match="cannot have"):
        embed_host.create_domain(spec(disks=[DiskSpec(source=source, copy=True, size="1MiB")]))
    assert nothing_was_made(embed_host, before)


def test_a_copy_that_is_cancelled_leaves_nothing(embed: KvmDriver, emulated: None, tmp_path: Path) -> None:
    source = boot_disk(tmp_path / "golden.qcow2")
    before = {volume.name for volume in embed.list_volumes("default", deadline=soon())}
    task = embed.create_domain(spec(disks=[DiskSpec(source=source, copy=True)] * 40), deadline=soon())
    task.cancel()
    with pytest.raises(HvsdkError, match="cancelled"):
        finish(task)
    assert {volume.name for volume in embed.list_volumes("default", deadline=soon())} == before
    assert embed.connection.listAllDomains() == []


def test_a_file_whose_name_hides_its_format_is_attached_only_when_it_is_said(embed_host: Host, tmp_path: Path) -> None:
    source = boot_disk(tmp_path / "golden.img")
    with pytest.raises(InvalidSpecError, match="format"):
        embed_host.create_domain(spec(disks=[DiskSpec(source=source)]))
    domain = embed_host.create_domain(spec(disks=[DiskSpec(source=source, format="qcow2")]))
    assert [disk.format for disk in domain.info.disks] == ["qcow2"]


def test_only_raw_disks_are_shared(embed_host: Host, tmp_path: Path) -> None:
    source = boot_disk(tmp_path / "shared.qcow2")
    with pytest.raises(InvalidSpecError, match="raw"):
        embed_host.create_domain(spec(disks=[DiskSpec(source=source, shareable=True)]))


def test_media_is_in_a_drive_and_boots_after_the_disks(embed_host: Host, tmp_path: Path) -> None:
    iso = tmp_path / "install.iso"
    iso.write_bytes(bytes(64 * 1024))
    domain = embed_host.create_domain(spec(media=str(iso), disks=[DiskSpec(size="1MiB")]))
    assert [(d.device, d.source == str(iso), d.boot_order) for d in domain.info.disks] == [
        ("disk", False, 1),
        ("cdrom", True, 2),
    ]
    domain.delete(disks="delete")
    assert iso.exists()


def test_cloud_init_has_a_drive_of_its_own_and_shows_no_secret(embed_host: Host) -> None:
    secret = CloudInit(user_data="#cloud-config\npassword: hidden-7\n")
    domain = embed_host.create_domain(spec(cloud_init=secret))
    (drive,) = domain.info.disks
    assert (drive.device, drive.boot_order) == ("cdrom", None)
    assert drive.source is not None
    assert b"hidden-7" in Path(drive.source).read_bytes()
    assert "hidden-7" not in definition(domain) + repr(domain.info.to_dict()) + repr(spec(cloud_init=secret))
    domain.delete()
    assert not Path(drive.source).exists()


@pytest.mark.parametrize("secure", [False, True])
def test_uefi_is_defined_as_asked(embed_host: Host, secure: bool) -> None:
    domain = embed_host.create_domain(spec(memory="64MiB", firmware="uefi", secure_boot=secure))
    assert (domain.firmware, domain.secure_boot) == ("uefi", secure)
    assert parse_xml(definition(domain)).find("os[@firmware='efi']") is not None
    domain.delete()


def test_a_pc_board_takes_ide_disks(embed_host: Host) -> None:
    domain = embed_host.create_domain(spec(machine="pc", disks=[DiskSpec(size="1MiB", bus="ide")]))
    assert [disk.bus for disk in domain.info.disks] == ["ide"]
    domain.delete(disks="delete")


def test_twelve_disks_have_room_on_virtio_scsi(embed_host: Host) -> None:
    domain = embed_host.create_domain(spec(disks=[DiskSpec(size="1MiB")] * 12, pci_order=True))
    assert {disk.bus for disk in domain.info.disks} == {"scsi"}
    domain.start()
    domain.power_off()
    domain.delete(disks="delete")
