"""Files for libvirt's test driver, with as many domains as wanted."""

from __future__ import annotations

import uuid
import xml.etree.ElementTree as ET
from pathlib import Path


def write_node(path: Path, domains: int) -> str:
    """Write a node with running domains of two disks and two adapters each, and return its `test:///` URI."""
    node = ET.Element("node")
    for number in range(domains):
        node.append(_domain(number))
    ET.ElementTree(node).write(path, encoding="utf-8")
    return f"test://{path.absolute()}"


def _domain(number: int) -> ET.Element:
    domain = ET.Element("domain", type="test")
    _text(domain, "name", f"vm-{number:05}")
    _text(domain, "uuid", str(uuid.UUID(int=(0xF00D << 112) + number)))
    _text(domain, "memory", str(2 * 2**20))
    _text(domain, "vcpu", "2")
    _text(ET.SubElement(domain, "os"), "type", "hvm")
    devices = ET.SubElement(domain, "devices")
    for letter in "ab":
        disk = ET.SubElement(devices, "disk", type="file", device="disk")
        ET.SubElement(disk, "driver", name="qemu", type="qcow2")
        ET.SubElement(disk, "source", file=f"/srv/images/vm-{number:05}-{letter}.qcow2")
        ET.SubElement(disk, "target", dev=f"vd{letter}", bus="virtio")
    for card in range(2):
        nic = ET.SubElement(devices, "interface", type="network")
        ET.SubElement(
            nic, "mac", address=f"52:54:{card:02x}:{number >> 16:02x}:{number >> 8 & 255:02x}:{number & 255:02x}"
        )
        ET.SubElement(nic, "source", network="default")
        ET.SubElement(nic, "model", type="virtio")
    return domain


def _text(parent: ET.Element, tag: str, text: str) -> None:
    ET.SubElement(parent, tag).text = text
