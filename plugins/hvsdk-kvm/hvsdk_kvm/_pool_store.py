"""The store behind a libvirt that has storage pools. Nothing here touches a file: the pools may be far away."""

from __future__ import annotations

import os
import posixpath
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

import libvirt
from hvsdk.driver import StoragePoolInfo, VolumeInfo, errors

from hvsdk_kvm._errors import code_of
from hvsdk_kvm._store import Store, lies_on
from hvsdk_kvm._xml import parse_xml, write_xml

if TYPE_CHECKING:
    from hvsdk_kvm._session import Session

__all__ = ["PoolStore"]

_FILE_POOLS = frozenset({"dir", "fs", "netfs", "vstorage", "gluster"})
_CHUNK = 256 * 1024


class PoolStore(Store):
    """Volumes through libvirt's storage driver."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def _connection(self) -> libvirt.virConnect:
        return self._session.connection

    def pools(self) -> list[StoragePoolInfo]:
        active = {
            pool.UUIDString()
            for pool in self._connection.listAllStoragePools(libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE)
        }
        found = []
        for pool in self._connection.listAllStoragePools(0):
            try:
                found.append(_pool_info(pool, active=pool.UUIDString() in active))
            except libvirt.libvirtError as exc:
                if code_of(exc) != libvirt.VIR_ERR_NO_STORAGE_POOL:
                    raise
        return found

    def pool(self, key: str | None) -> StoragePoolInfo:
        if key is None:
            return self._default_pool()
        pool = self._lookup_pool(key)
        return _pool_info(pool, active=bool(pool.isActive()))

    def _default_pool(self) -> StoragePoolInfo:
        active = [pool for pool in self.pools() if pool.active]
        named = [pool for pool in active if pool.name == "default"]
        if named or len(active) == 1:
            return (named or active)[0]
        if not active:
            raise errors.StoragePoolNotFoundError("no storage pool is active here", hint="define and start one")
        names = ", ".join(sorted(pool.name for pool in active))
        raise errors.InvalidSpecError("no storage pool was named, and none is 'default'", hint=f"pool= one of: {names}")

    def _lookup_pool(self, key: str) -> libvirt.virStoragePool:
        for look_up in (self._connection.storagePoolLookupByUUIDString, self._connection.storagePoolLookupByName):
            try:
                return look_up(key)
            except libvirt.libvirtError as exc:
                if code_of(exc) not in (libvirt.VIR_ERR_NO_STORAGE_POOL, libvirt.VIR_ERR_INVALID_ARG):
                    raise
        raise errors.StoragePoolNotFoundError(f"there is no storage pool {key!r}")

    def _active_pool(self, key: str) -> libvirt.virStoragePool:
        pool = self._lookup_pool(key)
        if not pool.isActive():
            raise errors.OperationFailedError(f"the storage pool {pool.name()!r} is not active", hint="start it")
        return pool

    def volumes(self, pool_id: str) -> list[VolumeInfo]:
        pool = self._active_pool(pool_id)
        found = []
        for volume in pool.listAllVolumes(0):
            try:
                found.append(_volume_info(volume, pool))
            except libvirt.libvirtError as exc:
                if code_of(exc) != libvirt.VIR_ERR_NO_STORAGE_VOL:
                    raise
        return found

    def volume(self, pool_id: str, volume_id: str) -> VolumeInfo:
        pool = self._active_pool(pool_id)
        return _volume_info(_lookup_volume(pool, volume_id), pool)

    def handle(self, volume: VolumeInfo) -> libvirt.virStorageVol:
        """Return libvirt's own object of a volume, for streams."""
        return _lookup_volume(self._lookup_pool(volume.pool), volume.id)

    def locate(self, path: str) -> VolumeInfo | None:
        volume = self._at_path(path)
        if volume is None:
            beside = [pool for pool in self.pools() if pool.active and pool.path == posixpath.dirname(path)]
            for pool in beside:  # the file may be younger than libvirt's list of the directory
                self._lookup_pool(pool.id).refresh(0)
            volume = self._at_path(path) if beside else None
        if volume is None:
            return None
        return _volume_info(volume, volume.storagePoolLookupByVolume())

    def _at_path(self, path: str) -> libvirt.virStorageVol | None:
        try:
            return self._connection.storageVolLookupByPath(path)
        except libvirt.libvirtError as exc:
            if code_of(exc) != libvirt.VIR_ERR_NO_STORAGE_VOL:
                raise
            return None

    def thin_format(self, pool: StoragePoolInfo) -> str:
        return "qcow2" if pool.type in _FILE_POOLS else "raw"

    def create(self, pool: StoragePoolInfo, name: str, size_bytes: int, format: str | None) -> VolumeInfo:
        return self._make(pool, _volume_xml(pool, name, size_bytes, format or self.thin_format(pool)))

    def same(self, path: str) -> str:
        return os.path.realpath(path) if self._session.local else super().same(path)

    def copy(self, source: VolumeInfo, pool: StoragePoolInfo, name: str, format: str | None) -> VolumeInfo:
        _refuse_disguise(source, self.volume(source.pool, source.id))
        xml = _volume_xml(pool, name, source.capacity_bytes or 0, format or self.thin_format(pool))
        return self._make(pool, xml, source)

    def overlay(self, base: VolumeInfo, pool: StoragePoolInfo, name: str) -> VolumeInfo:
        xml = _volume_xml(pool, name, base.capacity_bytes or 0, "qcow2")
        backing = ET.SubElement(xml, "backingStore")
        ET.SubElement(backing, "path").text = base.path
        ET.SubElement(backing, "format", type=base.format or "raw")
        return self._make(pool, xml)

    def _make(self, pool: StoragePoolInfo, xml: ET.Element, source: VolumeInfo | None = None) -> VolumeInfo:
        handle = self._active_pool(pool.id)
        name = xml.findtext("name", "")
        _refuse_taken(handle, name)
        if source is None:
            return _volume_info(handle.createXML(write_xml(xml), 0), handle)
        return _volume_info(handle.createXMLFrom(write_xml(xml), self.handle(source), 0), handle)

    def upload(self, pool: StoragePoolInfo, name: str, data: bytes) -> VolumeInfo:
        made = self.create(pool, name, len(data), "raw")
        stream = self._connection.newStream(0)
        try:
            self.handle(made).upload(stream, 0, len(data), 0)
            view = memoryview(data)
            while view:
                view = view[stream.send(bytes(view[:_CHUNK])) :]
            stream.finish()
        except BaseException:
            _abort(stream)
            self.delete(made)
            raise
        return made

    def resize(self, volume: VolumeInfo, size_bytes: int) -> None:
        self.handle(volume).resize(size_bytes, 0)

    def delete(self, volume: VolumeInfo) -> None:
        self.handle(volume).delete(0)


def _abort(stream: libvirt.virStream) -> None:
    try:
        stream.abort()
    except libvirt.libvirtError:
        return  # it had ended by itself; the first error is the one that tells


def _lookup_volume(pool: libvirt.virStoragePool, name: str) -> libvirt.virStorageVol:
    try:
        return pool.storageVolLookupByName(name)
    except libvirt.libvirtError as exc:
        if code_of(exc) != libvirt.VIR_ERR_NO_STORAGE_VOL:
            raise
        raise errors.VolumeNotFoundError(f"the storage pool {pool.name()!r} has no volume {name!r}") from exc


def _refuse_taken(pool: libvirt.virStoragePool, name: str) -> None:
    try:
        _lookup_volume(pool, name)
    except errors.VolumeNotFoundError:
        return
    raise errors.AlreadyExistsError(f"the storage pool {pool.name()!r} already has a volume {name!r}")


def _refuse_disguise(source: VolumeInfo, seen: VolumeInfo) -> None:
    """Raise where libvirt, which looks at the first bytes, would read a volume as another format than it has.

    A guest writes what it likes to a raw disk, the name of a file of the host too, which would then be copied.
    """
    if (
        lies_on(source) is None
        and (seen.format, seen.backing) != ("raw", None)
        and seen.format not in ("iso", source.format)
    ):
        raise errors.OperationFailedError(
            f"the volume {source.id!r} is {source.format}, but libvirt takes what is in it for {seen.format}: not copied",
            hint="read it with open_disk, which is told the format",
        )


def _volume_xml(pool: StoragePoolInfo, name: str, size_bytes: int, format: str) -> ET.Element:
    volume = ET.Element("volume")
    ET.SubElement(volume, "name").text = name
    ET.SubElement(volume, "capacity", unit="bytes").text = str(size_bytes)
    if pool.type in _FILE_POOLS:  # elsewhere an allocation below the capacity means another kind of volume
        ET.SubElement(volume, "allocation", unit="bytes").text = "0"
        target = ET.SubElement(volume, "target")
        ET.SubElement(target, "format", type=format)
        if format == "qcow2":
            ET.SubElement(target, "compat").text = "1.1"  # libvirt's default is the format of 2010
    elif format != "raw":
        raise errors.InvalidSpecError(f"volumes in the storage pool {pool.name!r} are raw, not {format!r}")
    return volume


def _pool_info(pool: libvirt.virStoragePool, *, active: bool) -> StoragePoolInfo:
    root = parse_xml(pool.XMLDesc(0))
    return StoragePoolInfo(
        id=pool.UUIDString(),
        name=pool.name(),
        type=root.get("type"),
        active=active,
        capacity_bytes=_bytes(root.find("capacity")) if active else None,
        allocated_bytes=_bytes(root.find("allocation")) if active else None,
        free_bytes=_bytes(root.find("available")) if active else None,
        path=root.findtext("target/path"),
    )


_KINDS = {"file": "file", "block": "block", "network": "network"}


def _volume_info(volume: libvirt.virStorageVol, pool: libvirt.virStoragePool) -> VolumeInfo:
    root = parse_xml(volume.XMLDesc(0))
    format = root.find("target/format")
    return VolumeInfo(
        id=volume.name(),
        name=volume.name(),
        pool=pool.UUIDString(),
        capacity_bytes=_bytes(root.find("capacity")),
        allocated_bytes=_bytes(root.find("allocation")),
        format="raw" if format is None else format.get("type"),
        path=root.findtext("target/path"),
        backing=root.findtext("backingStore/path"),
        details=_details(root, pool.name()),
    )


def _details(root: ET.Element, pool: str) -> dict[str, str]:
    details = {"kvm.type": _KINDS.get(root.get("type", "file"), "network"), "kvm.pool": pool}
    below = root.find("backingStore/format")
    return details if below is None else {**details, "kvm.backing_format": below.get("type", "raw")}


def _bytes(element: ET.Element | None) -> int | None:
    """Return a size that libvirt wrote; it always writes bytes."""
    return None if element is None or not (element.text or "").isdigit() else int(element.text or "")
