"""Drives put into VMs: at a position that is free, with what may be in them."""

import re
from typing import Any

from hvsdk_simulators.xapi.call import Call
from hvsdk_simulators.xapi.database import NULL, Object
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.messages import message
from hvsdk_simulators.xapi.world import World

from .constructors import fields_given, ref_of

_NAME = re.compile(r"(?:sd|xvd|hd)([a-p])\d*|fd[ab]")
_KINDS = ("system", "user", "ephemeral", "suspend", "crashdump", "metadata", "rrd", "pvs_cache")
_POSITIONS_BEFORE, _POSITIONS = 16, 255
_AUTODETECT = "autodetect"
_NOT_GIVEN = ("device", "currently_attached")
_MOVING = ("migrate_send", "pool_migrate")


@message("VBD.create(VBD record args) -> VBD ref", role="vm-admin")
def create(call: Call, args: dict[str, Any]) -> Object:
    """Put a drive into a VM. `autodetect` takes the first position that is free."""
    world = call.world
    fields = {name: value for name, value in fields_given("VBD", args).items() if name not in _NOT_GIVEN}
    vm = world.db.get("VM", ref_of(fields.pop("VM")))
    vdi = None if fields["empty"] else world.db.get("VDI", ref_of(fields["VDI"]))
    _assert_fits(world, fields, vdi)
    moving = next((op for op in vm["current_operations"].values() if op in _MOVING), None)
    if moving is not None:
        raise Failure("OTHER_OPERATION_IN_PROGRESS", "VM", vm.ref, moving)
    fields["userdevice"] = position_for(world, vm, fields["userdevice"], fields["type"])
    fields["VDI"] = vdi.ref if vdi is not None else NULL
    metrics = world.db.create("VBD_metrics").ref if world.options.api < (1, 10) else NULL
    return world.db.create("VBD", VM=vm.ref, metrics=metrics, **fields)


def assert_medium(world: World, vdi: Object) -> None:
    """Raise when a disk is nothing for a CD drive."""
    if world.db.get("SR", vdi["SR"])["content_type"] != "iso":
        raise Failure("VDI_IS_NOT_ISO", vdi.ref, vdi["type"])
    if not vdi["managed"]:
        raise Failure("VDI_NOT_MANAGED", vdi.ref)


def free_positions(world: World, vm: Object) -> list[str]:
    """The positions of a VM at which no drive is."""
    taken = _taken(world, vm)
    many = world.options.api >= (2, 4) and (vm["domain_type"] == "hvm" or bool(vm["HVM_boot_policy"]))
    return [text for text in map(str, range(_POSITIONS if many else _POSITIONS_BEFORE)) if text not in taken]


def position_for(world: World, vm: Object, wanted: str, kind: str = "Disk") -> str:
    """The position of a new drive: the one asked for, or the first that is free.

    Raises:
        Failure: There is no such position, or a drive is there.
    """
    if wanted == _AUTODETECT:
        free = free_positions(world, vm)
        if not free:
            raise Failure("INVALID_DEVICE", wanted)
        return free[0]
    if not _is_device(wanted) or (kind == "Floppy" and not wanted.startswith("fd")):
        raise Failure("INVALID_DEVICE", wanted)
    if _number(wanted) in _taken(world, vm):
        raise Failure("DEVICE_ALREADY_EXISTS", wanted)
    return wanted


def _assert_fits(world: World, args: dict[str, Any], vdi: Object | None) -> None:
    cd = args["type"] == "CD"
    if vdi is not None and vdi["type"] not in _KINDS:
        raise Failure("VDI_INCOMPATIBLE_TYPE", vdi.ref, vdi["type"])
    if cd and args["mode"] != "RO":
        raise Failure("VBD_CDS_MUST_BE_READONLY")
    if vdi is None and not cd:
        raise Failure("VBD_NOT_REMOVABLE_MEDIA", "in constructor")
    if vdi is not None and cd:
        assert_medium(world, vdi)
    if vdi is not None and args["mode"] == "RW" and vdi["read_only"]:
        raise Failure("VDI_READONLY", vdi.ref)


def _taken(world: World, vm: Object) -> set[str]:
    return {_number(vbd["userdevice"]) for ref in vm["VBDs"] if (vbd := world.db.lookup("VBD", ref)) is not None}


def _is_device(text: str) -> bool:
    return _NAME.fullmatch(text) is not None or (text.isascii() and text.isdecimal() and int(text) < _POSITIONS)


def _number(device: str) -> str:
    """The position that a name such as `hdb` or `xvdb` stands for; floppies have their own."""
    found = _NAME.fullmatch(device)
    if found is None:
        return str(int(device)) if device.isascii() and device.isdecimal() else device
    return str(ord(found[1]) - ord("a")) if found[1] else device
