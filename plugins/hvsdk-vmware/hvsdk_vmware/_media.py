"""Images in CD-ROM drives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hvsdk.driver import Deadline, DiskSpec, Result, Task, errors
from pyVmomi import vim

from hvsdk_vmware._changes import ChangeVerbs, is_on, refuse_suspended
from hvsdk_vmware._controllers import Slots, drive_order
from hvsdk_vmware._drives import DrivePlan, DrivePlans, image_backing
from hvsdk_vmware._hardware import Subject, file_of

__all__ = ["MediaVerbs"]

device = vim.vm.device


class MediaVerbs(ChangeVerbs, DrivePlans):
    """`insert_media` and `eject_media`. A guest that has locked its drive is asked for it: vSphere puts a question."""

    def insert_media(self, native_id: str, source: str, *, drive: str | None, deadline: Deadline) -> Result[str]:
        """Put an image into a drive, in place of what is in it; a domain that is off gets a drive where it has none."""
        vm = self.subject(native_id, deadline)
        refuse_suspended(vm, "insert_media")
        found = _media_drive(vm, drive)
        if found is None and is_on(vm):
            raise errors.DiskNotFoundError(
                f"{vm.name!r} has no CD-ROM drive", hint="attach one: DiskSpec(device='cdrom', bus='sata')"
            )
        image = self.find_image(source, deadline, host=vm.host)
        if found is None:
            return self._add_media_drive(vm, image, deadline)
        key = str(found.key)
        link = found.connectable
        plugged = link is not None and link.startConnected and (link.connected or not is_on(vm))
        if file_of(found) == image and plugged:
            return key
        return self.change_devices(vm, [_holding(found, image, on=is_on(vm))], deadline, lambda _: key)

    def _add_media_drive(self, vm: Subject, image: str, deadline: Deadline) -> Task[str]:
        slots = Slots(vm.devices)
        plan = DrivePlan(spec=DiskSpec(device="cdrom", source=image), hints={}, source=image)
        changes = [plan.change(slots)]
        kind = device.VirtualCdrom
        return self.change_devices(vm, [*slots.changes, *changes], deadline, lambda _: self.new_device(vm, kind))

    def eject_media(self, native_id: str, *, drive: str | None, deadline: Deadline) -> Result[None]:
        vm = self.subject(native_id, deadline)
        refuse_suspended(vm, "eject_media")
        found = _media_drive(vm, drive)
        if found is None:
            raise errors.DiskNotFoundError(f"{vm.name!r} has no CD-ROM drive, so that there is nothing to take out")
        if not file_of(found):
            return None
        return self.change_devices(vm, [_holding(found, None, on=is_on(vm))], deadline)


def _media_drive(vm: Subject, drive: str | None) -> Any:
    """Return a CD-ROM drive, the first one without an id; `None` where there is none.

    Raises:
        DiskNotFoundError: There is none of that id.
    """
    found = [one for one in vm.devices if isinstance(one, device.VirtualCdrom)]
    drives = drive_order(found, vm.devices)
    if drive is None:
        return drives[0] if drives else None
    chosen = next((one for one in drives if str(one.key) == drive), None)
    if chosen is None:
        what = "is no CD-ROM drive" if any(str(one.key) == drive for one in vm.devices) else "is not there"
        raise errors.DiskNotFoundError(f"the drive {drive!r} of {vm.name!r} {what}", hint=_drives_there(drives))
    return chosen


def _drives_there(drives: Sequence[Any]) -> str:
    return f"its CD-ROM drives: {', '.join(str(one.key) for one in drives)}" if drives else "it has no CD-ROM drive"


def _holding(drive: Any, image: str | None, *, on: bool) -> Any:
    """Return the change that puts an image into a drive, or takes it out."""
    there = image is not None
    drive.backing = image_backing(image)
    drive.connectable = device.VirtualDevice.ConnectInfo(
        startConnected=there, connected=there and on, allowGuestControl=True
    )
    return device.VirtualDeviceSpec(operation="edit", device=drive)
