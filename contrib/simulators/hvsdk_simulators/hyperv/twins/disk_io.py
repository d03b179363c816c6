"""Reading disks: the twin of a client's `disk_io.ps1`."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import IO, Any

from .common import confirm_state, the_vm, time_text
from .domains import drive_id
from .files import confirm_reach, is_file
from .registry import Host, RefusalError, operation
from .snapshots import the_checkpoint


@operation("disk_io.find")
def _find(host: Host, arguments: dict[str, Any]) -> Any:
    vm = the_vm(host, arguments["id"])
    if arguments["snapshot"]:
        checkpoint = the_checkpoint(host, vm, arguments["snapshot"])
        drives = host.run("Get-VMHardDiskDrive", VMSnapshot=checkpoint)
    else:
        confirm_state(vm, "read", "Off", "Saved", "FastSaved")
        drives = host.run("Get-VMHardDiskDrive", VM=[vm])
    for drive in drives:
        if drive_id(drive) != str(arguments["disk"]).lower():
            continue
        if drive["DiskNumber"] is not None or not drive["Path"]:
            text = f"the disk '{arguments['disk']}' is a whole disk of the host, which has no file"
            raise RefusalError("Unsupported", text)
        confirm_reach(host, vm, [drive["Path"]])
        return {"path": drive["Path"]}
    raise RefusalError("DiskNotFound", f"'{vm['Name']}' has no disk '{arguments['disk']}'")


def _open(host: Host, path: str) -> tuple[Any, IO[bytes]]:
    file = host.one("Get-Item", LiteralPath=[path], Force=True)
    return file, Path(host.one("Resolve-StubFile", Path=file["FullName"])).open("rb")


@operation("disk_io.stat")
def _stat(host: Host, arguments: dict[str, Any]) -> Any:
    if not is_file(host, arguments["path"]):
        return {"size": None, "written": None}
    file, stream = _open(host, arguments["path"])
    with stream:
        return {"size": file["Length"], "written": time_text(file["LastWriteTimeUtc"])}


@operation("disk_io.read")
def _read(host: Host, arguments: dict[str, Any]) -> Any:
    found = []
    for wanted in arguments["files"]:
        file, stream = _open(host, wanted["path"])
        with stream:
            if (file["Length"], time_text(file["LastWriteTimeUtc"])) != (wanted["size"], wanted["written"]):
                text = f"'{wanted['path']}' was written since it was opened"
                raise RefusalError("OperationFailed", text, hint="open the disk again")
            for one in wanted["ranges"]:
                stream.seek(one["offset"])
                data = stream.read(one["length"])
                if len(data) != one["length"]:
                    text = f"'{wanted['path']}' ends before what was to be read of it"
                    raise RefusalError("OperationFailed", text)
                found.append(base64.b64encode(data).decode())
    return found
