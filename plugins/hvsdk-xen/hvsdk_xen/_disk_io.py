"""Reading disks, writing volumes, and what changed between snapshots.

A disk is read by NBD where the pool offers that, otherwise from an HTTP stream: a VHD, which leaves out what is empty,
or the plain bytes where the server or the disk does not do VHD.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from weakref import WeakSet

import XenAPI
from hvsdk.driver import Capability, Deadline, DiskReader, DiskWriter, Extent, Target, Unsupported, errors

from hvsdk_xen._changed_blocks import changed_extents, read_bitmap
from hvsdk_xen._devices import disk_ids
from hvsdk_xen._export import Export
from hvsdk_xen._fields import records_of
from hvsdk_xen._login import code_of
from hvsdk_xen._nbd_reader import NbdReader, nbd_servers
from hvsdk_xen._store import Vdi
from hvsdk_xen._stream_readers import RawReader, VhdReader, check_size
from hvsdk_xen._values import as_int, as_time, is_ref
from hvsdk_xen._verbs import FAILURES
from hvsdk_xen._vhd import BrokenVhdError, VhdMap, read_map
from hvsdk_xen._volume_writer import VolumeWriter
from hvsdk_xen._volumes import VolumeVerbs

__all__ = ["DiskIoVerbs"]

_NO_VHD = frozenset(("VDI_TOO_LARGE", "SR_OPERATION_NOT_SUPPORTED", "UNIMPLEMENTED_IN_SM_BACKEND", "NOT_IMPLEMENTED"))
"""Why a disk cannot be had as a VHD; the plain bytes still can."""
_NO_TRACKING = frozenset(
    (
        *("VDI_NO_CBT_METADATA", "VDI_CBT_NOT_ENABLED", "VDI_INCOMPATIBLE_TYPE", "SR_BACKEND_FAILURE_460"),
        *("SR_OPERATION_NOT_SUPPORTED", "MESSAGE_METHOD_UNKNOWN"),
    )
)
"""Why XAPI cannot tell what changed; the images still can."""


class DiskIoVerbs(VolumeVerbs):
    """Opens disks for reading and volumes for writing."""

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self._streams: WeakSet[RawReader | VhdReader | NbdReader | VolumeWriter] = WeakSet()

    def close(self) -> None:
        """Let go what is open for reading or writing with the connection that it is on."""
        for stream in list(self._streams):
            stream.drop()
        super().close()

    def host_limits(self, *, deadline: Deadline) -> Mapping[Capability, Unsupported]:
        limits = dict(super().host_limits(deadline=deadline))
        method = "network.get_all_records"
        networks = records_of(self.call(method, deadline=deadline), method).values()
        purposes = [network.get("purpose") for network in networks]
        if not any(isinstance(purpose, list) and "nbd" in purpose for purpose in purposes):
            reason = "disks are read as streams, since no network of the pool has the purpose nbd (network.add_purpose)"
            limits.setdefault(Capability.DISK_RANDOM_READ, Unsupported(reason))
        return limits

    def open_disk(self, native_id: str, disk_id: str, *, snapshot_id: str | None, deadline: Deadline) -> DiskReader:
        if snapshot_id is not None:
            snapshot = self._snapshot_ref(native_id, snapshot_id, deadline)
            vdi = self._disk_in(snapshot, disk_id, deadline)
        else:
            vdi = self._disk_in(self.vm_ref(native_id, deadline), disk_id, deadline)
        reader = self._open(vdi, deadline)
        self._streams.add(reader)
        return reader

    def open_volume(self, pool_id: str, volume_id: str, *, deadline: Deadline) -> DiskWriter:
        storage = self._storage_pool(pool_id, deadline)
        vdi = self._volume_of_pool(storage, volume_id, deadline)
        self._refuse_used_volume(storage, vdi, deadline)
        if vdi.record.get("read_only"):
            raise errors.BusyError(f"the volume {vdi.name!r} can only be read", lasting=True)
        empty = self._is_empty(vdi, deadline)
        host = self.receiver_of(storage.ref, deadline)
        writer = VolumeWriter(self, vdi.uuid, _size_of(vdi), host, None if empty else partial(self._stream, vdi))
        self._streams.add(writer)
        return writer

    def changed_blocks(
        self, native_id: str, disk_id: str, snapshot_id: str, since_id: str, *, deadline: Deadline
    ) -> Iterable[Extent]:
        later, earlier = (self._snapshot_ref(native_id, one, deadline) for one in (snapshot_id, since_id))
        self._refuse_backwards(later, earlier, deadline)
        new, old = (self._disk_in(snapshot, disk_id, deadline) for snapshot in (later, earlier))
        try:
            bitmap = self.call("VDI.list_changed_blocks", old.ref, new.ref, deadline=deadline)
        except XenAPI.Failure as exc:
            if code_of(exc) not in _NO_TRACKING:
                raise
            return self._differing(old, new, exc, deadline)
        size = _size_of(new)
        return list(changed_extents(read_bitmap(bitmap, size), size))

    # ---- finding -----------------------------------------------------------------------------------------

    def _snapshot_ref(self, native_id: str, snapshot_id: str, deadline: Deadline) -> str:
        """Return a snapshot of a VM by its UUID."""
        try:
            ref = str(self.call("VM.get_by_uuid", snapshot_id, deadline=deadline))
        except XenAPI.Failure as exc:
            if code_of(exc) != "UUID_INVALID":
                raise
            raise errors.SnapshotNotFoundError(f"there is no snapshot {snapshot_id!r}") from exc
        if self.call("VM.get_snapshot_of", ref, deadline=deadline) != self.vm_ref(native_id, deadline):
            raise errors.SnapshotNotFoundError(f"{snapshot_id!r} is no snapshot of the domain")
        return ref

    def _refuse_backwards(self, later: str, earlier: str, deadline: Deadline) -> None:
        """Refuse a snapshot to compare with that is the younger one: XAPI would answer all the same."""
        times = [as_time(self.call("VM.get_snapshot_time", one, deadline=deadline)) for one in (later, earlier)]
        if times[0] is not None and times[1] is not None and times[0] < times[1]:
            raise errors.InvalidSpecError(
                f"changes are those since an earlier snapshot, and the one to compare with is of {times[1]}, after {times[0]}",
                hint="ask the later snapshot: later.changed_blocks(earlier, disk)",
            )

    def _disk_in(self, vm: str, disk_id: str, deadline: Deadline) -> Vdi:
        """Return what is in a drive of a VM or snapshot, by the drive's id."""
        query = f'field "VM" = "{vm}"'  # a reference, which XAPI made
        found = self.call("VBD.get_all_records_where", query, deadline=deadline)
        drives = {ref: drive for ref, drive in found.items() if drive.get("VM") == vm}
        for ref, key in disk_ids(drives).items():
            if key == disk_id and is_ref(drives[ref].get("VDI")):
                return self.vdi_of(str(drives[ref]["VDI"]), deadline)
        raise errors.DiskNotFoundError(f"there is no disk {disk_id!r} that has a volume")

    # ---- reading -----------------------------------------------------------------------------------------

    def _open(self, vdi: Vdi, deadline: Deadline) -> NbdReader | VhdReader | RawReader:
        way = self.target.options.get("disk_io", "auto")
        if way in ("auto", "nbd"):
            servers = nbd_servers(self, vdi.ref, deadline) if self.has_message("VDI.get_nbd_info") else []
            if servers:
                try:
                    return NbdReader(self, vdi.ref, servers, _size_of(vdi), partial(self._holes, vdi), deadline)
                except (OSError, errors.ConnectError):
                    if way == "nbd":
                        raise  # else, such as behind a firewall, the way over HTTPS is there
            elif way == "nbd":
                raise errors.UnsupportedError(
                    f"the disk {vdi.name!r} is not served by NBD",
                    capability=Capability.OPEN_DISK,
                    hint="give a network of the pool the purpose nbd, or connect with disk_io='auto'",
                )
        return self._stream(vdi, deadline)

    def _stream(self, vdi: Vdi, deadline: Deadline | None = None) -> VhdReader | RawReader:
        size = _size_of(vdi)
        if self.target.options.get("disk_io") == "raw":
            return RawReader(partial(Export, self, vdi.uuid, "raw"), size, deadline)
        try:
            return VhdReader(partial(Export, self, vdi.uuid, "vhd"), size, deadline)
        except BrokenVhdError:
            pass
        except XenAPI.Failure as exc:
            if code_of(exc) not in _NO_VHD:
                raise
        return RawReader(partial(Export, self, vdi.uuid, "raw"), size, deadline)

    def _map(self, uuid: str, base: str | None = None, *, deadline: Deadline | None = None) -> VhdMap:
        """Read what blocks a disk has from the beginning of its VHD, and no more of it."""
        export = Export(self, uuid, "vhd", base=base, what="look at", deadline=deadline)
        try:
            return read_map(export.read)[0]
        finally:
            export.close()

    def _holes(self, vdi: Vdi) -> Iterable[Extent]:
        size = _size_of(vdi)
        try:
            found = self._map(vdi.uuid)
            check_size(found.size, size, "VHD")
        except FAILURES:
            return [Extent(offset=0, length=size)] if size else []  # nothing is known of holes
        return found.extents()

    def _is_empty(self, vdi: Vdi, deadline: Deadline) -> bool:
        try:
            return self._map(vdi.uuid, deadline=deadline).empty()
        except FAILURES:
            return False

    def _differing(self, old: Vdi, new: Vdi, refusal: XenAPI.Failure, deadline: Deadline) -> Iterable[Extent]:
        """Tell from a differencing image which blocks changed, where XAPI did not keep track."""
        try:
            found = self._map(new.uuid, old.uuid, deadline=deadline)
        except (XenAPI.Failure, BrokenVhdError) as exc:
            raise _untracked(code_of(refusal)) from exc
        if not found.differencing or found.size != _size_of(old):
            raise _untracked(code_of(refusal))
        return [extent.replace(zero=False) for extent in found.extents() if not extent.zero]


def _size_of(vdi: Vdi) -> int:
    size = as_int(vdi.record.get("virtual_size"))
    if size is None or size < 0:
        raise errors.OperationFailedError(f"the pool tells no size of the disk {vdi.name!r}")
    return size


def _untracked(code: str | None) -> errors.UnsupportedError:
    return errors.UnsupportedError(
        f"XAPI did not keep track of what changed between the two snapshots ({code})",
        capability=Capability.CHANGED_BLOCKS,
        hint="enable changed block tracking of the disk (VDI.enable_cbt) before the first of them is made",
    )
