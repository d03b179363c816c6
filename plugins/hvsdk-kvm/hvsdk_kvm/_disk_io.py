"""Reading disks and writing volumes, whatever their format and wherever they are.

A local qemu-nbd understands the format. Files of this machine that we may read it opens itself; all others are handed
to it through libvirt's volume streams, piece by piece as they are asked for.
"""

from __future__ import annotations

import os
import socket
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import libvirt
from hvsdk.driver import (
    Capability,
    Deadline,
    DiskReader,
    DiskWriter,
    Extent,
    Unsupported,
    VolumeInfo,
    errors,
)

from hvsdk_kvm._block_jobs import find_disk
from hvsdk_kvm._nbd_export import RemoteFile, VolumeExports
from hvsdk_kvm._nbd_process import NbdProcess, chain_node, find_qemu_nbd
from hvsdk_kvm._pool_store import PoolStore
from hvsdk_kvm._session import Session
from hvsdk_kvm._snapshot_xml import read_snapshots
from hvsdk_kvm._store import Store, lies_on, store_of
from hvsdk_kvm._usage import Usage, disk_source
from hvsdk_kvm._volumes import known_format

__all__ = ["DiskIoVerbs"]

_GROWTH = 64 * 2**20
"""How much longer than its disk a qcow2 file may become, besides the 64th part that its tables take at most."""


class DiskIoVerbs(Session):
    """Open disks for reading and volumes for writing."""

    def host_limits(self, *, deadline: Deadline) -> Mapping[Capability, Unsupported]:
        limits = dict(super().host_limits(deadline=deadline))
        if find_qemu_nbd() is None:
            reason = Unsupported("qemu-nbd is not installed on this machine (apt install qemu-utils)")
            limits |= {Capability.OPEN_DISK: reason, Capability.OPEN_VOLUME: reason}
        return limits

    def open_disk(self, native_id: str, disk_id: str, *, snapshot_id: str | None, deadline: Deadline) -> DiskReader:
        domain = self.find(native_id)
        store = store_of(self)
        inside = None
        definition = self.read_xml(domain)
        disk = find_disk(definition, disk_id)
        if snapshot_id is not None:
            inside = _show_as_of(domain, disk, disk_id, snapshot_id)
        volume = disk_source(disk, store)
        if volume is None:
            raise errors.DiskNotFoundError(f"what disk {disk_id!r} of domain {domain.name()!r} lies in cannot be seen")
        layers = _layers(store, volume)
        return _Reader(_Opened(self, store, layers, read_only=True, snapshot=inside))

    def open_volume(self, pool_id: str, volume_id: str, *, deadline: Deadline) -> DiskWriter:
        store = store_of(self)
        volume = known_format(store.volume(pool_id, volume_id), None)
        Usage(self, store).refuse(volume)
        return _Writer(_Opened(self, store, _layers(store, volume), read_only=False))


def _show_as_of(domain: libvirt.virDomain, disk: ET.Element, disk_id: str, snapshot_id: str) -> str | None:
    """Turn a disk's element into what it was at a snapshot; return the snapshot's name where it is inside the file."""
    for snapshot in read_snapshots(domain):
        if snapshot.name != snapshot_id:
            continue
        entry = snapshot.xml.find("disks")
        kinds = {each.get("name"): each.get("snapshot") for each in entry} if entry is not None else {}
        if kinds.get(disk_id) not in ("internal", "external"):
            raise errors.DiskNotFoundError(f"the snapshot {snapshot_id!r} has no disk {disk_id!r}")
        then = find_disk(snapshot.definition, disk_id)
        disk[:] = list(then)
        return snapshot.name if kinds[disk_id] == "internal" else None
    raise errors.SnapshotNotFoundError(f"domain {domain.name()!r} has no snapshot {snapshot_id!r}")


def _layers(store: Store, volume: VolumeInfo) -> list[VolumeInfo]:
    """Return a volume and those it lies on; all of them must be there to read the disk."""
    layers = [volume, *store.below(volume)]
    missing = lies_on(layers[-1])
    if missing is not None:
        raise errors.VolumeNotFoundError(f"{layers[-1].path} lies on {missing}, which cannot be seen")
    return layers


class _Opened:
    """A disk that a qemu-nbd of ours has open."""

    def __init__(
        self,
        session: Session,
        store: Store,
        layers: list[VolumeInfo],
        *,
        read_only: bool,
        snapshot: str | None = None,
    ) -> None:
        self._session = session
        self._store = store
        self._layers = layers
        self._read_only = read_only
        self.exports: VolumeExports | None = None
        try:
            self.process = NbdProcess(
                self._node, read_only=read_only, snapshot=snapshot, timeout=max(30.0, session.target.timeout)
            )
        except BaseException:
            self._close_exports()
            raise

    def _node(self, directory: Path) -> dict[str, Any]:
        access = os.R_OK if self._read_only else os.R_OK | os.W_OK
        if _is_here(self._session) and all(os.access(layer.path or "", access) for layer in self._layers):
            files = [_local_file(layer) for layer in self._layers]
        else:
            files = self._remote_files(directory)
        formats = ["raw" if layer.format in (None, "iso") else layer.format for layer in self._layers]
        return chain_node(list(zip(formats, files, strict=True)), read_only=self._read_only)

    def _remote_files(self, directory: Path) -> list[dict[str, Any]]:
        if not isinstance(self._store, PoolStore):
            raise errors.PermissionDeniedError(f"{self._layers[0].path} may not be opened by this process")
        if not self._read_only and len(self._layers) > 1:
            raise errors.UnsupportedError(
                f"the volume {self._layers[0].id!r} lies on another; from afar only volumes that lie on none are written",
                capability=Capability.OPEN_VOLUME,
            )
        files = {}
        for index, layer in enumerate(self._layers):
            room = 0 if self._read_only else _room(layer)
            files[str(index)] = RemoteFile(self._session.connection, self._store.handle(layer), room=room)
        self.exports = VolumeExports(str(directory / "files"), files)
        server = {"type": "unix", "path": self.exports.path}
        return [{"driver": "nbd", "server": server, "export": name} for name in files]

    def close(self) -> None:
        try:
            self.process.close()
        finally:
            self._close_exports()
        self.check()

    def kill(self) -> None:
        self.process.kill()
        self._close_exports()

    def check(self) -> None:
        """Raise what went wrong between libvirt and us: QEMU knows that something did, and no more."""
        if self.exports is not None and self.exports.failure is not None:
            failure, self.exports.failure = self.exports.failure, None
            raise failure

    def _close_exports(self) -> None:
        if self.exports is not None:
            self.exports.close()


class _Reader(DiskReader):
    def __init__(self, opened: _Opened) -> None:
        self._opened = opened
        self._client = opened.process.client
        self.size = self._client.size

    def extents(self) -> Iterable[Extent]:
        return self._client.extents()

    def read(self, offset: int, length: int) -> bytes:
        try:
            return self._client.read(offset, length)
        except errors.HvsdkError:
            self._opened.check()
            raise

    def close(self) -> None:
        self._opened.close()


class _Writer(DiskWriter):
    def __init__(self, opened: _Opened) -> None:
        self._opened = opened
        self._client = opened.process.client
        self.size = self._client.size
        self._ended = False

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        try:
            self._client.write(offset, data)
        except errors.HvsdkError:
            self._opened.check()
            raise

    def zero(self, offset: int, length: int) -> None:
        self._client.zero(offset, length)

    def flush(self) -> None:
        self._client.flush()
        self._opened.check()

    def close(self) -> None:
        if not self._ended:
            self._ended = True
            try:
                self._client.flush()
            except BaseException:
                self._opened.kill()
                raise
            self._opened.close()

    def abort(self) -> None:
        if not self._ended:
            self._ended = True
            self._opened.kill()


def _is_here(session: Session) -> bool:
    """Whether the hypervisor's paths are paths here: a forwarded socket looks local and is not."""
    if session.embedded:
        return True
    return session.local and session.connection.getHostname() == socket.gethostname()


def _local_file(volume: VolumeInfo) -> dict[str, Any]:
    driver = "host_device" if volume.details.get("kvm.type") == "block" else "file"
    return {"driver": driver, "filename": volume.path}


def _room(volume: VolumeInfo) -> int:
    size = volume.capacity_bytes or 0
    return size + size // 64 + _GROWTH if volume.format == "qcow2" else size
