"""Volumes: making them empty, finding them, and removing them."""

from __future__ import annotations

import contextlib
import posixpath
import re
from typing import Any

import attrs
from hvsdk.driver import Deadline, Result, Steps, StepsTask, Target, VolumeInfo, VolumeSpec, errors, finish, frozen
from pyVmomi import vim, vmodl

from hvsdk_vmware._bulk import object_spec
from hvsdk_vmware._calls import FAILURES
from hvsdk_vmware._datastore_files import Store
from hvsdk_vmware._fields import text
from hvsdk_vmware._files import FileVerbs
from hvsdk_vmware._hints import VOLUME_HINTS, read_hints
from hvsdk_vmware._names import shown
from hvsdk_vmware._pools import PoolReads, is_part_of_disk, volume_of, volume_query
from hvsdk_vmware._shared_files import FILES, files_of

__all__ = ["DIRECTORY", "FoundVolume", "VolumeVerbs"]

DIRECTORY = "hvsdk"
"""Where volumes are made, on each datastore."""
_LONGEST = 100
"""Bytes of a file's name without its ending; file systems of datastores take 127 with all that is added to it."""
_REFUSED = re.compile(r'[/\\:*?"<>|\[\]\x00-\x1f\x7f]')
_TYPES = {"thin": "thin", "thick": "preallocated", "eager": "eagerZeroedThick"}
_DISK = ".vmdk"
_OBJECT = re.compile(r"(?:rfc4122\.|naa\.)?[0-9a-fA-F-]{32,40}")
"""Id of a directory that is an object of its own."""


@attrs.frozen
class FoundVolume:
    """A volume that is there."""

    store: Store
    info: VolumeInfo

    @property
    def inside(self) -> str:
        """Its path without the datastore."""
        return self.store.inside(self.info.id) or ""


class VolumeVerbs(PoolReads, FileVerbs):
    """`create_volume` and `delete_volume`."""

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self._new: dict[tuple[str, str], int | None] = {}
        """Thin volumes that this connection made: pool and id, and how much room each took when it was new."""

    def is_empty(self, volume: FoundVolume) -> bool:
        """Whether nobody has written to a volume: it takes no room, or no more than when it was made.

        Only of datastores with plain files a size of nothing tells that.
        """
        taken, key = volume.info.allocated_bytes, (volume.store.id, volume.info.id)
        return (taken == 0 and volume.store.plain_folders) or (key in self._new and self._new[key] == taken)

    def forget_new(self, store: Store, path: str) -> None:
        """Note that a volume is no more what was made."""
        self._new.pop((store.id, path), None)

    def create_volume(self, pool_id: str, spec: VolumeSpec, *, deadline: Deadline) -> Result[VolumeInfo]:
        """Make an empty disk in the directory `hvsdk`; sizes are rounded up to KiB, in which vSphere counts."""
        hints = read_hints(spec.hints, VOLUME_HINTS)
        if spec.format not in (None, "vmdk"):
            raise errors.InvalidSpecError(f"vSphere's volumes are of the format vmdk, not {spec.format}")
        _check_name(spec.name)
        store = self.store(pool_id, deadline)
        return StepsTask(self._create(store, spec.name, -(-spec.size_bytes // 1024), hints.get("provisioning", "thin")))

    def _create(self, store: Store, name: str, kilobytes: int, provisioning: str) -> Steps[VolumeInfo]:
        self.make_directory(store)
        path = store.path(f"{DIRECTORY}/{name}{_DISK}")
        wish = vim.VirtualDiskManager.FileBackedVirtualDiskSpec(
            diskType=_TYPES[provisioning], adapterType="lsiLogic", capacityKb=kilobytes
        )
        yield self.start_task(self.disk_manager.CreateVirtualDisk_Task, path, store.center, wish, deadline=self.soon())
        if provisioning == "thin":
            self._note_new(store, path)
        return VolumeInfo(
            id=path,
            name=name,
            pool=store.id,
            capacity_bytes=kilobytes << 10,
            format="vmdk",
            path=path,
            details=frozen({"vmware.thin": provisioning == "thin"}),
        )

    def _note_new(self, store: Store, path: str) -> None:
        """Note how much room a new volume takes; should that not be told, it is read before it is written to."""
        with contextlib.suppress(*FAILURES):
            self._new[store.id, path] = self._look(store, path, self.soon()).info.allocated_bytes

    def make_directory(self, store: Store) -> None:
        """Make the directory for volumes on a datastore, unless it is there."""
        with contextlib.suppress(vim.fault.FileAlreadyExists):
            if store.plain_folders:
                make = self.file_manager.MakeDirectory
                self.call(make, store.path(DIRECTORY), store.center, False, deadline=self.soon())
                return
            namespace = self.content.datastoreNamespaceManager
            assert namespace is not None, "every server that has such datastores has one"
            datastore = vim.Datastore(store.id, self.stub)
            self.call(namespace.CreateDirectory, datastore, DIRECTORY, None, deadline=self.soon())

    def delete_volume(self, pool_id: str, volume_id: str, *, deadline: Deadline) -> Result[None]:
        """Remove a disk or an image that no domain of this connection has.

        That a disk lies on it shows only where that disk is a domain's. Of ISO images vSphere does not refuse any.
        """
        store = self.store(pool_id, deadline)
        inside = volume_inside(store, volume_id)
        path = store.path(inside)
        self.refuse_used(store, path, deadline)
        return StepsTask(self._delete(store, path, is_disk=inside.lower().endswith(_DISK)))

    def _delete(self, store: Store, path: str, *, is_disk: bool) -> Steps[None]:
        self.forget_new(store, path)
        call = self.disk_manager.DeleteVirtualDisk_Task if is_disk else self.file_manager.DeleteDatastoreFile_Task
        try:
            yield self.start_task(call, path, store.center, deadline=self.soon())
        except vim.fault.FileNotFound as exc:
            raise _no_volume(store, path) from exc

    # ---- finding -----------------------------------------------------------------------------------------

    def find_volume(self, pool_id: str, volume_id: str, deadline: Deadline) -> FoundVolume:
        """Return a volume by its id; the server looks into its directory.

        Raises:
            VolumeNotFoundError: There is none.
        """
        return self._look(self.store(pool_id, deadline), volume_id, deadline)

    def _look(self, store: Store, volume_id: str, deadline: Deadline) -> FoundVolume:
        inside = volume_inside(store, volume_id)
        directory, name = posixpath.split(inside)
        browser = self.browser_of(store.id, deadline)
        search = browser.SearchDatastore_Task
        task = self.start_task(
            search, store.path(directory), volume_query(), deadline=deadline, result=lambda found: found
        )
        try:
            found = finish(task, deadline.remaining())
        except vim.fault.FileNotFound as exc:
            raise _no_volume(store, volume_id) from exc
        for file in (found.file if found is not None else None) or ():
            if file.path == name:
                return FoundVolume(store, volume_of(store.id, store.path(inside), file))
        raise _no_volume(store, volume_id)

    def refuse_used(self, store: Store, path: str, deadline: Deadline) -> None:
        """Refuse a file that a domain has in a disk or a drive, now or in a snapshot, or that lies below one; in one call.

        Raises:
            BusyError: There is one.
        """
        way = vmodl.query.PropertyCollector.TraversalSpec(name="vms", type=vim.Datastore, path="vm", skip=False)
        begin = [object_spec(vim.Datastore(store.id, self.stub), [way], skip=True)]
        wish: dict[type, tuple[str, ...]] = {vim.VirtualMachine: ("name", *FILES)}
        inside = store.inside(path) or ""
        for one in self.read_all(begin, wish, deadline=deadline):
            if any(file == path or _may_be(store, inside, file) for file in files_of(one)):
                raise errors.BusyError(
                    f"the volume {path} has to stay: {shown(text(one.values, 'name'))!r} ({one.id}) has it",
                    lasting=True,
                    hint="detach it there first, or delete that domain",
                )


def _may_be(store: Store, inside: str, file: str) -> bool:
    """Whether a file may be a volume under another path: of domains' files vSAN and vVols tell the ids of directories,
    whatever those are called."""
    directory, _, rest = inside.partition("/")
    if store.plain_folders or _OBJECT.fullmatch(directory):
        return False
    return (store.inside(file) or "").partition("/")[2] == rest


def volume_inside(store: Store, volume_id: str) -> str:
    """Return a volume's path without its datastore, as the server writes it: who has the file is told by its path.

    Raises:
        VolumeNotFoundError: It cannot be that of a volume: files that belong to a disk are none.
    """
    parts = [part for part in (store.inside(volume_id) or "").split("/") if part not in ("", ".")]
    inside = "/".join(parts)
    if ".." in parts or is_part_of_disk(inside) or not inside.lower().endswith((_DISK, ".iso")):
        raise _no_volume(store, volume_id)
    return inside


def _no_volume(store: Store, volume_id: Any) -> errors.VolumeNotFoundError:
    return errors.VolumeNotFoundError(
        f"the datastore {shown(store.name)!r} has no volume {volume_id}",
        hint="volumes are .vmdk and .iso files: host.storage_pool(…).volumes() lists them",
    )


def _check_name(name: str) -> None:
    bare = name.strip(" .")
    if bare != name or not bare or _REFUSED.search(name) or len(name.encode("utf-8", "replace")) > _LONGEST:
        raise errors.InvalidSpecError(
            f"no file on a datastore is called {name!r}",
            hint=f'names have up to {_LONGEST} bytes, none of / \\ : * ? " < > | [ ] and no blank or dot at their ends',
        )
    if is_part_of_disk(f"{name}{_DISK}"):
        raise errors.InvalidSpecError(f"{name!r} would be taken for a part of another disk")
