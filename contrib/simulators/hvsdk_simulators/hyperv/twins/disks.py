"""Disks and drives of machines that are there: the twin of a client's `disks.ps1`."""

from __future__ import annotations

import contextlib
import re
from typing import Any

from hvsdk_simulators.hyperv.cmdlets.errors import CmdletError

from .common import confirm_state, the_vm
from .domains import drive_id
from .files import (
    confirm_no_ground,
    confirm_reach,
    confirm_unused,
    find_file,
    is_own_path,
    join,
    pool_folder,
    remove_if_there,
    used_files,
)
from .registry import Host, RefusalError, operation
from .volumes import new_disk

__all__ = ["add_wished_drive"]

_NOT_IN_NAMES = re.compile("[^A-Za-z0-9._-]+")
_SCSI_CONTROLLERS = 4
_LOCATIONS = {"IDE": 2, "SCSI": 64}


def _drives(host: Host, vm: Any) -> list[Any]:
    return [*host.run("Get-VMHardDiskDrive", VM=[vm]), *host.run("Get-VMDvdDrive", VM=[vm])]


def _find(host: Host, vm: Any, id: str) -> Any:
    for drive in _drives(host, vm):
        if drive_id(drive) == id.lower():
            return drive
    raise RefusalError("DiskNotFound", f"'{vm['Name']}' has no disk '{id}'")


def _confirm_bus(vm: Any, bus: str, what: str) -> None:
    if bus == "IDE" and vm["State"] != "Off":
        text = f"'{vm['Name']}' is {vm['State']}, and IDE {what} while it is on"
        hint = "shut it down first, or use the bus scsi"
        raise RefusalError("PowerState", text, state=vm["State"], hint=hint)


def _bus(vm: Any, wish: str | None, is_dvd: bool) -> str:
    bus = "IDE" if wish == "ide" or (not wish and is_dvd and vm["Generation"] == 1) else "SCSI"
    if bus == "IDE" and vm["Generation"] != 1:
        text = f"'{vm['Name']}' is of generation 2, which has no IDE"
        raise RefusalError("InvalidSpec", text, hint="use the bus scsi")
    if bus == "SCSI" and is_dvd and vm["Generation"] == 1:
        raise RefusalError("InvalidSpec", "DVD drives of generation 1 are on IDE, not SCSI", hint="use the bus ide")
    return bus


def _free_place(host: Host, vm: Any, bus: str) -> tuple[int, int] | None:
    taken = {drive_id(drive) for drive in _drives(host, vm)}
    name = "Get-VMIdeController" if bus == "IDE" else "Get-VMScsiController"
    for controller in host.run(name, VM=[vm]):
        number = controller["ControllerNumber"]
        for location in range(_LOCATIONS[bus]):
            if f"{bus.lower()}:{number}:{location}" not in taken:
                return number, location
    return None


def _new_name(vm: Any, token: str) -> str:
    return f"{_NOT_IN_NAMES.sub('_', vm['Name'])[:60].strip('. ')}-{token}"


def _new_copy(host: Host, source: str, path: str, size: int | None, fixed: Any) -> None:
    if host.one("Test-Path", LiteralPath=[path]):
        raise RefusalError("AlreadyExists", f"there is a volume '{path}' already")
    if size and size < host.one("Get-VHD", Path=[source])["Size"]:
        raise RefusalError("InvalidSpec", f"'{source}' is larger than {size} bytes; its copy cannot shrink")
    done = False
    try:
        host.run("Convert-VHD", Path=source, DestinationPath=path, VHDType="Fixed" if fixed else "Dynamic")
        if size and size > host.one("Get-VHD", Path=[path])["Size"]:
            host.run("Resize-VHD", Path=[path], SizeBytes=size)
        done = True
    finally:
        if not done:
            remove_if_there(host, path)


def _disk_file(host: Host, vm: Any, wish: dict[str, Any]) -> tuple[str | None, bool]:
    """Return the file of a disk that is wished for, and whether it is a new one."""
    names = wish.get("names")
    folder = None
    if wish["device"] != "cdrom" and (not names or wish.get("copy")):
        folder = pool_folder(host, wish.get("pool"))
    confirm_reach(host, vm, [folder])
    path = find_file(host, wish.get("source_pool"), names) if names else None
    if not wish.get("copy"):
        confirm_reach(host, vm, [path])
    if wish["device"] == "cdrom" or (names and not wish.get("copy")):
        return path, False
    new = join(folder, f"{_new_name(vm, wish['token'])}.{wish['format']}")
    if path is not None:
        _new_copy(host, path, new, wish["size"], wish["fixed"])
    else:
        new_disk(host, new, wish["size"], wish["fixed"], wish["block_size"])
    return new, True


def _add(host: Host, vm: Any, wish: dict[str, Any], place: tuple[int, int], bus: str, path: str | None) -> Any:
    how: dict[str, Any] = {"VM": [vm], "ControllerNumber": place[0], "ControllerLocation": place[1], "Passthru": True}
    if path:
        how["Path"] = path
    if wish["device"] == "cdrom":
        return host.one("Add-VMDvdDrive", **how)
    if wish.get("shared"):
        how["SupportPersistentReservations"] = True
    return host.one("Add-VMHardDiskDrive", ControllerType=bus, **how)


def _confirm_not_there(host: Host, vm: Any, path: str) -> None:
    for drive in host.run("Get-VMHardDiskDrive", VM=[vm]):
        if str(drive["Path"] or "").lower() == path.lower():
            raise RefusalError("AlreadyExists", f"'{path}' is a disk of '{vm['Name']}' already")


def _needs_controller(host: Host, vm: Any, bus: str) -> None:
    """Fail where another controller cannot come."""
    if bus == "IDE" or len(host.run("Get-VMScsiController", VM=[vm])) >= _SCSI_CONTROLLERS:
        text = f"'{vm['Name']}' has no room for another drive on {bus}"
        raise RefusalError("InsufficientResources", text)
    if vm["State"] != "Off":
        text = f"'{vm['Name']}' needs another SCSI controller, which can only come while it is off"
        raise RefusalError("PowerState", text, state=vm["State"], hint="shut it down first")


def _remove_new_controller(host: Host, vm: Any, count: int) -> None:
    for one in host.run("Get-VMScsiController", VM=[vm]):
        if one["ControllerNumber"] >= count and not one["Drives"]:
            with contextlib.suppress(CmdletError):
                host.run("Remove-VMScsiController", VMScsiController=[one])


def add_wished_drive(host: Host, vm: Any, wish: dict[str, Any]) -> Any:
    """Add a disk or drive with all that belongs to it: the twin of `Add-WishedDrive`."""
    bus = _bus(vm, wish.get("bus"), wish["device"] == "cdrom")
    _confirm_bus(vm, bus, "takes no disks and drives")
    place = _free_place(host, vm, bus)
    if place is None:
        _needs_controller(host, vm, bus)
    path, made, done = None, False, False
    controllers = len(host.run("Get-VMScsiController", VM=[vm]))
    needs_controller = place is None
    try:
        path, made = _disk_file(host, vm, wish)
        if path and not made and wish["device"] != "cdrom":
            _confirm_not_there(host, vm, path)
            if wish.get("shared"):
                confirm_no_ground(host, [path], "attached", used_files(host))
            else:
                confirm_unused(host, [path], str(vm["Id"]).lower(), "attached")
        if place is None:
            host.run("Add-VMScsiController", VM=[vm])
            place = _free_place(host, vm, bus)
        assert place is not None, "a new controller has room"
        drive = _add(host, vm, wish, place, bus, path)
        done = True
    finally:
        if not done:
            if needs_controller:
                _remove_new_controller(host, vm, controllers)
            if made and path:
                remove_if_there(host, path)
    return drive


@operation("disks.attach")
def _attach(host: Host, arguments: dict[str, Any]) -> Any:
    vm = the_vm(host, arguments["id"])
    confirm_state(vm, "given a disk", "Off", "Running", "Paused")
    return drive_id(add_wished_drive(host, vm, arguments["wish"]))


@operation("disks.detach")
def _detach(host: Host, arguments: dict[str, Any]) -> Any:
    vm = the_vm(host, arguments["id"])
    confirm_state(vm, "relieved of a disk", "Off", "Running", "Paused")
    drive = _find(host, vm, arguments["disk"])
    _confirm_bus(vm, drive["ControllerType"], "gives none back")
    if _is_dvd(drive):
        host.run("Remove-VMDvdDrive", VMDvdDrive=[drive])
    else:
        host.run("Remove-VMHardDiskDrive", VMHardDiskDrive=[drive])


def _is_dvd(drive: Any) -> bool:
    return "DvdMediaType" in drive.properties


def _confirm_growth(host: Host, vm: Any, drive: Any, disk: Any) -> None:
    path, name, state = drive["Path"], vm["Name"], vm["State"]
    about = f"the disk '{path}' of '{name}' cannot grow"
    if host.run("Get-VMSnapshot", VM=[vm]):
        text, hint = f"{about}: it has snapshots, which keep their size", "delete the snapshots first"
        raise RefusalError("Unsupported", text, capability="resize_disk", hint=hint)
    if disk["VhdType"] == "Differencing":
        text, hint = f"{about}: it lies on another one", "clone() it, which makes disks of its own"
        raise RefusalError("Unsupported", text, capability="resize_disk", hint=hint)
    if state != "Off" and (drive["ControllerType"] != "SCSI" or disk["VhdFormat"] == "VHD"):
        text = f"'{name}' is {state}, and only VHDX on SCSI grow while it is on"
        raise RefusalError("PowerState", text, state=state, hint="shut it down first")
    confirm_unused(host, [path], str(vm["Id"]), "resized")


@operation("disks.resize")
def _resize(host: Host, arguments: dict[str, Any]) -> Any:
    vm = the_vm(host, arguments["id"])
    confirm_state(vm, "resized in its disks", "Off", "Running", "Paused")
    drive, wanted = _find(host, vm, arguments["disk"]), arguments["size"]
    about = f"'{arguments['disk']}' of '{vm['Name']}'"
    if _is_dvd(drive):
        raise RefusalError("InvalidSpec", f"{about} is a drive for media, not a disk")
    if not is_own_path(drive["Path"]):
        raise RefusalError("Unsupported", f"{about} is a disk of the host itself", capability="resize_disk")
    confirm_reach(host, vm, [drive["Path"]])
    disk = host.one("Get-VHD", Path=[drive["Path"]])
    size = -(-wanted // disk["LogicalSectorSize"]) * disk["LogicalSectorSize"]
    if wanted < disk["Size"]:
        text = f"the disk '{arguments['disk']}' has {disk['Size']} bytes; it cannot shrink to {wanted}"
        raise RefusalError("InvalidSpec", text, hint="copy what is on it to a smaller disk")
    if size != disk["Size"]:
        _confirm_growth(host, vm, drive, disk)
        host.run("Resize-VHD", Path=[drive["Path"]], SizeBytes=size)
