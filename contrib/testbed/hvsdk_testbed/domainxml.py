"""libvirt documents of guests that run under TCG, which needs nothing of the machine."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Bus = Literal["virtio", "sata", "ide", "scsi"]


@dataclass(frozen=True, kw_only=True)
class DiskXML:
    """One disk of a guest. An `ide` disk needs machine type `pc`, and `scsi` means virtio-scsi."""

    path: str | Path
    bus: Bus = "virtio"
    format: Literal["qcow2", "raw"] = "qcow2"
    readonly: bool = False


@dataclass(frozen=True, kw_only=True)
class NicXML:
    """One network card: on a network of libvirt's, or (without a name) on QEMU's own user network."""

    network: str | None = None
    mac: str | None = None


def domain_xml(
    name: str,
    disks: Sequence[DiskXML] = (),
    *,
    serial_file: str | Path | None = None,
    uuid: str | None = None,
    machine: Literal["pc", "q35"] = "q35",
    memory_bytes: int = 16 * 2**20,
    vcpus: int = 1,
    nics: Sequence[NicXML] = (),
    screen: bool = False,
    agent: bool = False,
    uefi: bool = False,
    kernel: str | Path | None = None,
    initrd: str | Path | None = None,
    cmdline: str | None = None,
    spare_ports: int = 2,
) -> str:
    """Return a `<domain type='qemu'>` document for `defineXML`, `createXML` or a migration.

    Args:
        serial_file: Where the first serial port is written; without it the port is a pty.
        screen: Give it a VGA card and a VNC server on 127.0.0.1; a screenshot needs the card.
        agent: Give it the port that the guest agent listens on.
        uefi: Start it with OVMF without secure boot instead of SeaBIOS; needs `q35`.
        spare_ports: Free PCI Express root ports for hot plug (`q35`; a `pc` has free slots anyway).
    """
    domain = ET.Element("domain", type="qemu")
    _text(domain, "name", name)
    if uuid is not None:
        _text(domain, "uuid", uuid)
    _text(domain, "memory", str(memory_bytes // 1024), unit="KiB")
    _text(domain, "vcpu", str(vcpus))
    domain.append(_os(machine, uefi, kernel, initrd, cmdline))
    features = ET.SubElement(domain, "features")
    ET.SubElement(features, "acpi")
    ET.SubElement(domain, "on_poweroff").text = "destroy"
    ET.SubElement(domain, "on_reboot").text = "restart"
    ET.SubElement(domain, "on_crash").text = "preserve"
    devices = ET.SubElement(domain, "devices")
    letters = {"virtio": "vd", "sata": "sd", "scsi": "sd", "ide": "hd"}
    used: dict[str, int] = {}
    for disk in disks:
        prefix = letters[disk.bus]
        index = used.get(prefix, 0)
        used[prefix] = index + 1
        devices.append(disk_element(disk, prefix + chr(ord("a") + index)))
    if any(disk.bus == "scsi" for disk in disks):
        ET.SubElement(devices, "controller", type="scsi", index="0", model="virtio-scsi")
    if machine == "q35":
        ET.SubElement(devices, "controller", type="pci", index="0", model="pcie-root")
        for index in range(1, 8 + spare_ports):
            ET.SubElement(devices, "controller", type="pci", index=str(index), model="pcie-root-port")
    for nic in nics:
        devices.append(nic_element(nic))
    devices.append(_serial(serial_file))
    if agent:
        channel = ET.SubElement(devices, "channel", type="unix")
        ET.SubElement(channel, "target", type="virtio", name="org.qemu.guest_agent.0")
    if screen:
        ET.SubElement(devices, "graphics", type="vnc", autoport="yes", listen="127.0.0.1")
    video = ET.SubElement(devices, "video")
    ET.SubElement(video, "model", type="vga" if screen else "none")
    ET.SubElement(devices, "memballoon", model="none")
    return ET.tostring(domain, encoding="unicode")


def disk_xml(disk: DiskXML, target: str) -> str:
    """Return the document of one disk, for `attachDeviceFlags`; `target` is its name, such as `vdb`."""
    return ET.tostring(disk_element(disk, target), encoding="unicode")


def nic_xml(nic: NicXML) -> str:
    """Return the document of one network card, for `attachDeviceFlags`."""
    return ET.tostring(nic_element(nic), encoding="unicode")


def disk_element(disk: DiskXML, target: str) -> ET.Element:
    """Return `disk_xml` as an element."""
    element = ET.Element("disk", type="file", device="disk")
    ET.SubElement(element, "driver", name="qemu", type=disk.format)
    ET.SubElement(element, "source", file=str(Path(disk.path).absolute()))
    ET.SubElement(element, "target", dev=target, bus=disk.bus)
    if disk.readonly:
        ET.SubElement(element, "readonly")
    return element


def nic_element(nic: NicXML) -> ET.Element:
    """Return `nic_xml` as an element."""
    element = ET.Element("interface", type="user" if nic.network is None else "network")
    if nic.mac is not None:
        ET.SubElement(element, "mac", address=nic.mac)
    if nic.network is not None:
        ET.SubElement(element, "source", network=nic.network)
    ET.SubElement(element, "model", type="virtio")
    ET.SubElement(element, "rom", enabled="no")  # no boot from the network, which takes a second
    return element


def _os(
    machine: str, uefi: bool, kernel: str | Path | None, initrd: str | Path | None, cmdline: str | None
) -> ET.Element:
    element = ET.Element("os")
    if uefi:
        element.set("firmware", "efi")
    _text(element, "type", "hvm", arch="x86_64", machine=machine)
    if uefi:
        firmware = ET.SubElement(element, "firmware")
        ET.SubElement(firmware, "feature", enabled="no", name="secure-boot")
    for tag, value in (("kernel", kernel), ("initrd", initrd), ("cmdline", cmdline)):
        if value is not None:
            _text(element, tag, str(value))
    if kernel is None:
        ET.SubElement(element, "boot", dev="hd")
    return element


def _serial(serial_file: str | Path | None) -> ET.Element:
    if serial_file is None:
        return ET.Element("serial", type="pty")
    element = ET.Element("serial", type="file")
    ET.SubElement(element, "source", path=str(Path(serial_file).absolute()), append="on")
    return element


def _text(parent: ET.Element, tag: str, text: str, **attributes: str) -> None:
    ET.SubElement(parent, tag, attributes).text = text
