"""XML of disks and network adapters."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping
from typing import Any

from hvsdk.driver import VolumeInfo, errors

from hvsdk_kvm._hints import DISK_HINTS, NIC_HINTS, read_hints
from hvsdk_kvm._plan import DiskPlan, NicPlan, Platform

__all__ = ["disk_element", "nic_element", "set_source", "sub"]

_OWN = {"discard": "unmap", "detect_zeroes": "unmap"}
_SHARED = {"cache": "none"}
_SERIAL_MAX = {"virtio": 20, "scsi": 36}


def sub(parent: ET.Element, tag: str, text: str | None = None, **attributes: str) -> ET.Element:
    """Add a child."""
    child = ET.SubElement(parent, tag, attributes)
    child.text = text
    return child


def disk_element(plan: DiskPlan, platform: Platform) -> ET.Element:
    """Return the `<disk>` of a plan.

    Raises:
        InvalidSpecError: A serial number or hint is one that the disk cannot have.
    """
    spec = plan.spec
    disk = ET.Element("disk", type="file", device=spec.device)
    driver = sub(disk, "driver", name="qemu") if platform.qemu else None
    sub(disk, "target", dev=plan.target, bus=plan.bus)
    if plan.volume is not None:
        set_source(disk, plan.volume)
    hints = read_hints(spec.hints, DISK_HINTS)
    if driver is not None:
        defaults = {} if spec.device == "cdrom" else _SHARED if spec.shareable else _OWN
        _tune(disk, driver, {**defaults, **hints})
    if spec.serial is not None:
        sub(disk, "serial", _serial(spec.serial, plan.bus))
    if plan.boot_order is not None:
        sub(disk, "boot", order=str(plan.boot_order))
    if spec.readonly or spec.device == "cdrom":
        sub(disk, "readonly")
    if spec.shareable:
        sub(disk, "shareable")
    return disk


def set_source(disk: ET.Element, volume: VolumeInfo | None) -> None:
    """Put a volume into a disk's element in place of what it had; `None` empties it."""
    for old in [*disk.findall("source"), *disk.findall("backingStore")]:
        disk.remove(old)
    disk.set("type", "file")
    if volume is None:
        return
    kind = volume.details.get("kvm.type", "file")
    if kind == "network":
        source = {"pool": volume.details["kvm.pool"], "volume": volume.id}
    else:
        source = {"dev" if kind == "block" else "file": volume.path or ""}
    disk.set("type", "volume" if kind == "network" else kind)
    sub(disk, "source", **source)
    driver = disk.find("driver")
    if driver is not None:
        driver.set("type", "raw" if volume.format in (None, "iso") else volume.format)


def _tune(disk: ET.Element, driver: ET.Element, hints: Mapping[str, Any]) -> None:
    for key in ("cache", "io", "discard", "detect_zeroes"):
        if key in hints:
            driver.set(key, hints[key])
    size = hints.get("logical_block_size")
    if size is not None:
        if size not in (512, 4096):
            raise errors.InvalidSpecError(f"a disk cannot have sectors of {size} bytes", hint="512 or 4096")
        sub(disk, "blockio", logical_block_size=str(size), physical_block_size=str(size))
    limits = {"total_bytes_sec": hints.get("bytes_per_second"), "total_iops_sec": hints.get("iops")}
    if any(limits.values()):
        tune = sub(disk, "iotune")
        for tag, limit in limits.items():
            if limit:
                sub(tune, tag, str(limit))


def _serial(serial: str, bus: str) -> str:
    most = _SERIAL_MAX.get(bus, 20)
    if not serial or len(serial) > most or any(not (c.isascii() and (c.isalnum() or c in "-_.+ ")) for c in serial):
        raise errors.InvalidSpecError(
            f"a disk on {bus} cannot have the serial number {serial!r}",
            hint=f"at most {most} letters, digits, blanks and - _ . +",
        )
    return serial


def nic_element(plan: NicPlan) -> ET.Element:
    """Return the `<interface>` of a plan."""
    spec = plan.spec
    hints = read_hints(spec.hints, NIC_HINTS)
    nic = ET.Element("interface", type=plan.kind)
    sub(nic, "mac", address=plan.mac)
    if plan.source is not None:
        sub(nic, "source", **{plan.kind: plan.source})
    if spec.vlan is not None:
        sub(sub(nic, "vlan"), "tag", id=str(spec.vlan))
    if "virtualport" in hints:
        sub(nic, "virtualport", type=hints["virtualport"])
    if plan.model is not None:
        sub(nic, "model", type=plan.model)
    if "filter" in hints:
        sub(nic, "filterref", filter=hints["filter"])
    if spec.mtu is not None:
        sub(nic, "mtu", size=str(spec.mtu))
    if not spec.link_up:
        sub(nic, "link", state="down")
    if hints.get("boot_rom") is False:
        sub(nic, "rom", enabled="no")
    return nic
