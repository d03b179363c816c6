"""What a domain is booted from, in vSphere's words: its devices have their keys only once they are there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from hvsdk.driver import DiskSpec
from pyVmomi import vim

__all__ = ["Spot", "boot_entries", "spot_of"]

Options = vim.vm.BootOptions
Spot: TypeAlias = tuple[str, int, int]
"""Where a drive is, whatever its key: its controller's kind and number, and its place there."""
_FIRST_IDE = 200
"""Key of the first of two IDE controllers that each domain has."""


def spot_of(drive: Any, devices: Iterable[Any]) -> Spot:
    """Return where a drive is.

    Args:
        devices: With its controller, unless that is one of those that each domain has.
    """
    for device in devices:
        if device.key == drive.controllerKey:
            return type(device).__name__, int(device.busNumber), int(drive.unitNumber or 0)
    return "vim.vm.device.VirtualIDEController", int(drive.controllerKey) - _FIRST_IDE, int(drive.unitNumber or 0)


def boot_entries(disks: Sequence[DiskSpec], spots: Sequence[Spot], devices: Sequence[Any]) -> list[Any]:
    """Return the entries of the boot order.

    Of CD-ROM drives vSphere tells none apart: all are one entry.

    Args:
        disks: All disks and drives that were asked for.
        spots: Where each of them is.
        devices: The domain's devices.
    """
    keys: Mapping[Spot, int] = {
        spot_of(device, devices): device.key for device in devices if isinstance(device, vim.vm.device.VirtualDisk)
    }
    wanted = sorted((disk.boot_order, n) for n, disk in enumerate(disks) if disk.boot_order is not None)
    entries: list[Any] = []
    for _, number in wanted:
        if disks[number].device == "disk":
            entries.append(Options.BootableDiskDevice(deviceKey=keys[spots[number]]))
        elif not any(isinstance(one, Options.BootableCdromDevice) for one in entries):
            entries.append(Options.BootableCdromDevice())
    return entries
