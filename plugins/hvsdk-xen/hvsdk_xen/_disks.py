"""Disks and drives of domains that are there: attach, detach, grow."""

from __future__ import annotations

from hvsdk.driver import Deadline, DiskSpec, Result, Steps, StepsTask, errors

from hvsdk_xen._drives import DrivePlan, DrivePlans, drive_number
from hvsdk_xen._hardware import HardwareVerbs, Subject, has_volume
from hvsdk_xen._making import Making

__all__ = ["DiskVerbs"]


class DiskVerbs(DrivePlans, HardwareVerbs):
    """`attach_disk`, `detach_disk` and `resize_disk`."""

    def attach_disk(self, native_id: str, disk: DiskSpec, *, deadline: Deadline) -> Result[str]:
        """Add a disk; into a running guest it is plugged, which takes Xen's drivers in it."""
        vm = self.subject(native_id, deadline)
        vm.refuse_suspended("attach_disk")
        if vm.is_on and disk.device == "cdrom":
            raise _not_while_on(vm, "plugged into")
        plan = self.plan_drive(disk, deadline)
        making = Making(self)
        return making.begin(lambda: self._attach_drive(making, vm, plan))

    def _attach_drive(self, making: Making, vm: Subject, plan: DrivePlan) -> Steps[str]:
        free = self.call("VM.get_allowed_VBD_devices", vm.ref, deadline=self.soon())
        number = drive_number(free, is_cd=plan.is_cd)
        vbd = yield from self.make_drive(making, plan, vm.ref, vm.name, number, first=False)
        if vm.is_on:
            yield from self.plug(making, "VBD", vbd, vm.native_id)
        return number

    def detach_disk(self, native_id: str, disk_id: str, *, deadline: Deadline) -> Result[None]:
        """Take a disk out: out of the guest first, which has to let it go, then out of the domain."""
        vm = self.subject(native_id, deadline)
        vm.refuse_suspended("detach_disk")
        ref, drive = self.find_drive(vm, disk_id, deadline)
        if drive.get("currently_attached") and drive.get("type") != "Disk":
            raise _not_while_on(vm, "taken out of")
        return StepsTask(self.take_out(vm, "VBD", ref, plugged=bool(drive.get("currently_attached"))))

    def resize_disk(self, native_id: str, disk_id: str, size_bytes: int, *, deadline: Deadline) -> Result[None]:
        """Grow a disk of a domain that is off; storage rounds sizes up."""
        vm = self.subject(native_id, deadline)
        vm.refuse_suspended("resize_disk")
        _, drive = self.find_drive(vm, disk_id, deadline)
        if not has_volume(drive):
            raise errors.InvalidSpecError(f"{disk_id!r} of {vm.name!r} is a drive for media, not a disk")
        vdi = self.vdi_of(str(drive["VDI"]), deadline)
        if size_bytes < vdi.size:
            raise errors.InvalidSpecError(
                f"the disk {disk_id!r} has {vdi.size} bytes; it cannot shrink to {size_bytes}",
                hint="copy what is on it to a smaller disk",
            )
        if size_bytes == vdi.size:
            return None
        if drive.get("currently_attached"):
            raise errors.PowerStateError(
                f"the disk {disk_id!r} of {vm.name!r} cannot grow while the guest has it",
                state=vm.state,
                hint="shut it down first",
            )
        return self.start_task("VDI.resize", vdi.ref, size_bytes, deadline=deadline)


def _not_while_on(vm: Subject, what: str) -> errors.PowerStateError:
    return errors.PowerStateError(
        f"a CD-ROM drive cannot be {what} {vm.name!r} while it is {vm.state}",
        state=vm.state,
        hint="shut it down first; insert_media and eject_media change what is in it at any time",
    )
