"""New files on top of a domain's disks, made by libvirt where the disks are."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping

import libvirt

from hvsdk_kvm._snapshot_xml import snapshot_xml

__all__ = ["add_overlays", "disk_sources", "targets"]


def targets(domain: ET.Element) -> set[str]:
    """Return the targets of all disks and drives in a definition, such as `vda`."""
    return {target.get("dev", "") for target in domain.iterfind("devices/disk/target")}


def disk_sources(domain: ET.Element) -> dict[str, str]:
    """Return the files of a definition's writable disks, by their targets; disks in no file are left out."""
    found = {}
    for disk in domain.iterfind("devices/disk"):
        target, source = disk.find("target"), disk.find("source")
        writable = disk.get("device", "disk") == "disk" and disk.find("readonly") is None
        if writable and target is not None and source is not None and source.get("file"):
            found[target.get("dev", "")] = source.get("file", "")
    return found


def add_overlays(domain: libvirt.virDomain, definition: ET.Element, overlays: Mapping[str, str]) -> None:
    """Let a domain that is off go on in these new files on top of its present ones, with no snapshot to show for it."""
    skipped = targets(definition) - overlays.keys()
    text = snapshot_xml("overlay", memory="no", disks=overlays, skipped=skipped)
    domain.snapshotCreateXML(
        text,
        libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY
        | libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_ATOMIC
        | libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_NO_METADATA,
    )
