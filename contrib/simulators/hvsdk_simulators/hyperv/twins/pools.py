"""Storage pools: the twin of a client's `pools.ps1`."""

from __future__ import annotations

import re
from typing import Any

from hvsdk_simulators.hyperv.cmdlets.errors import CmdletError

from .files import default_folder, is_folder, is_own_path, parent_folder
from .registry import Host, operation

_CLUSTER = re.compile(r"[a-z]:\\clusterstorage\\")
_LETTER = re.compile(r"[a-z]:\\")


def _volume_of(host: Host, folder: str, known: dict[str, Any]) -> Any:
    key = folder.lower()
    if _LETTER.match(key) and not _CLUSTER.match(key):
        key = key[:2]
    if key not in known:
        try:
            known[key] = host.run("Get-Volume", FilePath=[folder])[0]
        except CmdletError:
            known[key] = None
    return known[key]


def _folders(host: Host, default: str) -> dict[str, str]:
    folders = {default.lower(): default}
    machines = host.run("Get-VM")
    drives: list[Any] = []
    if machines:
        drives = [*host.run("Get-VMHardDiskDrive", VM=machines), *host.run("Get-VMDvdDrive", VM=machines)]
    for drive in drives:
        if drive["Path"] and is_own_path(drive["Path"]):
            folder = parent_folder(drive["Path"])
            folders.setdefault(folder.lower(), folder)
    return folders


def _pool(host: Host, folder: str, default: str, known: dict[str, Any]) -> dict[str, Any]:
    volume = _volume_of(host, folder, known)
    pool = {"path": folder, "default": folder.lower() == default.lower(), "there": is_folder(host, folder)}
    pool |= {"capacity": None, "free": None, "system": None}
    if volume is not None:
        pool |= {"capacity": volume["Size"], "free": volume["SizeRemaining"], "system": volume["FileSystem"] or None}
    return pool


@operation("pools.list")
def _list(host: Host, arguments: dict[str, Any]) -> Any:
    default, known = default_folder(host), dict[str, Any]()
    return [_pool(host, folder, default, known) for folder in _folders(host, default).values()]


@operation("pools.find")
def _find(host: Host, arguments: dict[str, Any]) -> Any:
    default, path = default_folder(host), arguments["path"]
    listed = _folders(host, default).get(path.lower())
    if listed is None and not is_folder(host, path):
        return None
    return _pool(host, listed or path, default, {})
