"""A clone's definition: the original's, but for what only one machine can have."""

from __future__ import annotations

import copy
import xml.etree.ElementTree as ET
from collections.abc import Mapping

from hvsdk.driver import VolumeInfo

from hvsdk_kvm._block_jobs import find_disk
from hvsdk_kvm._cloud_init import seed_name
from hvsdk_kvm._labels_xml import Labels, labels_element, read_labels
from hvsdk_kvm._plan import new_mac
from hvsdk_kvm._xml import HVSDK_NAMESPACE
from hvsdk_kvm._xml_devices import set_source

__all__ = ["clone_definition"]

_OWN = "hvsdk."
"""How keys of metadata begin that are hvsdk's: lineage and fence belong to one machine alone."""


def clone_definition(original: ET.Element, name: str, uuid: str, disks: Mapping[str, VolumeInfo]) -> ET.Element:
    """Return the definition of a clone.

    Args:
        disks: The clone's own volumes, by target; all other media are the original's.
    """
    clone = copy.deepcopy(original)
    before = clone.findtext("uuid") or ""
    _set_text(clone, "name", name)
    _set_text(clone, "uuid", uuid)
    for entry in clone.iterfind("sysinfo/system/entry[@name='uuid']"):
        entry.text = uuid  # libvirt wants it to be the domain's
    generation = clone.find("genid")
    if generation is not None:
        generation.text = None  # libvirt makes a new one, by which the guest notices
    _forget_firmware_file(clone)
    _forget_marks(clone)
    _renew_macs(clone)
    for target, volume in disks.items():
        disk = find_disk(clone, target)
        set_source(disk, volume)
        driver = disk.find("driver")
        if driver is not None:
            driver.set("type", volume.format or "raw")
    _eject_seed(clone, seed_name(before))
    return clone


def _set_text(domain: ET.Element, tag: str, text: str) -> None:
    element = domain.find(tag)
    if element is None:
        element = ET.SubElement(domain, tag)
    element.text = text


def _forget_firmware_file(domain: ET.Element) -> None:
    """Let libvirt choose the file of UEFI's variables by the clone's name."""
    variables = domain.find("os/nvram")
    if variables is not None:
        variables.text = None
        variables.attrib.pop("type", None)
        for source in variables.findall("source"):
            variables.remove(source)


def _forget_marks(domain: ET.Element) -> None:
    metadata = domain.find("metadata")
    if metadata is None:
        return
    labels = read_labels(domain)
    for element in metadata.findall(f"{{{HVSDK_NAMESPACE}}}labels"):
        metadata.remove(element)
    kept = labels_element(
        Labels(labels.tags, {key: value for key, value in labels.metadata.items() if not key.startswith(_OWN)})
    )
    if kept is not None:
        metadata.append(kept)


def _renew_macs(domain: ET.Element) -> None:
    taken = {mac.get("address", "") for mac in domain.iterfind("devices/interface/mac")}
    for mac in domain.iterfind("devices/interface/mac"):
        fresh = new_mac(taken)
        taken.add(fresh)
        mac.set("address", fresh)


def _eject_seed(domain: ET.Element, seed: str) -> None:
    """Take cloud-init's disk out: it is the original's, goes with it, and says who the guest is."""
    for disk in domain.iterfind("devices/disk[@device='cdrom']"):
        source = disk.find("source")
        path = None if source is None else source.get("file") or source.get("volume")
        if path is not None and path.rpartition("/")[2] == seed:
            set_source(disk, None)
