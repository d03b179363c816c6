"""PCI addresses in the order of the specification, and the ports that hot plug needs on `q35`."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from hvsdk.driver import errors

from hvsdk_kvm._plan import Platform

__all__ = ["add_ports", "fix_addresses"]

_FIRST_SLOT, _LAST_SLOT = 0x08, 0x1F
"""On `pc`, slots below the first are left to what libvirt places by itself."""
_OTHERS = 5
"""Ports that libvirt takes for controllers, the balloon and random numbers."""


def _pci_devices(devices: ET.Element) -> list[ET.Element]:
    disks = devices.findall("disk/target[@bus='virtio']/..")
    return [*disks, *devices.findall("interface")]


def fix_addresses(devices: ET.Element, platform: Platform) -> None:
    """Give virtio disks and adapters addresses in their order: a root port each on `q35`, a slot each on `pc`.

    Raises:
        InvalidSpecError: There are more of them than a `pc` has slots.
    """
    ordered = _pci_devices(devices)
    if not platform.pcie and len(ordered) > _LAST_SLOT - _FIRST_SLOT + 1:
        raise errors.InvalidSpecError(f"{len(ordered)} disks and adapters do not fit on a 'pc'", hint="machine='q35'")
    for number, device in enumerate(ordered):
        bus, slot = (number + 1, 0) if platform.pcie else (0, _FIRST_SLOT + number)
        ET.SubElement(
            device, "address", type="pci", domain="0x0000", bus=f"0x{bus:02x}", slot=f"0x{slot:02x}", function="0x0"
        )


def add_ports(devices: ET.Element, platform: Platform, *, spare: int) -> None:
    """Add PCI Express root ports for all devices and `spare` more; nothing is needed on other boards.

    libvirt adds ports for the devices that it knows, and none for those that come while the guest runs.
    """
    if not platform.pcie:
        return
    scsi = len(devices.findall("controller[@type='scsi']"))
    ports = len(_pci_devices(devices)) + scsi + _OTHERS + spare
    ET.SubElement(devices, "controller", type="pci", index="0", model="pcie-root")
    for index in range(1, ports + 1):
        ET.SubElement(devices, "controller", type="pci", index=str(index), model="pcie-root-port")
