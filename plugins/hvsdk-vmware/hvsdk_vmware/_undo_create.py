"""Removing a new domain again, wherever its making stopped."""

from __future__ import annotations

import contextlib
import time
from typing import Any

import attrs
from hvsdk.driver import Deadline, StepsTask, errors, finish
from pyVmomi import vim, vmodl

from hvsdk_vmware._boot_order import Spot, spot_of
from hvsdk_vmware._calls import FAILURES
from hvsdk_vmware._cloud_init import SeedFiles
from hvsdk_vmware._extra_config import MADE_KEY
from hvsdk_vmware._hardware import HardwareReads, Subject, file_of
from hvsdk_vmware._listing import ListingReads
from hvsdk_vmware._making import UNDO_SECONDS, is_lost, look_for
from hvsdk_vmware._tasks import VmwareTask

__all__ = ["NewDomain", "UndoCreate", "id_of_made"]

_LOOK_AGAIN_SECONDS = 0.25


@attrs.define
class NewDomain:
    """What is known of a domain that is being made."""

    uuid: str
    """vSphere's own UUID of it, by which it is found when the answer was lost."""
    sources: set[str] = attrs.field(factory=set)
    """Volumes that were there before, and stay."""
    spots: set[Spot] = attrs.field(factory=set)
    """Where those are attached: some kinds of datastores tell other paths than they were given."""
    token: str = ""
    """What tells it from a domain that somebody else makes with the same UUID, where that was chosen."""
    files: dict[str, str] = attrs.field(factory=dict)
    """What was put on datastores for it, by path: the datastore's id."""
    native_id: str = ""
    """Its id, once that was told."""
    asked: bool = False
    """Whether the server was asked for it."""
    task: VmwareTask[str] | None = None
    """What makes it, once the server has begun."""


def id_of_made(made: Any) -> str:
    """Return the id of the domain that a task has made."""
    if not isinstance(made, vim.VirtualMachine):
        raise errors.OperationFailedError(f"vSphere made a domain, and said that it is {made!r}")
    return str(made._moId)


class UndoCreate(HardwareReads, SeedFiles, ListingReads):
    """Takes back what `create_domain` made."""

    def remove_made(self, new: NewDomain, exc: BaseException) -> None:
        """Remove a new domain with all that is new.

        Raises:
            OperationFailedError: It may be there, or come.
        """
        if not new.asked:
            return
        has_failed = new.task.over if new.task is not None else not is_lost(exc)
        if not new.native_id and new.task is not None and not has_failed:
            with contextlib.suppress(*FAILURES):
                new.task.cancel()
        if not new.native_id:
            new.native_id = (self._find_made(new) if has_failed else look_for(lambda: self._find_made(new))) or ""
        if new.native_id:
            self._remove(new)
        elif not has_failed:
            raise errors.OperationFailedError("it is not known whether it was made; look for it by its name")

    def _find_made(self, new: NewDomain) -> str | None:
        """Return the id of what was made, though the answer was lost, or the server lost its host meanwhile."""
        for found in self.with_uuid(new.uuid, True, self.soon()):
            if not new.token or self.subject(found, self.soon()).extra_config.get(MADE_KEY) == new.token:
                return found
        return None

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
        theirs = _theirs(vm, new)
        if theirs:
            remove: Any = vim.vm.device.VirtualDeviceSpec
            changes = [remove(operation="remove", device=disk) for disk in theirs]
            self._do(self.vm(vm.native_id).ReconfigVM_Task, vim.vm.ConfigSpec(deviceChange=changes))
            vm = self.subject(new.native_id, self.soon())
            if _theirs(vm, new):
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
        try:
            self._do(self.disk_manager.DeleteVirtualDisk_Task, path, center)
        except vim.fault.FileNotFound:
            return  # it was not made

    def _do(self, function: Any, *arguments: Any) -> None:
        finish(self.start_task(function, *arguments, deadline=self.soon()), UNDO_SECONDS)


def _theirs(vm: Subject, new: NewDomain) -> list[Any]:
    """Return the disks that lie on volumes that were there before."""
    devices = vm.devices
    return [disk for disk in vm.disks if file_of(disk) in new.sources or spot_of(disk, devices) in new.spots]
