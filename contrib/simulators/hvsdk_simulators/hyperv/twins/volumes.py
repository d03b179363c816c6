"""Volumes: the twin of a client's `volumes.ps1`."""

from __future__ import annotations

from typing import Any

from hvsdk_simulators.hyperv.cmdlets.errors import CmdletError

from .common import time_text
from .files import confirm_all_seen, confirm_unused, find_file, is_disk_name, join, pool_folder, remove_if_there
from .registry import Host, RefusalError, operation

__all__ = ["new_disk"]


def _record(host: Host, file: Any) -> dict[str, Any]:
    record: dict[str, Any] = {
        "path": file["FullName"],
        "name": file["Name"],
        "length": file["Length"],
        "modified": time_text(file["LastWriteTimeUtc"]),
    }
    record |= dict.fromkeys(("size", "file_size", "format", "type", "parent", "problem"))
    if not is_disk_name(file["Name"]):
        return record
    try:
        disk = host.one("Get-VHD", Path=[record["path"]])
    except CmdletError as error:
        return {**record, "problem": error.message}
    record |= {
        "size": disk["Size"],
        "file_size": disk["FileSize"],
        "format": disk["VhdFormat"],
        "type": disk["VhdType"],
    }
    return {**record, "parent": disk["ParentPath"] or None}


@operation("volumes.list")
def _list(host: Host, arguments: dict[str, Any]) -> Any:
    folder = pool_folder(host, arguments["pool"])
    files = host.run("Get-ChildItem", LiteralPath=[folder], File=True, Force=True)
    wanted = [one for one in files if is_disk_name(one["Name"]) or one["Name"].lower().endswith(".iso")]
    return [_record(host, one) for one in wanted]


def new_disk(host: Host, path: str, size: int, fixed: Any, block_size: Any) -> None:
    """Make an empty disk: the twin of `New-Disk`."""
    if host.one("Test-Path", LiteralPath=[path]):
        raise RefusalError("AlreadyExists", f"there is a volume '{path}' already")
    how: dict[str, Any] = {"Path": [path], "SizeBytes": size, ("Fixed" if fixed else "Dynamic"): True}
    if block_size:
        how["BlockSizeBytes"] = block_size
    mine, done = True, False
    try:
        host.run("New-VHD", **how)
        done = True
    except CmdletError as error:
        mine = "0x80070050" not in error.message
        raise
    finally:
        if mine and not done:
            remove_if_there(host, path)


@operation("volumes.create")
def _create(host: Host, arguments: dict[str, Any]) -> Any:
    path = join(pool_folder(host, arguments["pool"]), arguments["name"])
    new_disk(host, path, arguments["size"], arguments["fixed"], arguments["block_size"])
    return _record(host, host.one("Get-Item", LiteralPath=[path], Force=True))


@operation("volumes.delete")
def _delete(host: Host, arguments: dict[str, Any]) -> Any:
    path = find_file(host, arguments["pool"], [arguments["name"]])
    confirm_all_seen(host, path, "removed")
    confirm_unused(host, [path], "", "removed")
    host.run("Remove-Item", LiteralPath=[path], Force=True)
