"""Full clones on a host without a vCenter, which has no call for them: a new domain, and copies of the disks for it."""

from __future__ import annotations

import posixpath
import uuid
from typing import Any

from hvsdk.driver import Capability, Deadline, DomainInfo, PowerState, Steps, Task, errors
from pyVmomi import vim

from hvsdk_vmware._boot_order import spot_of
from hvsdk_vmware._hardware import Subject, file_of
from hvsdk_vmware._host_copy import boot_order_of, controllers_by_place, copied_config, copied_devices, place_of
from hvsdk_vmware._making import Making
from hvsdk_vmware._names import written
from hvsdk_vmware._undo_create import NewDomain, UndoCreate, id_of_made

__all__ = ["HostCloneVerbs"]

_COPIED = (vim.vm.device.VirtualDisk.FlatVer2BackingInfo, vim.vm.device.VirtualDisk.SeSparseBackingInfo)


class HostCloneVerbs(UndoCreate):
    """`clone` where there is no vCenter."""

    def clone_on_host(self, native_id: str, name: str, deadline: Deadline) -> Task[DomainInfo]:
        """Copy a domain that is off, whole or not at all; all its disks are copied into the directory of the copy."""
        called = written(name)
        vm = self.subject(native_id, deadline)
        config = self.call(getattr, self.vm(native_id), "config", deadline=deadline)
        _refuse(vm, config)
        making = Making()
        return making.begin(lambda: self._copy_steps(making, vm, config, called))

    def _copy_steps(self, making: Making, vm: Subject, config: Any, called: str) -> Steps[DomainInfo]:
        new = NewDomain(str(uuid.uuid4()))
        making.takes_back(f"domain {called!r}", lambda exc: self.remove_made(new, exc))
        store = self.store_of(vm, vm.path, self.soon())
        spec = copied_config(config, name=called, uuid=new.uuid, store=vm.path.partition("]")[0].removeprefix("["))
        spec.deviceChange = copied_devices(vm.devices)
        folder, pool = self._home_of_copy(vm)
        making.check()
        new.asked = True
        create = folder.CreateVM_Task
        new.task = self.start_task(create, spec, pool, deadline=self.soon(), result=id_of_made)
        new.native_id = yield new.task
        yield from self._copy_disks(making, new, vm, store.center)
        yield from self._copy_boot_order(new, vm, config)
        making.check()
        return self.get_domain(new.native_id, frozenset({"config"}), deadline=self.soon())

    def _home_of_copy(self, vm: Subject) -> tuple[vim.Folder, vim.ResourcePool]:
        folder = vm.values.get("parent")
        pool = self.call(getattr, self.vm(vm.native_id), "resourcePool", deadline=self.soon())
        if not isinstance(folder, vim.Folder) or not isinstance(pool, vim.ResourcePool):
            raise errors.UnsupportedError(
                f"the resource pool or the folder of {vm.name!r} is not shown to this user",
                capability=Capability.CLONE,
            )
        return folder, pool

    def _copy_disks(self, making: Making, new: NewDomain, vm: Subject, center: vim.Datacenter) -> Steps[None]:
        """Copy the disks, each with all that it lies on, and attach the copies where the originals are."""
        made = self.subject(new.native_id, self.soon())
        at, stem = controllers_by_place(made.devices), posixpath.splitext(made.path)[0]
        places = {one.key: place_of(one) for one in vm.devices if hasattr(one, "busNumber")}
        store, changes = self.store_of(made, made.path, self.soon()).id, []
        for number, disk in enumerate(vm.disks):
            making.check()
            path = f"{stem}-{number}.vmdk"
            new.files[path] = store
            copying = self.disk_manager.CopyVirtualDisk_Task
            yield self.start_task(
                copying, file_of(disk), center, path, center, _as_it_is(disk), False, deadline=self.soon()
            )
            changes.append(_added(disk, -1 - number, at[places[disk.controllerKey]], path))
        making.check()
        if changes:
            attach = vim.vm.ConfigSpec(deviceChange=changes)
            yield self.start_task(self.vm(new.native_id).ReconfigVM_Task, attach, deadline=self.soon())

    def _copy_boot_order(self, new: NewDomain, vm: Subject, config: Any) -> Steps[None]:
        if not getattr(config.bootOptions, "bootOrder", None):
            return
        made = self.subject(new.native_id, self.soon())
        copies = {spot_of(disk, made.devices): disk.key for disk in made.disks}
        keys = {disk.key: copies[spot] for disk in vm.disks if (spot := spot_of(disk, vm.devices)) in copies}
        order = vim.vm.BootOptions(bootOrder=boot_order_of(config, made.devices, keys))
        spec = vim.vm.ConfigSpec(bootOptions=order)
        yield self.start_task(self.vm(new.native_id).ReconfigVM_Task, spec, deadline=self.soon())


def _as_it_is(disk: Any) -> vim.VirtualDiskManager.VirtualDiskSpec:
    """Return how a copy takes its space: as the original does. A host makes it thick where nobody says."""
    eager, thin = getattr(disk.backing, "eagerlyScrub", None), getattr(disk.backing, "thinProvisioned", None)
    kind = "eagerZeroedThick" if eager else "preallocated" if thin is False else "thin"
    return vim.VirtualDiskManager.VirtualDiskSpec(diskType=kind, adapterType="lsiLogic")


def _added(disk: Any, key: int, controller: int, path: str) -> Any:
    backing = vim.vm.device.VirtualDisk.FlatVer2BackingInfo(fileName=path, diskMode=disk.backing.diskMode)
    made = vim.vm.device.VirtualDisk(
        key=key,
        controllerKey=controller,
        unitNumber=disk.unitNumber,
        capacityInKB=disk.capacityInKB,
        backing=backing,
        storageIOAllocation=disk.storageIOAllocation,
    )
    return vim.vm.device.VirtualDeviceSpec(operation="add", device=made)


def _refuse(vm: Subject, config: Any) -> None:
    """Refuse what could not be copied, before anything is made."""
    if config is None:
        raise errors.OperationFailedError(f"the configuration of {vm.name!r} cannot be read now")
    if vm.state is not PowerState.SHUTOFF:
        raise errors.PowerStateError(
            f"clone is not possible: {vm.name!r} is {vm.state}, and a host without a vCenter copies what is off",
            state=vm.state,
            hint="shut it down first",
        )
    if getattr(config, "keyId", None) is not None:
        raise errors.UnsupportedError(
            f"clone is not possible: {vm.name!r} is encrypted, which takes a vCenter", capability=Capability.CLONE
        )
    for disk in vm.disks:
        if not isinstance(disk.backing, _COPIED):
            raise errors.UnsupportedError(
                f"clone is not possible: disk {disk.key} of {vm.name!r} is no file of its own",
                capability=Capability.CLONE,
                hint="detach raw devices first",
            )
