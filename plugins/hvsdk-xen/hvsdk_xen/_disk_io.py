"""Reading disks, writing volumes, and what changed between snapshots.

A disk is read by NBD where the pool offers that, otherwise from an HTTP stream: a VHD, which leaves out what is empty,
or the plain bytes where the server or the disk does not do VHD.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

import XenAPI
from hvsdk.driver import Capability, Deadline, DiskReader, DiskWriter, Extent, errors

from hvsdk_xen._changed_blocks import changed_extents, read_bitmap
from hvsdk_xen._export import Export
from hvsdk_xen._login import code_of
from hvsdk_xen._nbd_reader import NbdReader, nbd_servers
from hvsdk_xen._stream_readers import RawReader, VhdReader, check_size
from hvsdk_xen._values import as_int, is_ref
from hvsdk_xen._verbs import FAILURES, VerbSession
from hvsdk_xen._vhd import BrokenVhdError, VhdMap, read_map
from hvsdk_xen._volume_writer import VolumeWriter

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


class DiskIoVerbs(VerbSession):
    """Opens disks for reading and volumes for writing."""

    def open_disk(self, native_id: str, disk_id: str, *, snapshot_id: str | None, deadline: Deadline) -> DiskReader:
        vm = self.vm_ref(native_id, deadline)
        if snapshot_id is not None:
            vm = self._snapshot_ref(native_id, snapshot_id, deadline)
        return self._open(*self._disk_of(vm, disk_id, deadline), deadline)

    def open_volume(self, pool_id: str, volume_id: str, *, deadline: Deadline) -> DiskWriter:
        vdi, record = self._volume(pool_id, volume_id, deadline)
        if record.get("VBDs") or record.get("read_only"):
            users = len(record.get("VBDs") or ())
            why = f"{users} drives of domains have it" if users else "it can only be read"
            raise errors.BusyError(f"the volume {volume_id!r} cannot be written: {why}", lasting=True)
        size = _size_of(record)
        empty = size == 0 or self._is_empty(volume_id)
        return VolumeWriter(self, volume_id, size, None if empty else partial(self._stream, vdi, record))

    def changed_blocks(
        self, native_id: str, disk_id: str, snapshot_id: str, since_id: str, *, deadline: Deadline
    ) -> Iterable[Extent]:
        new, record = self._disk_of(self._snapshot_ref(native_id, snapshot_id, deadline), disk_id, deadline)
        old, former = self._disk_of(self._snapshot_ref(native_id, since_id, deadline), disk_id, deadline)
        size = _size_of(record)
        try:
            bitmap = self.call("VDI.list_changed_blocks", old, new, deadline=deadline)
        except XenAPI.Failure as exc:
            if code_of(exc) not in _NO_TRACKING:
                raise
            return list(self._differing(record, former, exc))
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

    def _disk_of(self, vm: str, disk_id: str, deadline: Deadline) -> tuple[str, dict[str, Any]]:
        """Return reference and record of what is in a drive of a VM or snapshot."""
        found = self.call(
            "VBD.get_all_records_where", f'field "VM"="{vm}"', deadline=deadline
        )  # a reference, which XAPI made
        for drive in found.values():
            if drive.get("VM") == vm and str(drive.get("userdevice")) == disk_id and is_ref(drive.get("VDI")):
                vdi = str(drive["VDI"])
                return vdi, self.call("VDI.get_record", vdi, deadline=deadline)
        raise errors.DiskNotFoundError(f"there is no disk {disk_id!r} here that has a volume")

    def _volume(self, pool_id: str, volume_id: str, deadline: Deadline) -> tuple[str, dict[str, Any]]:
        try:
            vdi = str(self.call("VDI.get_by_uuid", volume_id, deadline=deadline))
            record = self.call("VDI.get_record", vdi, deadline=deadline)
        except XenAPI.Failure as exc:
            if code_of(exc) not in ("UUID_INVALID", "HANDLE_INVALID"):
                raise
            raise errors.VolumeNotFoundError(f"there is no volume {volume_id!r}") from exc
        if self.call("SR.get_uuid", record["SR"], deadline=deadline) != pool_id:
            raise errors.VolumeNotFoundError(f"the volume {volume_id!r} is not in the storage pool {pool_id!r}")
        return vdi, record

    # ---- reading -----------------------------------------------------------------------------------------

    def _open(self, vdi: str, record: dict[str, Any], deadline: Deadline) -> DiskReader:
        if self.has_message("VDI.get_nbd_info"):
            servers = nbd_servers(self, vdi)
            if servers:
                try:
                    return NbdReader(self, vdi, servers, _size_of(record), partial(self._holes, record))
                except (OSError, errors.ConnectError, errors.ConnectionLostError):
                    pass  # such as a firewall: the way over HTTPS is there
        return self._stream(vdi, record)

    def _stream(self, vdi: str, record: dict[str, Any]) -> DiskReader:
        uuid, size = str(record.get("uuid")), _size_of(record)
        try:
            return VhdReader(partial(Export, self, uuid, "vhd"), size)
        except BrokenVhdError:
            pass
        except XenAPI.Failure as exc:
            if code_of(exc) not in _NO_VHD:
                raise
        return RawReader(partial(Export, self, uuid, "raw"), size)

    def _map(self, uuid: str, base: str | None = None) -> VhdMap:
        """Read what blocks a disk has from the beginning of its VHD, and no more of it."""
        export = Export(self, uuid, "vhd", base=base, what="look at")
        try:
            return read_map(export.read)[0]
        finally:
            export.close()

    def _holes(self, record: dict[str, Any]) -> Iterable[Extent]:
        size = _size_of(record)
        try:
            found = self._map(str(record.get("uuid")))
            check_size(found.size, size, "VHD")
        except FAILURES:
            return [Extent(offset=0, length=size)] if size else []  # nothing is known of holes
        return found.extents()

    def _is_empty(self, uuid: str) -> bool:
        try:
            return self._map(uuid).empty()
        except FAILURES:
            return False

    def _differing(self, record: dict[str, Any], former: dict[str, Any], refusal: XenAPI.Failure) -> Iterable[Extent]:
        """Tell from a differencing image which blocks changed, where XAPI did not keep track."""
        uuid, base = str(record.get("uuid")), str(former.get("uuid"))
        try:
            found = self._map(uuid, base)
        except (XenAPI.Failure, BrokenVhdError) as exc:
            raise _untracked(code_of(refusal)) from exc
        if not found.differencing or found.size != _size_of(former):
            raise _untracked(code_of(refusal))
        return [extent.replace(zero=False) for extent in found.extents() if not extent.zero]


def _size_of(record: dict[str, Any]) -> int:
    size = as_int(record.get("virtual_size"))
    if size is None or size < 0:
        raise errors.OperationFailedError("the pool tells no size of the disk")
    return size


def _untracked(code: str | None) -> errors.UnsupportedError:
    return errors.UnsupportedError(
        f"XAPI did not keep track of what changed between the two snapshots ({code})",
        capability=Capability.CHANGED_BLOCKS,
        hint="enable changed block tracking of the disk (VDI.enable_cbt) before the first of them is made",
    )
