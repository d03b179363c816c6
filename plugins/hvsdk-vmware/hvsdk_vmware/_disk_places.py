"""The disks of a domain or a snapshot, as far as it matters for reading them."""

from __future__ import annotations

from collections.abc import Iterable

import attrs
from hvsdk.driver import errors

from hvsdk_vmware._fields import NOTHING, Element, as_flag, as_number, child, children, kind_of
from hvsdk_vmware._lease_url import Slot, family_of

__all__ = ["DEVICES", "DiskPlace", "disk_places", "place_of"]

DEVICES = "config.hardware.device"
"""The property that `disk_places` takes, of a domain and of a snapshot."""
_FLAT = "VirtualDiskFlatVer2BackingInfo"


@attrs.frozen
class DiskPlace:
    """A disk, and what its bytes lie in."""

    key: str
    """Device key, which is the disk's id."""
    size: int
    path: str
    """Of its descriptor, such as `[datastore1] web/web.vmdk`; of the last one where several lie on each other."""
    pool: str
    plain: bool
    """Whether all its bytes are in one file of a datastore, rather than on a parent or a device."""
    thin: bool
    slot: Slot | None
    number: int
    """Its place among the disks, from 0."""
    disks: int
    """How many disks there are."""


def disk_places(devices: Iterable[Element]) -> list[DiskPlace]:
    """Return the disks in a list of devices."""
    devices = list(devices)
    controllers = {
        child(device, "key"): (family_of(kind_of(device)), as_number(child(device, "busNumber")) or 0)
        for device in devices
        if kind_of(device).endswith("Controller")
    }
    disks = [device for device in devices if kind_of(device) == "VirtualDisk"]
    found = []
    for number, disk in enumerate(disks):
        backing = next(iter(children(disk, "backing")), NOTHING)
        on, unit = controllers.get(child(disk, "controllerKey")), as_number(child(disk, "unitNumber"))
        found.append(
            DiskPlace(
                key=child(disk, "key"),
                size=_size_of(disk),
                path=child(backing, "fileName"),
                pool=child(backing, "datastore"),
                plain=kind_of(backing) == _FLAT and not children(backing, "parent"),
                thin=as_flag(child(backing, "thinProvisioned")) is True,
                slot=Slot(*on, unit) if on is not None and unit is not None else None,
                number=number,
                disks=len(disks),
            )
        )
    return found


def place_of(disks: Iterable[DiskPlace], disk_id: str) -> DiskPlace:
    """Return a disk by its id.

    Raises:
        DiskNotFoundError: There is none.
        OperationFailedError: vSphere does not tell how large it is.
    """
    for disk in disks:
        if disk.key == disk_id:
            if disk.size <= 0:
                raise errors.OperationFailedError(f"vSphere tells no size of the disk {disk_id}")
            return disk
    raise errors.DiskNotFoundError(f"there is no disk {disk_id!r}")


def _size_of(disk: Element) -> int:
    exact, kilobytes = as_number(child(disk, "capacityInBytes")), as_number(child(disk, "capacityInKB"))
    return exact if exact is not None else (kilobytes or 0) << 10
