"""What a new domain is booted from where nobody said it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hvsdk.models import DiskSpec

__all__ = ["boot_places"]


def boot_places(disks: Sequence[DiskSpec]) -> list[int | None]:
    """Return for each disk and drive its place in the boot order, from 1: as asked for; else disks, then drives with images.

    `None` stands for what is not booted from. All of them come before the network.
    """
    given = [disk.boot_order for disk in disks]
    if any(order is not None for order in given):
        return given
    hard = [number for number, disk in enumerate(disks) if disk.device == "disk"]
    drives = [number for number, disk in enumerate(disks) if disk.device == "cdrom" and disk.source is not None]
    places = {number: place for place, number in enumerate([*hard, *drives], 1)}
    return [places.get(number) for number in range(len(disks))]
