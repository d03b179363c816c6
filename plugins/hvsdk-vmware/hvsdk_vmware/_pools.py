"""Datastores as storage pools, and the files of disks and images on them as volumes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from hvsdk.driver import Deadline, StoragePoolInfo, VolumeInfo, errors, finish, frozen
from pyVmomi import vim

from hvsdk_vmware._backings import BackingReads
from hvsdk_vmware._bulk import object_spec
from hvsdk_vmware._fields import Found, flag, number, text
from hvsdk_vmware._names import shown
from hvsdk_vmware._places import STORES, from_root

__all__ = ["PoolReads", "is_part_of_disk", "pool_info", "volume_of", "volume_query"]

Browser = vim.host.DatastoreBrowser
_PATHS = (
    "name",
    "summary.type",
    "summary.accessible",
    "summary.capacity",
    "summary.freeSpace",
    "summary.uncommitted",
    "summary.url",
    "summary.maintenanceMode",
    "summary.multipleHostAccess",
)
_PARTS = re.compile(r"-(flat|delta|sesparse|ctk|rdmp?)\.vmdk$", re.IGNORECASE)
"""Names of the files that belong to a disk's own."""
_ENDING = ".vmdk"


class PoolReads(BackingReads):
    """`list_storage_pools` and `list_volumes`."""

    def list_storage_pools(self, *, deadline: Deadline) -> Iterable[StoragePoolInfo]:
        """Return the datastores, in one call: those that can be used first, shared ones before others."""
        root = object_spec(self.content.rootFolder, from_root(STORES))
        found = self.read_all([root], {vim.Datastore: _PATHS}, deadline=deadline)
        return sorted(map(pool_info, found), key=_usefulness)

    def list_volumes(self, pool_id: str, *, deadline: Deadline) -> Iterable[VolumeInfo]:
        """Return the disks and images in all folders of a datastore. The server looks for them, which may take a while."""
        browser, name = self._browser(pool_id, deadline)
        search = browser.SearchDatastoreSubFolders_Task
        task = self.start_task(search, f"[{name}]", volume_query(), deadline=deadline, result=lambda folders: folders)
        made = [
            volume_of(pool_id, f"[{name}] {_inside(folder.folderPath)}{file.path}", file)
            for folder in finish(task, deadline.remaining()) or ()
            for file in folder.file or ()
            if not is_part_of_disk(file.path)
        ]
        backings = self.backings_on(pool_id, deadline)
        told = [one.replace(backing=backings[one.id]) if one.id in backings else one for one in made]
        return sorted(told, key=lambda volume: volume.id)

    def browser_of(self, pool_id: str, deadline: Deadline) -> Any:
        """Return what looks for files on a datastore."""
        return self._browser(pool_id, deadline)[0]

    def _browser(self, pool_id: str, deadline: Deadline) -> tuple[Any, str]:
        store = vim.Datastore(pool_id, self.stub)
        stores = self.read_all([object_spec(store)], {vim.Datastore: ("browser", "name")}, deadline=deadline)
        if not stores:
            raise errors.StoragePoolNotFoundError(f"there is no datastore {pool_id}")
        values = stores[0].values
        return Browser(text(values, "browser"), self.stub), text(values, "name")


def volume_query() -> Any:
    """Return what is asked of files, and which ones are wanted."""
    details = Browser.VmDiskQuery.Details(
        diskType=True, capacityKb=True, hardwareVersion=False, controllerType=False, diskExtents=False, thin=True
    )
    return Browser.SearchSpec(
        query=[Browser.VmDiskQuery(details=details), Browser.IsoImageQuery()],
        details=Browser.FileInfo.Details(fileType=True, fileSize=True, modification=True, fileOwner=False),
        matchPattern=["*.vmdk", "*.iso"],
        sortFoldersFirst=False,
    )


def _usefulness(pool: StoragePoolInfo) -> tuple[bool, bool, str, str]:
    return not pool.active, "vmware.shared" not in pool.details, pool.name, pool.id


def pool_info(one: Found) -> StoragePoolInfo:
    """Return the record of a datastore; it is active when it can be reached and is not about to be taken away."""
    values = one.values
    capacity, free = number(values, "summary.capacity"), number(values, "summary.freeSpace")
    maintenance = text(values, "summary.maintenanceMode") or "normal"
    details: dict[str, Any] = {
        "vmware.shared": flag(values, "summary.multipleHostAccess") or None,
        "vmware.maintenance": maintenance if maintenance != "normal" else None,
        "vmware.uncommitted_bytes": number(values, "summary.uncommitted"),
    }
    return StoragePoolInfo(
        id=one.id,
        name=shown(text(values, "name")),
        type=text(values, "summary.type").lower() or None,
        active=flag(values, "summary.accessible") is True and maintenance == "normal",
        capacity_bytes=capacity,
        allocated_bytes=max(0, capacity - free) if capacity is not None and free is not None else None,
        free_bytes=free,
        path=text(values, "summary.url") or None,
        details=frozen({key: value for key, value in details.items() if value is not None}),
    )


def _inside(folder: str) -> str:
    """Return a folder's path inside its datastore, with a slash at its end, or nothing for the uppermost."""
    path = folder.partition("]")[2].strip(" /")
    return f"{path}/" if path else ""


def is_part_of_disk(name: str) -> bool:
    """Whether a file belongs to a disk, whose own file has another name."""
    return _PARTS.search(name) is not None


def _called(file: str, *, is_disk: bool) -> str:
    """Return what a volume is called: disks without their files' ending, which all of them have."""
    return file[: -len(_ENDING)] if is_disk and file.lower().endswith(_ENDING) else file


def volume_of(pool: str, path: str, file: Any) -> VolumeInfo:
    """Return the record of a file; its id is its path, such as `[datastore1] web/web.vmdk`."""
    is_disk = isinstance(file, Browser.VmDiskInfo) or file.path.lower().endswith(_ENDING)
    kilobytes = getattr(file, "capacityKb", None)
    size = getattr(file, "fileSize", None)
    modified = getattr(file, "modification", None)
    details = {
        "vmware.thin": getattr(file, "thin", None),
        "vmware.modified_at": modified.isoformat() if modified is not None else None,
    }
    return VolumeInfo(
        id=path,
        name=_called(file.path.rpartition("/")[2], is_disk=is_disk),
        pool=pool,
        capacity_bytes=kilobytes << 10 if kilobytes else None if is_disk else size,
        allocated_bytes=size,
        format="vmdk" if is_disk else "raw",
        path=path,
        details=frozen({key: value for key, value in details.items() if value is not None}),
    )
