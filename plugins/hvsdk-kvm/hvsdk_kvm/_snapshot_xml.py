"""Snapshots as libvirt describes them: read into records, written for `snapshotCreateXML`."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

import attrs
import libvirt
from hvsdk.driver import SnapshotInfo, errors

from hvsdk_kvm._overlay_names import was_quiesced
from hvsdk_kvm._xml import parse_xml

__all__ = ["SnapshotRecord", "check_snapshot_name", "read_snapshots", "snapshot_xml", "strip_backing"]


@attrs.frozen
class SnapshotRecord:
    """One snapshot: libvirt's object and what its document says."""

    handle: libvirt.virDomainSnapshot
    xml: ET.Element

    @property
    def name(self) -> str:
        """Its name, by which libvirt knows it."""
        return self.xml.findtext("name") or ""

    @property
    def parent(self) -> str | None:
        """Name of the snapshot it was made on."""
        return self.xml.findtext("parent/name")

    @property
    def has_memory(self) -> bool:
        """Whether it can be reverted to a running guest."""
        memory = self.xml.find("memory")
        running = self.xml.findtext("state") in ("running", "paused", "pmsuspended")
        return running and (memory is None or memory.get("snapshot") != "no")

    @property
    def overlays(self) -> dict[str, str]:
        """The file that took over from each disk when it was made, by the disk's target; none for an internal one."""
        found = {}
        for disk in self.xml.iterfind("disks/disk[@snapshot='external']"):
            source = disk.find("source")
            path = source.get("file") if source is not None else None
            if path:
                found[disk.get("name", "")] = path
        return found

    @property
    def quiesced(self) -> bool | None:
        """Whether the guest's disks were quiesced for it; `None` where nothing tells."""
        told = {was_quiesced(path) for path in self.overlays.values()}
        if not self.external:
            return False  # libvirt quiesces only for those beside the disks
        return told.pop() if len(told) == 1 else None

    @property
    def external(self) -> bool:
        """Whether it lies in files of its own rather than inside the disks' files."""
        return self.xml.find("disks/disk[@snapshot='external']") is not None

    @property
    def outside(self) -> set[str]:
        """Targets of the disks that go on in another file since it was made."""
        return {disk.get("name", "") for disk in self.xml.iterfind("disks/disk[@snapshot='external']")}

    @property
    def definition(self) -> ET.Element:
        """The domain's definition at that time.

        Raises:
            OperationFailedError: libvirt kept none (it was made by a very old version).
        """
        for tag in ("inactiveDomain", "domain"):
            found = self.xml.find(tag)
            if found is not None and found.find("devices") is not None:
                return found
        raise errors.OperationFailedError(f"libvirt kept no definition of the domain with the snapshot {self.name!r}")

    @property
    def states(self) -> dict[str, str]:
        """The file that holds the content of each of its external disks, by the disk's target."""
        return {target: path for target, (path, _) in self._layers().items()}

    @property
    def formats(self) -> dict[str, str]:
        """The formats of those files, by their paths."""
        return dict(self._layers().values())

    def _layers(self) -> dict[str, tuple[str, str]]:
        outside = self.outside
        found = {}
        for disk in self.definition.iterfind("devices/disk"):
            target, source, driver = disk.find("target"), disk.find("source"), disk.find("driver")
            name = target.get("dev", "") if target is not None else ""
            path = source.get("file") if source is not None else None
            if name in outside and path:
                found[name] = path, (driver.get("type", "raw") if driver is not None else "raw")
        return found

    def move_states(self, states: Mapping[str, str], formats: Mapping[str, str]) -> None:
        """Change the document: the content of its disks is in other files now, of these formats."""
        for tag in ("inactiveDomain", "domain"):
            for disk in self.xml.iterfind(f"{tag}/devices/disk"):
                target, source, driver = disk.find("target"), disk.find("source"), disk.find("driver")
                path = states.get(target.get("dev", "")) if target is not None else None
                if path is not None and source is not None:
                    source.set("file", path)
                    if driver is not None:
                        driver.set("type", formats[path])
        strip_backing(self.xml)

    def info(self, current: str | None) -> SnapshotInfo:
        """Return the record that users see; `current` is the name of the domain's current snapshot."""
        created = self.xml.findtext("creationTime")
        return SnapshotInfo(
            id=self.name,
            name=self.name,
            created_at=datetime.fromtimestamp(int(created), UTC) if created and created.isdigit() else None,
            parent=self.parent,
            is_current=self.name == current,
            has_memory=self.has_memory,
            quiesced=self.quiesced,
            description=self.xml.findtext("description") or "",
            details={"kvm.kind": "external" if self.external else "internal"},
        )


def read_snapshots(domain: libvirt.virDomain, *, secure: bool = True) -> list[SnapshotRecord]:
    """Return all snapshots of a domain, parents before children.

    Args:
        secure: With the passwords in the definitions, which a document that is written back must keep.
    """
    handles = domain.listAllSnapshots(libvirt.VIR_DOMAIN_SNAPSHOT_LIST_TOPOLOGICAL)
    flags = libvirt.VIR_DOMAIN_SNAPSHOT_XML_SECURE if secure else 0
    return [SnapshotRecord(handle, parse_xml(handle.getXMLDesc(flags))) for handle in handles]


def snapshot_xml(
    name: str,
    *,
    description: str = "",
    memory: str | None = None,
    disks: Mapping[str, str] | None = None,
    skipped: Iterable[str] = (),
) -> str:
    """Return the document of a snapshot to make.

    Args:
        memory: `no` or `internal`; libvirt decides without it.
        disks: New files, by the target of the disk that goes on in each.
        skipped: Targets of disks to leave out.
    """
    root = ET.Element("domainsnapshot")
    ET.SubElement(root, "name").text = name
    if description:
        ET.SubElement(root, "description").text = description
    if memory is not None:
        ET.SubElement(root, "memory", snapshot=memory)
    if disks is not None:
        listed = ET.SubElement(root, "disks")
        for target, path in disks.items():
            disk = ET.SubElement(listed, "disk", name=target, snapshot="external")
            ET.SubElement(disk, "driver", type="qcow2")
            ET.SubElement(disk, "source", file=path)
        for target in skipped:
            ET.SubElement(listed, "disk", name=target, snapshot="no")
    return ET.tostring(root, encoding="unicode")


def check_snapshot_name(name: str) -> None:
    """Raise `InvalidSpecError` unless libvirt can keep a snapshot of this name: it becomes the name of a file."""
    if "/" in name or name.startswith("."):
        raise errors.InvalidSpecError(f"libvirt keeps no snapshot named {name!r}", hint="no / in it, and no . first")
    if re.search("[\x00-\x1f\x7f\ud800-\udfff\ufffe\uffff]", name):
        raise errors.InvalidSpecError(f"the snapshot's name {name!r} holds a control character")
    if len(name.encode()) > 200:
        raise errors.InvalidSpecError("a snapshot's name is at most 200 bytes long here")


def strip_backing(xml: ET.Element) -> None:
    """Leave it to libvirt to find out what the files of disks lie on: it may have changed."""
    for disk in xml.iter("disk"):
        for element in disk.findall("backingStore"):
            disk.remove(element)
