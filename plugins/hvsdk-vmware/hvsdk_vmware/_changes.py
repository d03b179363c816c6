"""Changes of a domain's hardware, each made on what was read a moment before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from hvsdk.driver import Deadline, PowerState, Task, errors
from pyVmomi import vim

from hvsdk_vmware._hardware import HardwareReads, Subject

__all__ = ["ChangeVerbs", "is_on", "refuse_suspended"]

T = TypeVar("T")
device = vim.vm.device


class ChangeVerbs(HardwareReads):
    """Changes a domain, unless somebody else has changed it since it was read."""

    def change(
        self,
        vm: Subject,
        spec: vim.vm.ConfigSpec,
        deadline: Deadline,
        result: Callable[[Any], T] | None = None,
    ) -> Task[T]:
        """Begin a change. vSphere makes all of it or nothing; a question that holds it up is told.

        The change carries the version of what it was made for: where another client was faster, vSphere refuses it with
        `ConcurrentAccess`, and nothing that the other one did is lost.
        """
        spec.changeVersion = vm.values.get("config.changeVersion")
        call = self.vm(vm.native_id).ReconfigVM_Task
        return self.start_task(call, spec, deadline=deadline, result=result, asking=vm.native_id)

    def change_devices(
        self, vm: Subject, changes: Sequence[Any], deadline: Deadline, result: Callable[[Any], T] | None = None
    ) -> Task[T]:
        """Begin a change of devices."""
        return self.change(vm, vim.vm.ConfigSpec(deviceChange=list(changes)), deadline, result)

    def new_device(self, vm: Subject, kind: type[Any]) -> str:
        """Return the id of the device that a change has added.

        Raises:
            OperationFailedError: There is none: somebody has taken it out again.
        """
        before = {one.key for one in vm.devices}
        added = [one for one in self.subject(vm.native_id, self.soon()).devices if one.key not in before]
        keys = [int(one.key) for one in added if type(one) is kind]
        if not keys:
            raise errors.OperationFailedError(f"vSphere has changed {vm.name!r}, but the new device is not there")
        return str(max(keys))


def is_on(vm: Subject) -> bool:
    """Whether devices are plugged into a running guest."""
    return vm.state is PowerState.RUNNING


def refuse_suspended(vm: Subject, what: str) -> None:
    """Refuse to change hardware that a saved memory belongs to, and what vSphere cannot see at present."""
    if vm.state is PowerState.SUSPENDED:
        raise errors.PowerStateError(
            f"{what} of {vm.name!r} is not possible: its memory is saved with the hardware as it is",
            state=PowerState.SUSPENDED,
            hint="resume() it first",
        )
    if vm.state is PowerState.UNKNOWN:
        raise errors.PowerStateError(
            f"{what} of {vm.name!r} is not possible: vSphere does not see it at present", state=PowerState.UNKNOWN
        )
