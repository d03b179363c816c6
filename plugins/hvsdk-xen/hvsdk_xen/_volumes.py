"""Volumes: making them empty, and removing them."""

from __future__ import annotations

from hvsdk.driver import Deadline, Result, Steps, Task, VolumeInfo, VolumeSpec, errors

from hvsdk_xen._drives import vdi_record
from hvsdk_xen._hints import VOLUME_HINTS, read_hints
from hvsdk_xen._making import Making
from hvsdk_xen._pools import volume_info
from hvsdk_xen._store import Storage, StoreReads, Vdi

__all__ = ["VolumeVerbs"]

_OF_THE_POOL = frozenset(("ha_statefile", "redo_log", "metadata", "rrd", "pvs_cache"))
"""Types of VDIs that the pool keeps for itself."""


class VolumeVerbs(StoreReads):
    """`create_volume` and `delete_volume`."""

    def create_volume(self, pool_id: str, spec: VolumeSpec, *, deadline: Deadline) -> Result[VolumeInfo]:
        """Make an empty volume; XAPI gives two of them one name without a word, and storage rounds sizes up."""
        read_hints(spec.hints, VOLUME_HINTS)
        storage = self._storage_pool(pool_id, deadline)
        record = vdi_record(spec.name, spec.size_bytes, storage, spec.format)
        making = Making(self)
        return making.begin(lambda: self._make_volume(making, storage, record))

    def _make_volume(self, making: Making, storage: Storage, record: dict[str, object]) -> Steps[VolumeInfo]:
        yield from ()  # one call makes it, and no task
        vdi = self.vdi_of(making.create("VDI", record), self.soon())
        return volume_info(vdi.record, storage.record)

    def delete_volume(self, pool_id: str, volume_id: str, *, deadline: Deadline) -> Result[None]:
        """Remove a volume that no domain has; `VDI.destroy` alone would take a disk from a domain that is off."""
        storage = self._storage_pool(pool_id, deadline)
        vdi = self._volume_of_pool(storage, volume_id, deadline)
        self._refuse_used_volume(storage, vdi, deadline)
        task: Task[None] = self.start_task("VDI.destroy", vdi.ref, deadline=deadline)
        return task

    def _refuse_used_volume(self, storage: Storage, vdi: Vdi, deadline: Deadline) -> None:
        if storage.has_media:
            raise errors.UnsupportedError(f"{vdi.name!r} is an image in an ISO library, which XAPI only reads")
        kind = vdi.record.get("type")
        if kind in _OF_THE_POOL:
            raise errors.BusyError(f"{vdi.name!r} belongs to the pool itself ({kind})", lasting=True)
        users = [self.call("VBD.get_VM", vbd, deadline=deadline) for vbd in vdi.record.get("VBDs", ())[:1]]
        if kind == "suspend":
            users += self.call("VM.get_all_records_where", f'field "suspend_VDI" = "{vdi.ref}"', deadline=deadline)
        if users:
            name = self.call("VM.get_name_label", users[0], deadline=deadline)
            raise errors.BusyError(
                f"the volume {vdi.name!r} has to stay: {name!r} has it",
                lasting=True,
                hint="detach it there first, or delete that domain",
            )

    def _storage_pool(self, pool_id: str, deadline: Deadline) -> Storage:
        storage = self.find_sr(pool_id, deadline)
        if storage.uuid != pool_id:
            raise errors.StoragePoolNotFoundError(f"there is no storage pool {pool_id}")
        return storage

    def _volume_of_pool(self, storage: Storage, volume_id: str, deadline: Deadline) -> Vdi:
        vdi = self.find_vdi(volume_id, storage.uuid, deadline)
        if vdi.uuid != volume_id:
            raise errors.VolumeNotFoundError(f"the storage pool {storage.name!r} has no volume {volume_id}")
        return vdi
