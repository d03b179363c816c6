"""Pictures of virtual machines' screens: RGB565, two bytes a pixel, the lower first."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from hvsdk_simulators.hyperv.vms import Vm

from .cim import VIRTUALIZATION, cim_class, cim_method, instance
from .records import Record

if TYPE_CHECKING:
    from hvsdk_simulators.hyperv.world import World

__all__ = ["picture"]

_SERVICE = "Msvm_VirtualSystemManagementService"
_SCREEN = (1024, 768)
_INVALID_PARAMETER, _INVALID_STATE = 32773, 32775


@cim_class(_SERVICE, VIRTUALIZATION)
def _service(world: World) -> Iterator[Record]:
    properties = {"Name": "vmms", "ElementName": "Hyper-V Virtual System Management Service", "EnabledState": 2}
    yield instance(_SERVICE, "vmms", properties)


@cim_class("Msvm_VideoHead", VIRTUALIZATION)
def _heads(world: World) -> Iterator[Record]:
    for vm in world.vms.values():
        if vm.state in ("Running", "Paused"):
            key = str(vm.id).upper()
            properties: dict[str, Any] = {
                "SystemName": key,
                "EnabledState": 2,
                "CurrentHorizontalResolution": _SCREEN[0],
                "CurrentVerticalResolution": _SCREEN[1],
            }
            yield instance("Msvm_VideoHead", key, properties, vm)


@cim_method(_SERVICE, "GetVirtualSystemThumbnailImage")
def _thumbnail(world: World, service: Record, arguments: dict[str, Any]) -> dict[str, Any]:
    target = arguments.get("TargetSystem")
    width, height = int(arguments.get("WidthPixels") or 0), int(arguments.get("HeightPixels") or 0)
    if not isinstance(target, Record) or not (0 < width <= 4096 and 0 < height <= 4096):
        return {"ReturnValue": _INVALID_PARAMETER, "ImageData": None}
    vm = target.owner
    if vm.state not in ("Running", "Paused"):
        return {"ReturnValue": _INVALID_STATE, "ImageData": None}
    return {"ReturnValue": 0, "ImageData": picture(vm, width, height)}


def picture(vm: Vm, width: int, height: int) -> bytes:
    """Return what is on the screen: a colour that follows from the VM's id, and a bright bar at the top."""
    seed = vm.id.int
    colour = struct.pack("<H", (seed & 0x1F) | (seed >> 8 & 0x3F) << 5 | (seed >> 16 & 0x1F) << 11)
    bar = min(height, max(1, height // 16))
    return b"\xff\xff" * width * bar + colour * width * (height - bar)
