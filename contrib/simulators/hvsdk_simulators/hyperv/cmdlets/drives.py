"""Hard disk drives and DVD drives of virtual machines, at their places on controllers."""

from __future__ import annotations

import ntpath
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid5

from hvsdk_simulators.hyperv.file_system import FileSystem, holders, is_absolute, no_file, normal, same
from hvsdk_simulators.hyperv.vms import Checkpoint, Drive, Vm
from hvsdk_simulators.hyperv.world import World

from .components import hardware_of, owned, vms_of
from .errors import CmdletError, not_found, wrong_state
from .places import AT_REST, first_free, must_be_free
from .records import Record
from .registry import Bound, cmdlet

__all__ = ["drive_record", "drive_records", "hardware_of", "vms_of"]

_TYPES = {"disk": "HardDiskDrive", "dvd": "DvdDrive"}
_NAMES = {"disk": "Hard Drive", "dvd": "DVD Drive"}
_DISKS = (".vhd", ".vhdx", ".avhd", ".avhdx", ".vhds")


def controller_id(vm: Vm, kind: str, number: int) -> UUID:
    """Return what identifies a controller of a virtual machine."""
    return uuid5(vm.id, f"{kind} {number}")


def drive_record(world: World, vm: Vm, drive: Drive, checkpoint: Checkpoint | None = None) -> Record:
    """Return a drive as the cmdlets show it."""
    controller = controller_id(vm, drive.controller_type, drive.controller_number)
    place = f"{drive.controller_type} controller number {drive.controller_number} at location {drive.location}"
    properties: dict[str, Any] = {
        "Path": drive.path,
        "ControllerLocation": drive.location,
        "ControllerNumber": drive.controller_number,
        "ControllerType": drive.controller_type,
        "Name": f"{_NAMES[drive.kind]} on {place}",
        "PoolName": "Primordial",
        "Id": f"Microsoft:{str(vm.id).upper()}\\{str(controller).upper()}\\0\\{drive.location}\\D",
        **owned(world, vm, checkpoint),
        "IsDeleted": drive not in (checkpoint.hardware if checkpoint else vm.hardware).drives,
    }
    if drive.kind == "disk":
        properties |= {
            "DiskNumber": None,
            "MaximumIOPS": 0,
            "MinimumIOPS": 0,
            "SupportPersistentReservations": drive.shared,
            "WriteHardeningMethod": "Default",
        }
    else:
        properties["DvdMediaType"] = "ISO" if drive.path else "None"
    key = f"{vm.id}/{checkpoint.id if checkpoint else ''}/{drive.id}"
    return Record(_TYPES[drive.kind], key, properties, drive)


def drive_records(world: World, vm: Vm, kind: str, checkpoint: Checkpoint | None = None) -> list[Record]:
    """Return the drives of a virtual machine, or of a checkpoint, by their places."""
    hardware = checkpoint.hardware if checkpoint else vm.hardware
    found = [one for one in hardware.drives if one.kind == kind]
    found.sort(key=lambda one: (one.controller_type, one.controller_number, one.location))
    return [drive_record(world, vm, one, checkpoint) for one in found]


def _get(world: World, p: Bound, kind: str) -> Iterator[Record]:
    for vm, _, checkpoint in hardware_of(world, p):
        for record in drive_records(world, vm, kind, checkpoint):
            controllers_given = p.many("VMDriveController")
            here = (record["ControllerNumber"], record["ControllerType"])
            if controllers_given and here not in [(one["ControllerNumber"], _kind(one)) for one in controllers_given]:
                continue
            names = ("ControllerType", "ControllerNumber", "ControllerLocation")
            if all(p.get(name) is None or p[name] == record[name] for name in names):
                yield record


def _kind(controller: Record) -> str:
    return "IDE" if controller.type == "VMIdeController" else "SCSI"


@cmdlet("Get-VMHardDiskDrive")
def get_hard_disk_drive(world: World, p: Bound) -> Iterator[Record]:
    yield from _get(world, p, "disk")


@cmdlet("Get-VMDvdDrive")
def get_dvd_drive(world: World, p: Bound) -> Iterator[Record]:
    yield from _get(world, p, "dvd")


@cmdlet("Add-VMHardDiskDrive")
def add_hard_disk_drive(world: World, p: Bound) -> Iterator[Record]:
    for vm, _, _ in hardware_of(world, p):
        drive = _new(world, vm, p, "disk")
        drive.shared = p.flag("SupportPersistentReservations")
        if drive.shared and (
            drive.controller_type != "SCSI" or not str(drive.path).lower().endswith((".vhdx", ".vhds"))
        ):
            raise _invalid("Only virtual hard disks of the format VHDX on a SCSI controller can be shared.")
        vm.hardware.drives.append(drive)
        if p.flag("Passthru"):
            yield drive_record(world, vm, drive)


@cmdlet("Add-VMDvdDrive")
def add_dvd_drive(world: World, p: Bound) -> Iterator[Record]:
    for vm, _, _ in hardware_of(world, p):
        drive = _new(world, vm, p, "dvd")
        vm.hardware.drives.append(drive)
        if p.flag("Passthru"):
            yield drive_record(world, vm, drive)


def _new(world: World, vm: Vm, p: Bound, kind: str) -> Drive:
    """Return a drive at the place that is asked for, or at the first that is free.

    Raises:
        CmdletError: The place is taken, the state does not allow it, or the file cannot be attached.
    """
    _refuse_state(vm)
    given = p.many("VMDriveController")
    bus = p.get("ControllerType") or (_kind(given[0]) if given else None)
    number = given[0]["ControllerNumber"] if given else p.get("ControllerNumber")
    if kind == "dvd":
        bus = "IDE" if vm.generation == 1 else "SCSI"
    place = first_free(vm, bus, number, p.get("ControllerLocation"))
    if place[0] == "IDE" and vm.state not in AT_REST:
        raise wrong_state(vm.name)
    path = _checked(world, vm, p, kind)
    return Drive(
        kind=kind, controller_type=place[0], controller_number=place[1], location=place[2], path=path, id=world.new_id()
    )


def _refuse_state(vm: Vm) -> None:
    if vm.state not in ("Off", "Running", "Paused"):
        raise wrong_state(vm.name)


def _checked(world: World, vm: Vm, p: Bound, kind: str, drive: Drive | None = None) -> str | None:
    """Return the path of the file that a drive is to have, as the file is spelt.

    Raises:
        CmdletError: It is not there, is of another kind, or somebody else holds it open.
    """
    path = str(p.get("Path") or "")
    if not path:
        return None
    if not is_absolute(path):
        raise _invalid(f"The path '{path}' is not an absolute one.")
    found = FileSystem(world).find(path)
    if found is None:
        if p.flag("AllowUnverifiedPaths"):
            return normal(path)
        raise no_file(path)
    ending = ntpath.splitext(found.name)[1].lower()
    if (ending not in _DISKS) if kind == "disk" else ending != ".iso":
        raise _invalid(f"The file '{path}' has an extension that this drive cannot have.")
    if kind == "disk" and vm.generation == 2 and ending == ".vhd":
        raise _invalid("Virtual machines of generation 2 take no disks of the format VHD.")
    others = [one for one in vm.hardware.drives if one is not drive and one.kind == kind and same(one.path, path)]
    shared = p.flag("SupportPersistentReservations")
    held = kind == "disk" and vm.state not in AT_REST and holders(world, path, without=vm) and not shared
    if (kind == "disk" and others) or held:
        text = f"Attachment '{path}' failed: it is in use. The process cannot access the file. (0x80070020)."
        raise CmdletError("ObjectInUse", "ResourceBusy", text, hresult=0x80070020)
    return found.name


def _invalid(text: str) -> CmdletError:
    return CmdletError("InvalidParameter", "InvalidArgument", text)


# ---- those that are there --------------------------------------------------------------------------------


def _chosen(world: World, p: Bound, kind: str) -> Iterator[tuple[Vm, Drive]]:
    for record in p.many(f"VM{_TYPES[kind]}"):
        vm = world.vms.get(record["VMId"])
        if vm is None or record.owner not in vm.hardware.drives:
            raise not_found(f"the drive '{record['Name']}'")
        yield vm, record.owner
    for vm in vms_of(world, p):
        found = [one for one in vm.hardware.drives if one.kind == kind]
        for name, field in (
            ("ControllerType", "controller_type"),
            ("ControllerNumber", "controller_number"),
            ("ControllerLocation", "location"),
        ):
            found = [one for one in found if p.get(name) is None or p[name] == getattr(one, field)]
        if not found:
            raise not_found("a drive at this place")
        for drive in found:
            yield vm, drive


@cmdlet("Set-VMHardDiskDrive")
def set_hard_disk_drive(world: World, p: Bound) -> Iterator[Record]:
    yield from _set(world, p, "disk")


@cmdlet("Set-VMDvdDrive")
def set_dvd_drive(world: World, p: Bound) -> Iterator[Record]:
    yield from _set(world, p, "dvd")


def _set(world: World, p: Bound, kind: str) -> Iterator[Record]:
    for vm, drive in list(_chosen(world, p, kind)):
        _refuse_state(vm)
        running = vm.state not in AT_REST
        if "Path" in p:
            if kind == "disk" and running:
                raise wrong_state(vm.name)
            drive.path = _checked(world, vm, p, kind, drive)
        if "SupportPersistentReservations" in p:
            if running:
                raise wrong_state(vm.name)
            drive.shared = p.flag("SupportPersistentReservations")
        wish = [p.get(f"To{name}") for name in ("ControllerType", "ControllerNumber", "ControllerLocation")]
        if any(one is not None for one in wish):
            if running:
                raise wrong_state(vm.name)
            bus = wish[0] or drive.controller_type
            number = drive.controller_number if wish[1] is None else wish[1]
            location = drive.location if wish[2] is None else wish[2]
            must_be_free(vm, bus, number, location, but=drive)
            drive.controller_type, drive.controller_number, drive.location = bus, number, location
        if p.flag("Passthru"):
            yield drive_record(world, vm, drive)


@cmdlet("Remove-VMHardDiskDrive")
def remove_hard_disk_drive(world: World, p: Bound) -> Iterator[Record]:
    yield from _remove(world, p, "disk")


@cmdlet("Remove-VMDvdDrive")
def remove_dvd_drive(world: World, p: Bound) -> Iterator[Record]:
    yield from _remove(world, p, "dvd")


def _remove(world: World, p: Bound, kind: str) -> Iterator[Record]:
    for vm, drive in list(_chosen(world, p, kind)):
        _refuse_state(vm)
        if drive.controller_type == "IDE" and vm.state not in AT_REST:
            raise wrong_state(vm.name)
        vm.hardware.drives.remove(drive)
        vm.hardware.boot_order = [one for one in vm.hardware.boot_order if one != drive.id]
        if p.flag("Passthru"):
            yield drive_record(world, vm, drive)
