"""Removing a new domain again, wherever its making stopped."""

from __future__ import annotations

import time
from typing import Any

import attrs
from hvsdk.driver import Deadline, StepsTask, errors, finish
from pyVmomi import vim, vmodl

from hvsdk_vmware._cloud_init import SeedFiles
from hvsdk_vmware._hardware import HardwareReads, Subject, file_of
from hvsdk_vmware._listing import ListingReads
from hvsdk_vmware._making import LATE_SECONDS, UNDO_SECONDS, is_lost

__all__ = ["NewDomain", "UndoCreate"]

_LOOK_AGAIN_SECONDS = 0.25


@attrs.define
class NewDomain:
    """What is known of a domain that is being made."""

    uuid: str
    """vSphere's own UUID of it, by which it is found when the answer was lost."""
    sources: set[str]
    """Volumes that were there before, and stay."""
    files: dict[str, str] = attrs.field(factory=dict)
    """What was put on datastores for it, by path: the datastore's id."""
    native_id: str = ""
    """Its id, once that was told."""
    asked: bool = False
    """Whether the server was asked for it."""


class UndoCreate(HardwareReads, SeedFiles, ListingReads):
    """Takes back what `create_domain` made."""

    def remove_made(self, new: NewDomain, exc: BaseException) -> None:
        """Remove a new domain with all that is new.

        Raises:
            OperationFailedError: It may be there, or come.
        """
        if not new.asked:
            return
        if not new.native_id:
            new.native_id = self._find_made(new.uuid, LATE_SECONDS if is_lost(exc) else 0.0)
        if new.native_id:
            self._remove(new)
        elif is_lost(exc):
            raise errors.OperationFailedError("it is not known whether it was made; look for it by its name")

    def _find_made(self, instance: str, seconds: float) -> str:
        limit = Deadline(seconds)
        while True:
            found = self._with_uuid(instance, True, self.soon())
            if found or limit.expired:
                return next(iter(found), "")
            time.sleep(_LOOK_AGAIN_SECONDS)

    def _remove(self, new: NewDomain) -> None:
        limit = Deadline(UNDO_SECONDS)
        while True:
            try:
                self._take_apart(new)
            except errors.DomainNotFoundError:
                return
            except vmodl.fault.ManagedObjectNotFound as gone:
                if getattr(gone.obj, "_moId", None) == new.native_id:
                    return
                raise
            except vim.fault.TaskInProgress:
                if limit.expired:
                    raise
                time.sleep(_LOOK_AGAIN_SECONDS)
            else:
                return

    def _take_apart(self, new: NewDomain) -> None:
        """Let go of volumes that were there before, delete what the domain does not take with it, then the domain."""
        vm = self.subject(new.native_id, self.soon())
        theirs = [disk for disk in vm.disks if file_of(disk) in new.sources]
        if theirs:
            remove: Any = vim.vm.device.VirtualDeviceSpec
            changes = [remove(operation="remove", device=disk) for disk in theirs]
            self._do(self.vm(vm.native_id).ReconfigVM_Task, vim.vm.ConfigSpec(deviceChange=changes))
            vm = self.subject(new.native_id, self.soon())
            if any(file_of(disk) in new.sources for disk in vm.disks):
                raise errors.OperationFailedError("a volume that was there before cannot be detached from it")
        self._delete_files(new, vm)
        self._do(self.vm(vm.native_id).Destroy_Task)

    def _delete_files(self, new: NewDomain, vm: Subject) -> None:
        attached = {file_of(disk) for disk in vm.disks}
        for path in [file for file in new.files if file not in attached]:
            center = self.store(new.files[path], self.soon()).center
            if path.endswith(".vmdk"):
                self._delete_disk(path, center)
            else:
                finish(StepsTask(self.delete_file(path, center)), UNDO_SECONDS)

    def _delete_disk(self, path: str, center: vim.Datacenter) -> None:
        manager = self.content.virtualDiskManager
        assert manager is not None, "every server has one"
        try:
            self._do(manager.DeleteVirtualDisk_Task, path, center)
        except vim.fault.FileNotFound:
            return  # it was not made

    def _do(self, function: Any, *arguments: Any) -> None:
        finish(self.start_task(function, *arguments, deadline=self.soon()), UNDO_SECONDS)
