"""A domain's disks, drives and network adapters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from sys import intern
from typing import Literal

import attrs
from hvsdk.driver import Disk, Nic

from hvsdk_vmware._fields import NOTHING, Element, Sharing, Values, as_flag, as_number, child, children, kind_of

__all__ = ["NetworkName", "disks", "nics"]

_DRIVES: Mapping[str, Literal["disk", "cdrom", "floppy"]] = {
    "VirtualDisk": "disk",
    "VirtualCdrom": "cdrom",
    "VirtualFloppy": "floppy",
}
_BUSES = {
    "VirtualIDEController": "ide",
    "VirtualSIOController": "fdc",
    "VirtualAHCIController": "sata",
    "VirtualSATAController": "sata",
    "VirtualNVMEController": "nvme",
    "VirtualUSBController": "usb",
    "VirtualUSBXHCIController": "usb",
}
_SCSI = {
    "ParaVirtualSCSIController": "pvscsi",
    "VirtualLsiLogicController": "lsilogic",
    "VirtualLsiLogicSASController": "lsilogic-sas",
    "VirtualBusLogicController": "buslogic",
}
_ORDER = ("ide", "fdc", "scsi", "sata", "nvme", "usb")
_MODELS = {
    "VirtualVmxnet3": "vmxnet3",
    "VirtualVmxnet3Vrdma": "vmxnet3-rdma",
    "VirtualVmxnet2": "vmxnet2",
    "VirtualVmxnet": "vmxnet",
    "VirtualE1000": "e1000",
    "VirtualE1000e": "e1000e",
    "VirtualPCNet32": "pcnet32",
    "VirtualSriovEthernetCard": "sriov",
}
_ON = ("poweredOn", "suspended")


@attrs.frozen
class NetworkName:
    """What a network adapter has to know of a network."""

    name: str
    vlan: int | None = None


@attrs.frozen
class _Controller:
    bus: str
    model: str | None
    number: int

    @property
    def rank(self) -> tuple[int, int]:
        return (_ORDER.index(self.bus) if self.bus in _ORDER else len(_ORDER), self.number)


_NO_CONTROLLER = _Controller("scsi", None, 0)


def _devices(values: Values) -> list[Element]:
    return list(values.get("config.hardware.device", NOTHING))


def _controllers(devices: Iterable[Element]) -> dict[str, _Controller]:
    found = {}
    for device in devices:
        kind = kind_of(device)
        if kind in _SCSI:
            found[child(device, "key")] = _Controller("scsi", _SCSI[kind], as_number(child(device, "busNumber")) or 0)
        elif kind in _BUSES:
            found[child(device, "key")] = _Controller(_BUSES[kind], None, as_number(child(device, "busNumber")) or 0)
    return found


def disks(values: Values, sharing: Sharing) -> tuple[Disk, ...]:
    """Return a domain's disks and drives, in the order in which firmware finds them."""
    devices = _devices(values)
    controllers = _controllers(devices)

    def place(drive: Element) -> tuple[tuple[int, int], int]:
        on = controllers.get(child(drive, "controllerKey"), _NO_CONTROLLER)
        return on.rank, as_number(child(drive, "unitNumber")) or 0

    drives = sorted((device for device in devices if kind_of(device) in _DRIVES), key=place)
    order = _boot_order(values, drives)
    return tuple(
        _disk(
            drive,
            position,
            controllers.get(child(drive, "controllerKey"), _NO_CONTROLLER),
            order.get(child(drive, "key")),
            sharing,
        )
        for position, drive in enumerate(drives)
    )


def _boot_order(values: Values, drives: Iterable[Element]) -> dict[str, int]:
    """Return the place in the boot order of those drives that are booted from, by their keys.

    Without an order of its own a domain tries its first disk, then its first CD-ROM drive.
    """
    first: dict[str, str] = {}
    for drive in drives:
        first.setdefault(kind_of(drive), child(drive, "key"))
    places: list[str] = []
    for entry in children(values.get("config.bootOptions", NOTHING), "bootOrder"):
        kind = kind_of(entry)
        if kind.endswith("BootableCdromDevice"):
            places.append(first.get("VirtualCdrom", ""))
        elif kind.endswith("BootableFloppyDevice"):
            places.append(first.get("VirtualFloppy", ""))
        else:  # a disk, or a network adapter, which takes a place too
            places.append(child(entry, "deviceKey"))
    if not places:
        places = [first[kind] for kind in ("VirtualDisk", "VirtualCdrom") if kind in first]
    return {key: place for place, key in enumerate(places, start=1) if key}


def _disk(drive: Element, position: int, on: _Controller, boot: int | None, sharing: Sharing) -> Disk:
    device = _DRIVES[kind_of(drive)]
    backing = next(iter(children(drive, "backing")), NOTHING)
    path = child(backing, "fileName") or None
    capacity = as_number(child(drive, "capacityInBytes"))
    kilobytes = as_number(child(drive, "capacityInKB"))
    raw = "RawDiskMapping" in kind_of(backing)
    return Disk(
        id=intern(child(drive, "key")),
        device=device,
        bus=on.bus,
        position=position,
        capacity_bytes=capacity if capacity is not None else kilobytes << 10 if kilobytes is not None else None,
        source=path,
        pool=intern(child(backing, "datastore")) or None,
        volume=path,
        format="vmdk" if device == "disk" else "raw" if path else None,
        readonly=device == "cdrom",
        shareable=child(backing, "sharing") == "sharingMultiWriter",
        boot_order=boot,
        details=sharing.known(
            {
                "vmware.label": intern(child(drive, "deviceInfo", "label")),
                "vmware.controller": on.model,
                "vmware.controller_key": as_number(child(drive, "controllerKey")),
                "vmware.unit": as_number(child(drive, "unitNumber")),
                "vmware.mode": intern(child(backing, "diskMode")),
                "vmware.thin": as_flag(child(backing, "thinProvisioned")),
                "vmware.disk_uuid": child(backing, "uuid").lower(),
                "vmware.backing": child(backing, "parent", "fileName"),
                "vmware.raw_device": child(backing, "deviceName") if raw else None,
                "vmware.connected": _connected(drive, on=True) if device != "disk" else None,
            }
        ),
    )


def _connected(device: Element, *, on: bool) -> bool | None:
    return as_flag(child(device, "connectable", "connected" if on else "startConnected"))


def nics(values: Values, networks: Mapping[str, NetworkName], sharing: Sharing) -> tuple[Nic, ...]:
    """Return a domain's network adapters.

    Args:
        networks: What is known of networks, by their ids.
    """
    found = [device for device in _devices(values) if child(device, "macAddress") or kind_of(device) in _MODELS]
    found.sort(key=lambda nic: as_number(child(nic, "key")) or 0)
    state = values.get("runtime.powerState")
    on = state is not None and state.text in _ON
    return tuple(_nic(nic, position, networks, sharing, on=on) for position, nic in enumerate(found))


def _nic(nic: Element, position: int, networks: Mapping[str, NetworkName], sharing: Sharing, *, on: bool) -> Nic:
    backing = next(iter(children(nic, "backing")), NOTHING)
    group = child(backing, "port", "portgroupKey") or child(backing, "network")
    known = networks.get(group)
    name = known.name if known is not None else child(backing, "deviceName") or child(backing, "opaqueNetworkId")
    kind = kind_of(nic)
    return Nic(
        id=intern(child(nic, "key")),
        mac=child(nic, "macAddress").lower() or None,
        network=intern(name or group) or None,
        model=_MODELS.get(kind, kind.removeprefix("Virtual").lower()),
        position=position,
        link_up=_connected(nic, on=on),
        vlan=known.vlan if known is not None else None,
        details=sharing.known(
            {
                "vmware.label": intern(child(nic, "deviceInfo", "label")),
                "vmware.mac_type": intern(child(nic, "addressType")),
                "vmware.network_id": intern(group),
                "vmware.starts_connected": _connected(nic, on=False),
            }
        ),
    )
