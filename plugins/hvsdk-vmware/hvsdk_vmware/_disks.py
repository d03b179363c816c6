"""Disks and drives of domains that are there: attach, detach, grow."""

from __future__ import annotations

import contextlib
import posixpath
import secrets
from collections.abc import Iterable
from typing import Any

from hvsdk.driver import Deadline, DiskSpec, Result, Steps, Task, errors, finish
from pyVmomi import vim

from hvsdk_vmware._changes import ChangeVerbs, is_on, refuse_suspended
from hvsdk_vmware._controllers import Slots, bus_of
from hvsdk_vmware._datastore_files import Store
from hvsdk_vmware._drives import DrivePlan, DrivePlans, in_kib
from hvsdk_vmware._hardware import Subject, file_of
from hvsdk_vmware._making import UNDO_SECONDS, Making, is_lost, look_for
from hvsdk_vmware._volumes import DIRECTORY

__all__ = ["DiskVerbs", "find_drive"]

device = vim.vm.device
_DISK: Any = device.VirtualDisk
_KINDS = (device.VirtualDisk, device.VirtualCdrom, device.VirtualFloppy)


class DiskVerbs(ChangeVerbs, DrivePlans):
    """`attach_disk`, `detach_disk` and `resize_disk`."""

    def attach_disk(self, native_id: str, disk: DiskSpec, *, deadline: Deadline) -> Result[str]:
        """Add a disk, into a running guest too unless it is on IDE; a controller comes with it where none has room."""
        vm = self.subject(native_id, deadline)
        refuse_suspended(vm, "attach_disk")
        if is_on(vm) and (disk.bus == "ide" or (disk.bus is None and disk.device == "cdrom")):
            disk = self._off_ide(vm, disk)
        (plan,) = self.plan_drives([disk], deadline, host=vm.host)
        if not plan.needs_copy:
            _refuse_twice(vm, plan)
            return self._add_drive(vm, plan, None, deadline)
        making = Making()
        return making.begin(lambda: self._copy_and_add(vm, plan, making))

    def _off_ide(self, vm: Subject, disk: DiskSpec) -> DiskSpec:
        """Return the drive as one on SATA, which takes it while the domain runs; an IDE bus takes nothing then."""
        if disk.bus == "ide":
            raise _ide_while_on(vm, "takes no disks and drives")
        return disk.replace(bus="sata")

    def _add_drive(self, vm: Subject, plan: DrivePlan, path: str | None, deadline: Deadline) -> Task[str]:
        slots = Slots(vm.devices)
        change = plan.change(slots, path)
        kind = type(change.device)
        changes = [*slots.changes, change]
        return self.change_devices(vm, changes, deadline, lambda _: self.new_device(vm, kind))

    def _copy_and_add(self, vm: Subject, plan: DrivePlan, making: Making) -> Steps[str]:
        """Copy a volume, beside the domain or to where volumes are on another datastore, and attach the copy."""
        store, path = self._path_of_copy(vm, plan)
        making.takes_back(f"the volume {path}", lambda exc: self._remove_copy(vm, store, path, exc))
        yield from self.copy_drive(plan, path, store.id)
        making.check()
        now = self.subject(vm.native_id, self.soon())  # copying takes its time
        refuse_suspended(now, "attach_disk")
        disk: str = yield self._add_drive(now, plan, path, self.soon())
        return disk

    def _path_of_copy(self, vm: Subject, plan: DrivePlan) -> tuple[Store, str]:
        home = self.store_of(vm, vm.path, self.soon())
        name = f"{posixpath.splitext(posixpath.basename(vm.path))[0]}-{secrets.token_hex(4)}.vmdk"
        if plan.pool is None or plan.pool.id == home.id:
            return home, home.path(posixpath.join(posixpath.dirname(home.inside(vm.path) or ""), name))
        store = self.store(plan.pool.id, self.soon())
        self.make_directory(store)
        return store, store.path(f"{DIRECTORY}/{name}")

    def _remove_copy(self, vm: Subject, store: Store, path: str, exc: BaseException) -> None:
        """Remove a copy; out of the domain first, which has it when only the answer was lost."""

        def attached() -> tuple[Subject, Any] | None:
            now = self.subject(vm.native_id, self.soon())
            return next(((now, one) for one in now.disks if file_of(one) == path), None)

        found = look_for(attached) if is_lost(exc) else attached()
        if found is not None:
            change = device.VirtualDeviceSpec(operation="remove", device=found[1])
            finish(self.change_devices(found[0], [change], self.soon()), UNDO_SECONDS)
        delete = self.disk_manager.DeleteVirtualDisk_Task
        with contextlib.suppress(vim.fault.FileNotFound):
            finish(self.start_task(delete, path, store.center, deadline=self.soon()), UNDO_SECONDS)

    def detach_disk(self, native_id: str, disk_id: str, *, deadline: Deadline) -> Result[None]:
        """Take a disk or drive out; its file stays."""
        vm = self.subject(native_id, deadline)
        refuse_suspended(vm, "detach_disk")
        drive = find_drive(vm, disk_id)
        if is_on(vm) and _bus(vm, drive) == "ide":
            raise _ide_while_on(vm, "gives none back")
        change = device.VirtualDeviceSpec(operation="remove", device=drive)
        return self.change_devices(vm, [change], deadline)

    def resize_disk(self, native_id: str, disk_id: str, size_bytes: int, *, deadline: Deadline) -> Result[None]:
        """Grow a disk; sizes are rounded up to KiB, in which vSphere counts."""
        vm = self.subject(native_id, deadline)
        refuse_suspended(vm, "resize_disk")
        disk = find_drive(vm, disk_id)
        if not isinstance(disk, _DISK):
            raise errors.InvalidSpecError(f"{disk_id!r} of {vm.name!r} is a drive for media, not a disk")
        present = int(disk.capacityInBytes or disk.capacityInKB << 10)
        wanted = in_kib(size_bytes) << 10
        if size_bytes < present:
            raise errors.InvalidSpecError(
                f"the disk {disk_id!r} has {present} bytes; it cannot shrink to {size_bytes}",
                hint="copy what is on it to a smaller disk",
            )
        if wanted == present:
            return None
        _refuse_growth(vm, disk)
        disk.capacityInKB, disk.capacityInBytes = wanted >> 10, wanted
        return self.change_devices(vm, [device.VirtualDeviceSpec(operation="edit", device=disk)], deadline)


def find_drive(vm: Subject, disk_id: str) -> Any:
    """Return a disk or drive by its id.

    Raises:
        DiskNotFoundError: There is none.
    """
    found = next((one for one in vm.devices if isinstance(one, _KINDS) and str(one.key) == disk_id), None)
    if found is None:
        raise errors.DiskNotFoundError(f"{vm.name!r} has no disk {disk_id!r}")
    return found


def _refuse_growth(vm: Subject, disk: Any) -> None:
    independent = str(getattr(disk.backing, "diskMode", None) or "").startswith("independent")
    if getattr(disk.backing, "parent", None) is not None or (vm.has_snapshots and not independent):
        why = "it has snapshots" if vm.has_snapshots else "it is a linked clone"
        raise errors.UnsupportedError(
            f"the disk {disk.key} of {vm.name!r} cannot grow: {why}, and what it lies on keeps its size",
            capability="resize_disk",
            hint="delete the snapshots first" if vm.has_snapshots else "clone() it, which makes disks of its own",
        )
    if is_on(vm) and _bus(vm, disk) == "ide":
        raise _ide_while_on(vm, "lets none grow")


def _refuse_twice(vm: Subject, plan: DrivePlan) -> None:
    if plan.spec.device == "disk" and plan.source is not None and plan.source in _files(vm.disks):
        raise errors.AlreadyExistsError(f"{plan.source} is a disk of {vm.name!r} already")


def _files(disks: Iterable[Any]) -> set[str]:
    return {file_of(disk) for disk in disks}


def _bus(vm: Subject, drive: Any) -> str | None:
    return next((bus_of(one) for one in vm.devices if one.key == drive.controllerKey), None)


def _ide_while_on(vm: Subject, what: str) -> errors.PowerStateError:
    return errors.PowerStateError(
        f"{vm.name!r} is {vm.state}, and the bus ide {what} while it is on",
        state=vm.state,
        hint="shut it down first, or use another bus",
    )
