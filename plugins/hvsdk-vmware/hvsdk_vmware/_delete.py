"""Removing domains, with or without their volumes."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, Literal

import attrs
from hvsdk.driver import Deadline, PowerState, Result, Steps, errors, finish, in_background
from pyVmomi import vim, vmodl

from hvsdk_vmware._calls import FAILURES
from hvsdk_vmware._cloud_init import SeedFiles
from hvsdk_vmware._errors import words_of
from hvsdk_vmware._hardware import Subject, file_of
from hvsdk_vmware._shared_files import SharedFileReads
from hvsdk_vmware._tasks import VmwareTask
from hvsdk_vmware._templates import TemplateReads

__all__ = ["DeleteVerbs"]

Spec = vim.vm.device.VirtualDeviceSpec
UNDO_SECONDS = 60.0


@attrs.define
class _Undo:
    """How a domain was before it was taken apart."""

    vm: Subject
    devices: list[Any] = attrs.field(factory=list)
    """What was detached."""
    was_template: bool = False


class DeleteVerbs(TemplateReads, SharedFileReads, SeedFiles):
    """`delete`.

    vSphere removes all disks that are attached with a domain: those that stay are detached before. Images stay, and the
    domain's directory as long as there is something in it. The image for cloud-init goes, unless another domain has it, such
    as a copy that another tool made.
    """

    def delete(self, native_id: str, *, disks: Literal["keep", "delete"], deadline: Deadline) -> Result[None]:
        """Remove a domain; what fails half-way leaves it as it was, but for its snapshots and the image for cloud-init."""
        vm = self.subject(native_id, deadline)
        _refuse(vm)
        if disks == "delete" or vm.has_snapshots:
            self.refuse_shared(vm, "removed" if disks == "delete" else "removed, nor its snapshots merged", deadline)
        undo = _Undo(vm)
        return in_background(self._guarded(self._delete_steps(undo, keeps=disks == "keep"), undo))

    # ---- steps -------------------------------------------------------------------------------------------

    def _delete_steps(self, undo: _Undo, *, keeps: bool) -> Steps[None]:
        vm = undo.vm
        if keeps and vm.has_snapshots:
            vm = undo.vm = yield from self._merge(vm)
        going = vm.disks if keeps else []
        image, drives = self.seed_of(vm)
        if (going or drives) and vm.is_template:
            self._make_ordinary(undo)
        if going or drives:
            undo.devices = [*going, *drives]
            changes = [Spec(operation="remove", device=device) for device in undo.devices]
            yield self._reconfigure(vm, vim.vm.ConfigSpec(deviceChange=changes))
        if keeps:
            self._refuse_attached(vm)
        if image and not any(self.others_with(vm, {image}, self.soon())):
            yield from self.delete_file(image, self.store_of(vm, image, self.soon()).center)
            undo.devices = going
        yield from self._destroy(vm)

    def _merge(self, vm: Subject) -> Steps[Subject]:
        """Remove the snapshots, so that each disk is one file again, and return the domain as it is then."""
        mo = self.vm(vm.native_id)
        yield self.start_task(mo.RemoveAllSnapshots_Task, True, deadline=self.soon(), asking=vm.native_id)
        now = self.subject(vm.native_id, self.soon())
        if now.values.get("runtime.consolidationNeeded"):
            yield self.start_task(mo.ConsolidateVMDisks_Task, deadline=self.soon(), asking=vm.native_id)
            now = self.subject(vm.native_id, self.soon())
        if now.has_snapshots or now.values.get("runtime.consolidationNeeded"):
            raise errors.BusyError(
                f"{vm.name!r} was not removed: its disks are still in parts, something holds one of their files",
                lasting=True,
                hint="a backup that runs, perhaps; consolidate its disks in vSphere's client, then try again",
            )
        return now

    def _make_ordinary(self, undo: _Undo) -> None:
        """Make an ordinary domain of a template, whose hardware cannot be changed."""
        vm = undo.vm
        where = self.place_of_template(self.read_vm(vm.native_id, ("runtime.host",), self.soon()).values, self.soon())
        self.call(self.vm(vm.native_id).MarkAsVirtualMachine, *where, deadline=self.soon())
        undo.was_template = True

    def _refuse_attached(self, vm: Subject) -> None:
        """Look once more: what is attached now would go for good."""
        left = [file_of(disk) for disk in self.subject(vm.native_id, self.soon()).disks]
        if left:
            raise errors.BusyError(f"{vm.name!r} was not removed: {left[0]} has been attached to it meanwhile")

    def _destroy(self, vm: Subject) -> Steps[None]:
        task: VmwareTask[None] = self.start_task(self.vm(vm.native_id).Destroy_Task, deadline=self.soon())
        try:
            yield task
        except BaseException as exc:
            if not task.over:
                raise _MayGoOnError from exc
            raise

    def _reconfigure(self, vm: Subject, spec: vim.vm.ConfigSpec) -> Any:
        return self.start_task(self.vm(vm.native_id).ReconfigVM_Task, spec, deadline=self.soon())

    # ---- taking back -------------------------------------------------------------------------------------

    def _guarded(self, steps: Steps[None], undo: _Undo) -> Steps[None]:
        try:
            yield from steps
        except _MayGoOnError as exc:
            cause = exc.__cause__
            assert cause is not None, "it is raised for one"
            self._tell_detached(cause, undo.devices)
            raise cause from None
        except vmodl.fault.ManagedObjectNotFound as exc:
            if getattr(exc.obj, "_moId", None) != undo.vm.native_id:
                raise
        except BaseException as exc:
            self._take_back(exc, undo)
            raise

    def _take_back(self, exc: BaseException, undo: _Undo) -> None:
        try:
            self._attach_again(undo)
            if undo.was_template:
                self.call(self.vm(undo.vm.native_id).MarkAsTemplate, deadline=self.soon())
        except FAILURES as failure:
            exc.add_note(f"hvsdk: it could not be put together again ({words_of(failure)})")
            self._tell_detached(exc, undo.devices)

    def _attach_again(self, undo: _Undo) -> None:
        if not undo.devices:
            return
        there = {file_of(one) for one in self.subject(undo.vm.native_id, self.soon()).devices if _has_file(one)}
        missing = [one for one in undo.devices if file_of(one) not in there]
        if not missing:
            return
        changes = [Spec(operation="add", device=_as_before(one, -1 - n)) for n, one in enumerate(missing)]
        spec = vim.vm.ConfigSpec(deviceChange=changes)
        finish(self._reconfigure(undo.vm, spec), UNDO_SECONDS)
        options = undo.vm.values.get("config.bootOptions")
        if options is not None and options.bootOrder:
            order = vim.vm.ConfigSpec(bootOptions=vim.vm.BootOptions(bootOrder=options.bootOrder))
            finish(self._reconfigure(undo.vm, order), UNDO_SECONDS)

    @staticmethod
    def _tell_detached(exc: BaseException, devices: Sequence[Any]) -> None:
        files = ", ".join(file_of(one) for one in devices if isinstance(one, vim.vm.device.VirtualDisk))
        if files:
            exc.add_note(f"hvsdk: these disks were detached from it, and are kept: {files}")


class _MayGoOnError(Exception):
    """It is not known how the last step ends; a disk that is attached again may be removed by it."""


def _refuse(vm: Subject) -> None:
    """Refuse what the last step would be refused, or do though it should not, before the first one."""
    state = vm.state
    if state is PowerState.SHUTOFF:
        return
    hints = {
        PowerState.SUSPENDED: "resume it, or power_off(discard_memory=True)",
        PowerState.UNKNOWN: "its host or its files cannot be reached; vSphere can take it off its list with"
        " UnregisterVM (native()), which leaves its files where they are",
    }
    raise errors.PowerStateError(
        f"{vm.name!r} cannot be removed: it is {state}", state=state, hint=hints.get(state, "power_off() it first")
    )


def _has_file(device: Any) -> bool:
    return device.backing is not None and bool(file_of(device))


def _as_before(device: Any, key: int) -> Any:
    """Return a device to attach where it was; what it lies on the server reads in its file."""
    again, backing = copy.copy(device), copy.copy(device.backing)
    if hasattr(backing, "parent"):
        backing.parent = None
    again.key, again.backing = key, backing
    return again
