"""Who uses a volume: domains that have it as a disk, and volumes that lie on it."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import TYPE_CHECKING

import libvirt
from hvsdk.driver import VolumeInfo, errors

from hvsdk_kvm._errors import code_of
from hvsdk_kvm._snapshot_xml import read_snapshots
from hvsdk_kvm._xml import parse_xml

if TYPE_CHECKING:
    from hvsdk_kvm._session import Session
    from hvsdk_kvm._store import Store

__all__ = ["Usage", "disk_source", "source_paths"]


class Usage:
    """Which domain uses which path, as seen once: what their definitions say, and what running ones have open."""

    def __init__(self, session: Session, store: Store, *, but: str | None = None) -> None:
        self._store = store
        self._users: dict[str, str] = {}
        """Name of one domain by path, or by (pool, volume) for sources that libvirt resolves itself."""
        self._volumes: dict[tuple[str, str], str] = {}
        self._below: dict[str, str] = {}
        """Name of a domain by the path of what one of its disks lies on."""
        self._snapshots: dict[str, str] = {}
        """Name of a domain by the path of what one of its snapshots needs."""
        connection = session.connection
        for domain in connection.listAllDomains(0):
            if domain.UUIDString() != but:
                _unless_gone(self._note, domain)
        for domain in connection.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_HAS_SNAPSHOT):
            if domain.UUIDString() != but:
                _unless_gone(self._note_snapshots, domain)
        for path, name in tuple(self._users.items()):
            # Looked up one by one: libvirt's list of a directory may be older than the files that a domain went on in.
            self._below.update((store.same(lower.path), name) for lower in store.chain(path) if lower.path)

    def _note(self, domain: libvirt.virDomain) -> None:
        flags = (0, libvirt.VIR_DOMAIN_XML_INACTIVE) if domain.isActive() else (0,)
        for root in [parse_xml(domain.XMLDesc(flag)) for flag in flags]:
            for source in root.iterfind("devices/disk//source"):
                if source.get("volume"):
                    self._volumes[source.get("pool", ""), source.get("volume", "")] = domain.name()
            for path in source_paths(root.iterfind("devices/disk")):
                self._users[self._store.same(path)] = domain.name()

    def _note_snapshots(self, domain: libvirt.virDomain) -> None:
        for snapshot in read_snapshots(domain, secure=False):
            for path in (*snapshot.states.values(), *snapshot.overlays.values()):
                self._snapshots[self._store.same(path)] = domain.name()

    def user(self, volume: VolumeInfo) -> str | None:
        """Return the name of a domain that uses a volume, if there is one."""
        named = self._volumes.get((volume.details["kvm.pool"], volume.id))
        return named or (self._users.get(self._store.same(volume.path)) if volume.path else None)

    def holder_of_path(self, path: str) -> str | None:
        """Return in words which domain needs the file at a path, `None` when none is seen to."""
        same = self._store.same(path)
        if same in self._users:
            return f"it is a disk of the domain {self._users[same]!r}"
        if same in self._below:
            return f"a disk of the domain {self._below[same]!r} lies on it"
        return f"a snapshot of the domain {self._snapshots[same]!r} needs it" if same in self._snapshots else None

    def holder(self, volume: VolumeInfo, *, lying_on: Collection[str | None] = ()) -> str | None:
        """Return in words what keeps a volume from being removed, `None` when nothing does.

        Args:
            lying_on: Paths of volumes that are to be removed with it, so that they may lie on it.
        """
        user = self.user(volume)
        if user is not None:
            return f"it is a disk of the domain {user!r}"
        if not volume.path:
            return None
        other = next((other for other in self._store.lying_on(volume.path) if other.path not in lying_on), None)
        if other is not None:
            return f"the volume {other.path or other.id!r} lies on it"
        return self.holder_of_path(volume.path)

    def refuse(self, volume: VolumeInfo) -> None:
        """Raise `BusyError` when a domain or a snapshot needs a volume, or another volume lies on it."""
        holder = self.holder(volume)
        if holder is not None:
            raise errors.BusyError(
                f"the volume {volume.path or volume.id!r} is in use: {holder}",
                lasting=True,
                hint="detach or remove that first",
            )


def _unless_gone(note: Callable[[libvirt.virDomain], None], domain: libvirt.virDomain) -> None:
    try:
        note(domain)
    except libvirt.libvirtError as exc:
        if code_of(exc) not in (libvirt.VIR_ERR_NO_DOMAIN, libvirt.VIR_ERR_NO_DOMAIN_SNAPSHOT):
            raise


def source_paths(disks: Iterable[ET.Element]) -> Iterator[str]:
    """Yield the paths of all sources of disks, those of their backing chains too."""
    for disk in disks:
        for source in disk.iter("source"):
            path = source.get("file") or source.get("dev") or source.get("dir")
            if path:
                yield path


def disk_source(disk: ET.Element, store: Store) -> VolumeInfo | None:
    """Return the volume that a disk's own source names; `None` for an empty drive or what cannot be seen.

    Its format is the one that the definition says, since a guest can make a raw disk look like any.
    """
    source = disk.find("source")
    if source is None:
        return None
    if source.get("volume"):
        volume = store.volume(store.pool(source.get("pool")).id, source.get("volume", ""))
    else:
        path = source.get("file") or source.get("dev")
        found = store.locate(path) if path else None
        if found is None:
            return None
        volume = found
    driver = disk.find("driver")
    said = None if driver is None else driver.get("type")
    return volume if said is None else volume.replace(format=said)
