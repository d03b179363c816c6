"""Storage pools and volumes."""

from __future__ import annotations

from collections.abc import Iterable

from hvsdk.driver import Deadline, StoragePoolInfo, VolumeInfo, VolumeSpec, errors

from hvsdk_kvm._session import Session
from hvsdk_kvm._store import check_volume_name, store_of
from hvsdk_kvm._usage import Usage

__all__ = ["PoolVerbs"]


class PoolVerbs(Session):
    """`list_storage_pools`, `list_volumes`, `create_volume` and `delete_volume`."""

    def list_storage_pools(self, *, deadline: Deadline) -> Iterable[StoragePoolInfo]:
        return store_of(self).pools()

    def list_volumes(self, pool_id: str, *, deadline: Deadline) -> Iterable[VolumeInfo]:
        return store_of(self).volumes(pool_id)

    def create_volume(self, pool_id: str, spec: VolumeSpec, *, deadline: Deadline) -> VolumeInfo:
        ours = [key for key in spec.hints if key.startswith("kvm.")]
        if ours:
            raise errors.InvalidSpecError(f"unknown hint {ours[0]!r}", hint="a volume here takes none")
        store = store_of(self)
        return store.create(store.pool(pool_id), check_volume_name(spec.name), spec.size_bytes, spec.format)

    def delete_volume(self, pool_id: str, volume_id: str, *, deadline: Deadline) -> None:
        store = store_of(self)
        volume = store.volume(pool_id, volume_id)
        Usage(self, store).refuse(volume)
        store.delete(volume)
