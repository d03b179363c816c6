"""Storage pools: folders in which this host makes disks, or has some of its domains' files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hvsdk.driver import Deadline, StoragePoolInfo, frozen

from hvsdk_hyperv._paths import is_absolute, is_possible, normal
from hvsdk_hyperv._session import HyperVSession

__all__ = ["PoolReads"]


class PoolReads(HyperVSession):
    """`list_storage_pools` and `find_storage_pool`."""

    def list_storage_pools(self, *, deadline: Deadline) -> Iterable[StoragePoolInfo]:
        """Return the folder in which the host makes disks, and those of files that domains have now.

        A pool is called by its path. Any other folder that is there is one, too, when it is asked for.
        """
        return [_pool(one) for one in self.call("pools.list", deadline=deadline)]

    def find_storage_pool(self, key: str, *, deadline: Deadline) -> StoragePoolInfo | None:
        """Return any folder of the host by its whole path, however that is written."""
        folder = normal(key)
        if not is_absolute(folder) or not is_possible(folder):
            return None
        found = self.call("pools.find", {"path": folder}, deadline=deadline)
        return None if found is None else _pool(found)


def _pool(one: Mapping[str, Any]) -> StoragePoolInfo:
    path, capacity, free = one["path"], one["capacity"], one["free"]
    details = {"hyperv.default": one["default"] or None, "hyperv.file_system": one["system"]}
    return StoragePoolInfo(
        id=path,
        name=path,
        type=_type(path),
        active=one["there"],
        capacity_bytes=capacity,
        allocated_bytes=max(0, capacity - free) if capacity is not None and free is not None else None,
        free_bytes=free,
        path=path,
        details=frozen({key: value for key, value in details.items() if value is not None}),
    )


def _type(path: str) -> str:
    """Return what kind of storage a folder is on: a share, a volume of a cluster, or a disk of the host."""
    if path.startswith("\\\\"):
        return "smb"
    return "csv" if path[1:].lower().startswith(":\\clusterstorage\\") else "dir"
