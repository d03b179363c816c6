"""Images in DVD drives: the twin of a client's `media.ps1`."""

from __future__ import annotations

from typing import Any

from .common import confirm_state, the_vm
from .disks import add_wished_drive
from .domains import drive_id
from .files import confirm_reach, find_file, name_of, parent_folder
from .registry import Host, RefusalError, operation


def _find(host: Host, vm: Any, id: str | None) -> Any:
    drives = host.run("Get-VMDvdDrive", VM=[vm])
    drives.sort(key=lambda one: (one["ControllerNumber"], one["ControllerLocation"]))
    if not id:
        return drives[0] if drives else None
    for drive in drives:
        if drive_id(drive) == id.lower():
            return drive
    raise RefusalError("DiskNotFound", f"'{vm['Name']}' has no DVD drive '{id}'")


@operation("media.insert")
def _insert(host: Host, arguments: dict[str, Any]) -> Any:
    vm = the_vm(host, arguments["id"])
    confirm_state(vm, "given an image", "Off", "Running", "Paused")
    drive = _find(host, vm, arguments["drive"])
    image = find_file(host, arguments["pool"], arguments["names"])
    confirm_reach(host, vm, [image])
    if not image.lower().endswith(".iso"):
        raise RefusalError("InvalidSpec", f"'{image}' is no image: those are .iso files")
    if drive is None:
        if vm["Generation"] == 1 and vm["State"] != "Off":
            text = f"'{vm['Name']}' has no DVD drive, and IDE takes none while it is on"
            raise RefusalError("DiskNotFound", text, hint="shut it down first")
        wish = {"device": "cdrom", "names": [name_of(image)], "source_pool": parent_folder(image)}
        return drive_id(add_wished_drive(host, vm, wish))
    if str(drive["Path"] or "").lower() != image.lower():
        host.run("Set-VMDvdDrive", VMDvdDrive=[drive], Path=image)
    return drive_id(drive)


@operation("media.eject")
def _eject(host: Host, arguments: dict[str, Any]) -> Any:
    vm = the_vm(host, arguments["id"])
    confirm_state(vm, "relieved of an image", "Off", "Running", "Paused")
    drive = _find(host, vm, arguments["drive"])
    if drive is None:
        text = f"'{vm['Name']}' has no DVD drive, so that there is nothing to take out"
        raise RefusalError("DiskNotFound", text)
    if drive["Path"]:
        host.run("Set-VMDvdDrive", VMDvdDrive=[drive], Path=None)
