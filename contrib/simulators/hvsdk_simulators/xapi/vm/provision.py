"""Disks that a template asks for: the XML below `other_config["disks"]`, made when it becomes a VM.

<provision><disk device="0" size="8589934592" sr="UUID" bootable="true" type="system"/></provision>
"""

import xml.etree.ElementTree as ET

import attrs

from hvsdk_simulators.xapi.call import Call
from hvsdk_simulators.xapi.database import Object
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.vm.records import OWNER
from hvsdk_simulators.xapi.world import World

KEY = "disks"
_INSTALL_KEYS = (KEY, "postinstall")


@attrs.frozen(kw_only=True)
class WantedDisk:
    """A disk that a template asks for."""

    device: str
    size: int
    sr: Object
    bootable: bool
    type: str


def disks_wanted(world: World, vm: Object) -> list[WantedDisk]:
    """The disks that the template asks for."""
    text = vm["other_config"].get(KEY, "")
    if not text:
        return []
    try:
        elements = list(ET.fromstring(text).iter("disk"))
    except ET.ParseError as error:
        raise Failure("INTERNAL_ERROR", f"provision XML of the template: {error}") from error
    return [_wanted(world, element) for element in elements]


def make_disks(call: Call, vm: Object, wanted: list[WantedDisk]) -> None:
    """Make the disks and their drives, all or none, and drop what asked for them."""
    storage, made = call.world.storage, list[Object]()
    try:
        for disk in wanted:
            name = f"{vm['name_label']} {disk.device}"
            made.append(storage.create_vdi(disk.sr, disk.size, type=disk.type, name=name))
    except Failure:
        for vdi in made:
            storage.destroy_vdi(vdi)
        raise
    for disk, vdi in zip(wanted, made, strict=True):
        _plug(call.world, vm, disk, vdi)
    config = {key: value for key, value in vm["other_config"].items() if key not in _INSTALL_KEYS}
    call.world.db.update(vm, other_config=config)


def _wanted(world: World, element: ET.Element) -> WantedDisk:
    name = element.get("sr", "")
    return WantedDisk(
        device=element.get("device", "0"),
        size=int(element.get("size", "0")),
        sr=_sr(world, name),
        bootable=element.get("bootable") == "true",
        type=element.get("type", "system"),
    )


def _sr(world: World, name: str) -> Object:
    if not name:
        default = world.db.lookup("SR", world.pool["default_SR"])
        if default is None:
            raise Failure("DEFAULT_SR_NOT_FOUND", world.pool["default_SR"])
        return default
    named = [sr for sr in world.db.all("SR") if name in (sr["uuid"], sr["name_label"])]
    if not named:
        raise Failure("UUID_INVALID", "SR", name)
    return named[0]


def _plug(world: World, vm: Object, disk: WantedDisk, vdi: Object) -> None:
    world.db.create(
        "VBD",
        VM=vm.ref,
        VDI=vdi.ref,
        userdevice=disk.device,
        bootable=disk.bootable,
        mode="RW",
        type="Disk",
        empty=False,
        unpluggable=True,
        other_config={OWNER: ""},
    )
