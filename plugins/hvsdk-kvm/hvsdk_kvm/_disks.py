"""Disks and drives of domains that are there: attach, detach, grow, and images in CD-ROM drives."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import attrs
import libvirt
from hvsdk.driver import BackgroundTask, Deadline, DiskSpec, Result, VolumeInfo, errors

from hvsdk_kvm._device_xml import Views, find_disk
from hvsdk_kvm._plan import DiskPlan, Platform, free_target
from hvsdk_kvm._session import Session
from hvsdk_kvm._store import Store, store_of
from hvsdk_kvm._usage import disk_source
from hvsdk_kvm._volumes import DiskWish, Making, find_media, resolve_disk
from hvsdk_kvm._xml import write_xml
from hvsdk_kvm._xml_devices import disk_element, set_source

__all__ = ["DiskVerbs"]

_COLD_BUSES = frozenset({"ide", "sata", "fdc"})
"""Buses that nothing is plugged into or out of while the guest runs."""
_SCSI = write_xml(ET.Element("controller", type="scsi", index="0", model="virtio-scsi"))


class DiskVerbs(Session):
    """`attach_disk`, `detach_disk`, `resize_disk`, `insert_media` and `eject_media`."""

    def attach_disk(self, native_id: str, disk: DiskSpec, *, deadline: Deadline) -> Result[str]:
        views = Views.of(self, native_id)
        platform = views.platform
        bus = disk.bus or _usual_bus(views.roots[0], platform, disk)
        if bus not in platform.buses(disk.device):
            raise errors.InvalidSpecError(
                f"a {disk.device} cannot be on the bus {bus!r} of this domain",
                hint=f"possible: {', '.join(platform.buses(disk.device))}",
            )
        _refuse_cold(views, bus, "plugged in")
        store = store_of(self)
        wish = resolve_disk(store, disk)
        plan = DiskPlan(spec=disk, bus=bus, target=free_target(bus, views.targets()), boot_order=disk.boot_order)
        disk_element(plan, platform)  # what cannot be written is refused before a volume is made
        if disk.copy:
            return BackgroundTask(lambda: _attach(views, store, wish, plan, platform))
        return _attach(views, store, wish, plan, platform)

    def detach_disk(self, native_id: str, disk_id: str, *, deadline: Deadline) -> None:
        views = Views.of(self, native_id)
        found = _found(views, disk_id)
        _refuse_cold(views, _bus(found[0][0]), "taken out")
        views.detach(found)

    def resize_disk(self, native_id: str, disk_id: str, size_bytes: int, *, deadline: Deadline) -> None:
        views = Views.of(self, native_id)
        found = _found(views, disk_id)
        present = int(views.domain.blockInfo(disk_id)[0])
        if size_bytes < present:
            raise errors.InvalidSpecError(
                f"the disk {disk_id!r} has {present} bytes; it cannot shrink to {size_bytes}",
                hint="copy what is on it to a smaller disk",
            )
        if size_bytes == present:
            return
        store = store_of(self)
        if not views.running:
            store.resize(_volume(found[0][0], store, disk_id), size_bytes)
            return
        if found[0][0].get("type") == "block":  # a volume made of blocks must have room before QEMU may use it
            store.resize(_volume(found[0][0], store, disk_id), size_bytes)
        views.domain.blockResize(disk_id, size_bytes, libvirt.VIR_DOMAIN_BLOCK_RESIZE_BYTES)

    def insert_media(self, native_id: str, source: str, *, drive: str | None, deadline: Deadline) -> str:
        views = Views.of(self, native_id)
        volume = find_media(store_of(self), source)
        drive_id, found = _drive(views, drive)
        views.update(found, lambda disk: set_source(disk, volume))
        return drive_id

    def eject_media(self, native_id: str, *, drive: str | None, deadline: Deadline) -> None:
        views = Views.of(self, native_id)
        _, found = _drive(views, drive)
        views.update(
            [item for item in found if item[0].find("source") is not None], lambda disk: set_source(disk, None)
        )


def _attach(views: Views, store: Store, wish: DiskWish, plan: DiskPlan, platform: Platform) -> str:
    with Making(store, views.domain.name()) as making:
        volume = making.volume(wish, plan.target)
        element = disk_element(attrs.evolve(plan, volume=volume), platform)
        lacking = views.lacking_scsi() if plan.bus == "scsi" and platform.qemu else 0
        if lacking:
            views.domain.attachDeviceFlags(_SCSI, lacking)
        try:
            views.domain.attachDeviceFlags(write_xml(element), views.flags)
        except libvirt.libvirtError:
            if lacking:
                views.domain.detachDeviceFlags(_SCSI, lacking)
            raise
    return plan.target


def _found(views: Views, disk_id: str) -> list[tuple[ET.Element, int]]:
    found = views.each(find_disk(disk_id))
    if not found:
        raise errors.DiskNotFoundError(f"{views.domain.name()!r} has no disk {disk_id!r}")
    return found


def _drive(views: Views, drive: str | None) -> tuple[str, list[tuple[ET.Element, int]]]:
    """Return a CD-ROM drive's id and elements; the first drive's where none is named."""
    if drive is None:
        drives = views.roots[0].findall("devices/disk[@device='cdrom']/target")
        if not drives:
            raise errors.DiskNotFoundError(
                f"{views.domain.name()!r} has no CD-ROM drive", hint="attach one: DiskSpec(device='cdrom')"
            )
        drive = drives[0].get("dev", "")
    found = _found(views, drive)
    if found[0][0].get("device") != "cdrom":
        raise errors.DiskNotFoundError(f"{drive!r} of {views.domain.name()!r} is no CD-ROM drive")
    return drive, found


def _volume(disk: ET.Element, store: Store, disk_id: str) -> VolumeInfo:
    volume = disk_source(disk, store)
    if volume is None:
        raise errors.InvalidSpecError(
            f"the disk {disk_id!r} lies in no storage pool of this host, so it can be resized only while it runs"
        )
    return volume


def _bus(disk: ET.Element) -> str:
    target = disk.find("target")
    return "" if target is None else target.get("bus", "")


def _refuse_cold(views: Views, bus: str, what: str) -> None:
    if views.running and bus in _COLD_BUSES:
        raise errors.PowerStateError(
            f"a disk on {bus} cannot be {what} while {views.domain.name()!r} runs",
            hint="shut it down first, or use the bus virtio or scsi",
        )


def _usual_bus(root: ET.Element, platform: Platform, disk: DiskSpec) -> str:
    """Return the bus of the disks that are there, where they are all on one; the platform's usual one otherwise."""
    if disk.device == "cdrom":
        return platform.buses("cdrom")[0]
    present = {_bus(element) for element in root.iterfind("devices/disk") if element.get("device", "disk") == "disk"}
    return "scsi" if present == {"scsi"} else platform.buses("disk")[0]
