"""Who uses a volume: domains that have it as a disk, and volumes that lie on it."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING

import libvirt
from hvsdk.driver import VolumeInfo, errors

from hvsdk_kvm._xml import parse_xml

if TYPE_CHECKING:
    from hvsdk_kvm._session import Session
    from hvsdk_kvm._store import Store

__all__ = ["Usage", "disk_source", "source_paths"]


class Usage:
    """Which domain uses which path, as seen once: what their definitions say, and what running ones have open."""

    def __init__(self, session: Session, *, but: str | None = None) -> None:
        self._users: dict[str, str] = {}
        """Name of one domain by path, or by (pool, volume) for sources that libvirt resolves itself."""
        self._volumes: dict[tuple[str, str], str] = {}
        for domain in session.connection.listAllDomains(0):
            if domain.UUIDString() != but:
                self._note(domain)

    def _note(self, domain: libvirt.virDomain) -> None:
        try:
            flags = (0, libvirt.VIR_DOMAIN_XML_INACTIVE) if domain.isActive() else (0,)
            roots = [parse_xml(domain.XMLDesc(flag)) for flag in flags]
        except libvirt.libvirtError as exc:
            if exc.get_error_code() != libvirt.VIR_ERR_NO_DOMAIN:
                raise
            return
        for root in roots:
            for source in root.iterfind("devices/disk//source"):
                if source.get("volume"):
                    self._volumes[source.get("pool", ""), source.get("volume", "")] = domain.name()
            for path in source_paths(root.iterfind("devices/disk")):
                self._users[path] = domain.name()

    def user(self, volume: VolumeInfo) -> str | None:
        """Return the name of a domain that uses a volume, if there is one."""
        return self._users.get(volume.path or "") or self._volumes.get((volume.details["kvm.pool"], volume.id))

    def holder(self, volume: VolumeInfo, store: Store, *, lying_on: Collection[str | None] = ()) -> str | None:
        """Return in words what keeps a volume from being removed, `None` when nothing does.

        Args:
            lying_on: Paths of volumes that are to be removed with it, so that they may lie on it.
        """
        user = self.user(volume)
        if user is not None:
            return f"it is a disk of the domain {user!r}"
        other = next((other for other in store.lying_on(volume.path or "") if other.path not in lying_on), None)
        return None if other is None else f"the volume {other.path or other.id!r} lies on it"

    def refuse(self, volume: VolumeInfo, store: Store) -> None:
        """Raise `BusyError` when a domain has a volume as its disk, or another volume lies on it."""
        holder = self.holder(volume, store)
        if holder is not None:
            raise errors.BusyError(
                f"the volume {volume.path or volume.id!r} is in use: {holder}",
                lasting=True,
                hint="detach or remove that first",
            )


def source_paths(disks: Iterable[ET.Element]) -> Iterator[str]:
    """Yield the paths of all sources of disks, those of their backing chains too."""
    for disk in disks:
        for source in disk.iter("source"):
            path = source.get("file") or source.get("dev") or source.get("dir")
            if path:
                yield path


def disk_source(disk: ET.Element, store: Store) -> VolumeInfo | None:
    """Return the volume that a disk's own source names; `None` for an empty drive or what cannot be seen."""
    source = disk.find("source")
    if source is None:
        return None
    if source.get("volume"):
        return store.volume(store.pool(source.get("pool")).id, source.get("volume", ""))
    path = source.get("file") or source.get("dev")
    return store.locate(path) if path else None
