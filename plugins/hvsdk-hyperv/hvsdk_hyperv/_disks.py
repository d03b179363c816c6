"""Disks and drives of domains that are there: attach, detach, grow. A drive is called by its place, such as `scsi:0:1`."""

from __future__ import annotations

from collections.abc import Mapping

from hvsdk.driver import Capability, Deadline, DiskSpec, DomainInfo, Task, Unsupported, errors

from hvsdk_hyperv._drives import disk_wish
from hvsdk_hyperv._session import HyperVSession

__all__ = ["DiskVerbs"]


class DiskVerbs(HyperVSession):
    """`attach_disk`, `detach_disk` and `resize_disk`."""

    def domain_limits(self, info: DomainInfo) -> Mapping[Capability, Unsupported]:
        limits = dict(super().domain_limits(info))
        if "disks" in info.loaded and not any(disk.device == "disk" and disk.bus == "scsi" for disk in info.disks):
            reason = "it has no disk on SCSI, and others grow only while it is off"
            limits[Capability.RESIZE_DISK_RUNNING] = Unsupported(reason)
        return limits

    def attach_disk(self, native_id: str, disk: DiskSpec, *, deadline: Deadline) -> Task[str]:
        """Add a disk or a CD-ROM drive, on SCSI into a running guest too; a controller comes with it where none has room.

        What fails leaves no new file behind.
        """
        if disk.boot_order is not None:
            raise errors.InvalidSpecError(
                "the boot order is set when a domain is made, not when a disk is attached", hint="leave boot_order out"
            )
        arguments = {"id": native_id, "wish": disk_wish(disk)}
        return self.begin("disks.attach", arguments, deadline=deadline, result=str)

    def detach_disk(self, native_id: str, disk_id: str, *, deadline: Deadline) -> None:
        """Take a disk or drive out; its file stays."""
        self.call("disks.detach", {"id": native_id, "disk": disk_id}, deadline=deadline)

    def resize_disk(self, native_id: str, disk_id: str, size_bytes: int, *, deadline: Deadline) -> Task[None]:
        """Grow a disk, a VHDX on SCSI while the guest runs too; sizes are rounded up to whole sectors.

        Disks with snapshots and those that lie on others keep their size, as do those that others lie on.
        """
        arguments = {"id": native_id, "disk": disk_id, "size": size_bytes}
        return self.begin("disks.resize", arguments, deadline=deadline)
