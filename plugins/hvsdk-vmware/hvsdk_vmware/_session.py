"""What all parts of the driver share: objects by their ids, and tasks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from hvsdk.driver import Deadline, Target
from pyVmomi import vim

from hvsdk_vmware._bulk import BulkReads
from hvsdk_vmware._collectors import Collectors
from hvsdk_vmware._tasks import VmwareTask

__all__ = ["VmwareSession"]

T = TypeVar("T")


class VmwareSession(BulkReads):
    """An open connection. Every part of the driver is a class `XVerbs(VmwareSession)` or `XReads(VmwareSession)`.

    Calls raise what vSphere refuses as pyvmomi's faults, and pass on what the wire raises.
    """

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self.collectors = Collectors(self)

    def vm(self, native_id: str) -> vim.VirtualMachine:
        """Return pyvmomi's object for a domain; whether there is one shows when it is used."""
        return vim.VirtualMachine(native_id, self.stub)

    @property
    def disk_manager(self) -> vim.VirtualDiskManager:
        """What makes, copies, moves and removes disks that no domain has."""
        manager = self.content.virtualDiskManager
        assert manager is not None, "every server has one"
        return manager

    @property
    def file_manager(self) -> vim.FileManager:
        """What makes directories on datastores, and removes files."""
        manager = self.content.fileManager
        assert manager is not None, "every server has one"
        return manager

    def soon(self) -> Deadline:
        """Return the time for one more call: a verb's own was for the first, and a task may have taken hours."""
        return Deadline(self.target.timeout)

    def start_task(
        self,
        function: Callable[..., vim.Task],
        *arguments: Any,
        deadline: Deadline,
        result: Callable[[Any], T] | None = None,
        asking: str | None = None,
    ) -> VmwareTask[T]:
        """Begin a call that is a task of vSphere's.

        Args:
            result: Makes the verb's result of the task's; without it there is none.
            asking: Id of the domain whose questions would hold it up; one that is asked ends the waiting.
        """
        task = self.call(function, *arguments, deadline=deadline)
        return VmwareTask(self, task, result, asking)
