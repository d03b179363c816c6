"""A VM's drives and network adapters, from VBD, VDI and SR, and from VIF and network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from sys import intern
from typing import Any, Literal

from hvsdk.driver import Disk, FrozenDict, Nic

from hvsdk_xen._fields import Record, Related, Sharing, count, entry, text
from hvsdk_xen._values import as_int

__all__ = ["disk_ids", "disks", "nic_ids", "nics", "vlans", "volume_format"]

_DEVICES: Mapping[str, Literal["disk", "cdrom", "floppy"]] = {"disk": "disk", "cd": "cdrom", "floppy": "floppy"}
_FORMATS = {"vhd": "vhd", "qcow2": "qcow2", "aio": "raw", "raw": "raw", "phy": "raw"}
_LETTERS = {"disk": "c", "cdrom": "d", "floppy": "a"}
"""The letters of `HVM_boot_params:order`."""


def disk_ids(drives: Mapping[str, Record]) -> dict[str, str]:
    """Return the ids of a VM's drives by reference, in the order in which the guest finds them.

    An id is the drive's place (`userdevice`): a revert makes drives with other UUIDs in the same places. A drive without a
    place of its own has its UUID as id.
    """
    return _ids(drives, "userdevice")


def nic_ids(adapters: Mapping[str, Record]) -> dict[str, str]:
    """Return the ids of a VM's adapters by reference, in order: their numbers (`device`), else their UUIDs."""
    return _ids(adapters, "device")


def _ids(devices: Mapping[str, Record], field: str) -> dict[str, str]:
    found: dict[str, str] = {}
    taken: set[str] = set()
    for ref, device in sorted(devices.items(), key=lambda item: (_number(text(item[1], field)), text(item[1], "uuid"))):
        place = text(device, field)
        if not place.isdecimal() or place in taken:
            place = text(device, "uuid") or ref
        taken.add(place)
        found[ref] = place
    return found


def _number(place: str) -> int:
    return int(place) if place.isdecimal() and place.isascii() and len(place) < 10 else 1 << 31


def disks(vm: Record, related: Related, sharing: Sharing, *, hvm: bool) -> tuple[Disk, ...]:
    """Return a VM's drives.

    Args:
        hvm: Whether firmware boots it: that decides what its boot order means, and how it finds its CD drives.
    """
    drives = _found(related, "vbd", vm, "VBDs")
    ids = disk_ids(drives)
    boot = _boot_order(vm, [(ref, drives[ref]) for ref in ids], hvm=hvm)
    return tuple(
        _disk(drives[ref], key, position, boot.get(ref), related, sharing, hvm=hvm)
        for position, (ref, key) in enumerate(ids.items())
    )


def _found(related: Related, cls: str, record: Record, field: str) -> dict[str, Record]:
    known = related.classes.get(cls, {})
    values = record.get(field)
    return (
        {ref: known[ref] for ref in values if isinstance(ref, str) and ref in known} if isinstance(values, list) else {}
    )


def _device(vbd: Record) -> Literal["disk", "cdrom", "floppy"]:
    return _DEVICES.get(text(vbd, "type").lower(), "disk")


def _boot_order(vm: Record, drives: Iterable[tuple[str, Record]], *, hvm: bool) -> dict[str, int]:
    """Return the place in the boot order of those drives that are booted from.

    Firmware tries the first drive of each kind that its order names; a boot loader takes the drive marked as bootable.
    """
    if not hvm:
        bootable = [ref for ref, vbd in drives if vbd.get("bootable") is True]
        return {ref: place for place, ref in enumerate(bootable, start=1)}
    order = (entry(vm, "HVM_boot_params", "order") or "cd").lower()
    first: dict[str, str] = {}
    for ref, vbd in drives:
        first.setdefault(_LETTERS[_device(vbd)], ref)
    places = [letter for letter in dict.fromkeys(order) if letter in first or letter == "n"]
    return {first[letter]: place for place, letter in enumerate(places, start=1) if letter in first}


def _disk(
    vbd: Record, key: str, position: int, boot: int | None, related: Related, sharing: Sharing, *, hvm: bool
) -> Disk:
    device = _device(vbd)
    vdi = {} if vbd.get("empty") is True else related.of("vdi", vbd, "VDI")
    sr = related.of("sr", vdi, "SR")
    volume = text(vdi, "uuid") or None
    return Disk(
        id=intern(key),
        device=device,
        bus="xen" if device == "disk" or not hvm else "ide" if device == "cdrom" else "fdc",
        position=position,
        capacity_bytes=count(vdi, "virtual_size"),
        allocated_bytes=count(vdi, "physical_utilisation"),
        source=volume,
        pool=intern(text(sr, "uuid")) or None,
        volume=volume,
        format=volume_format(vdi, sr),
        readonly=text(vbd, "mode").upper() == "RO" or device == "cdrom",
        shareable=vdi.get("sharable") is True,
        boot_order=boot,
        details=_disk_details(vbd, vdi, sr, sharing),
    )


def volume_format(vdi: Record, sr: Record) -> str | None:
    """Return how a volume is stored, as far as its driver says."""
    for key in ("image-format", "vdi_type", "type"):
        found = _FORMATS.get(entry(vdi, "sm_config", key).lower())
        if found:
            return found
    return "raw" if text(sr, "content_type") == "iso" else None


def _disk_details(vbd: Record, vdi: Record, sr: Record, sharing: Sharing) -> FrozenDict[str, Any]:
    return sharing.known(
        {
            "xen.medium": text(vdi, "name_label") if _device(vbd) != "disk" else None,
            "xen.device": intern(text(vbd, "device")),
            "xen.sr_type": intern(text(sr, "type")),
            "xen.cbt": vdi["cbt_enabled"] if isinstance(vdi.get("cbt_enabled"), bool) else None,
            "xen.reset_on_boot": text(vdi, "on_boot") == "reset" or None,
            "xen.tools_iso": vdi.get("is_tools_iso") is True or None,
        }
    )


def nics(vm: Record, related: Related, sharing: Sharing, vlans: Mapping[str, int]) -> tuple[Nic, ...]:
    """Return a VM's network adapters.

    Args:
        vlans: Numbers of VLANs by the network's reference.
    """
    adapters = _found(related, "vif", vm, "VIFs")
    running = text(vm, "power_state") in ("Running", "Paused")
    return tuple(
        _nic(adapters[ref], key, position, related, sharing, vlans, running=running)
        for position, (ref, key) in enumerate(nic_ids(adapters).items())
    )


def _nic(
    vif: Record,
    key: str,
    position: int,
    related: Related,
    sharing: Sharing,
    vlans: Mapping[str, int],
    *,
    running: bool,
) -> Nic:
    network = related.of("network", vif, "network")
    locking = text(vif, "locking_mode")
    attached = vif.get("currently_attached") is True
    return Nic(
        id=intern(key),
        mac=text(vif, "MAC").lower() or None,
        network=intern(text(network, "name_label") or text(network, "uuid")) or None,
        position=position,
        link_up=locking != "disabled" and (attached or not running),
        vlan=vlans.get(text(vif, "network")),
        mtu=as_int(vif.get("MTU")) or None,
        details=sharing.known(
            {
                "xen.bridge": intern(text(network, "bridge")),
                "xen.locking_mode": intern(locking) if locking not in ("", "network_default") else None,
                "xen.rate_kbps": as_int(entry(vif, "qos_algorithm_params", "kbps")),
            }
        ),
    )


def vlans(related: Related) -> dict[str, int]:
    """Return the numbers of VLANs by the network's reference; networks on none are left out."""
    found: dict[str, int] = {}
    for pif in related.classes.get("pif", {}).values():
        tag = as_int(pif.get("VLAN"))
        if tag is not None and tag >= 0:
            found[text(pif, "network")] = tag
    return found
