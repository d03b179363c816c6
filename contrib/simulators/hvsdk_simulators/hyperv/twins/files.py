"""Files on the host: the twin of a client's `files.ps1`."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any

from hvsdk_simulators.hyperv.cmdlets.errors import CmdletError

from .domains import all_vms
from .registry import Host, RefusalError

__all__ = [
    "confirm_all_seen",
    "confirm_no_ground",
    "confirm_reach",
    "confirm_unused",
    "default_folder",
    "find_file",
    "is_disk_name",
    "is_file",
    "is_folder",
    "is_own_path",
    "join",
    "name_of",
    "own_disks",
    "parent_folder",
    "parent_path",
    "pool_folder",
    "remove_if_there",
    "used_files",
]

_OWN = re.compile(r"[A-Za-z]:\\|\\\\")
_SHARED = re.compile(r"\\\\|[A-Za-z]:\\ClusterStorage\\", re.IGNORECASE)
_DISK = re.compile(r"\.(a?vhdx?|vhds)$", re.IGNORECASE)


def parent_folder(path: Any) -> str:
    """Return the folder that a file lies in: the twin of `Split-Folder`."""
    folder, found, _ = str(path).rpartition("\\")
    if not found:
        return ""
    return f"{folder}\\" if re.fullmatch("[A-Za-z]:", folder) else folder


def name_of(path: Any) -> str:
    """Return the last part of a path."""
    return str(path).rpartition("\\")[2]


def join(folder: Any, name: Any) -> str:
    """Return the path of a file in a folder."""
    return f"{str(folder).rstrip(chr(92))}\\{name}"


def is_file(host: Host, path: str) -> bool:
    """Whether there is such a file."""
    return bool(host.one("Test-Path", LiteralPath=[path], PathType="Leaf"))


def is_folder(host: Host, path: str) -> bool:
    """Whether there is such a folder."""
    return bool(host.one("Test-Path", LiteralPath=[path], PathType="Container"))


def is_own_path(path: Any) -> bool:
    """Whether a drive's path is one of a file."""
    return _OWN.match(str(path)) is not None


def is_disk_name(path: Any) -> bool:
    """Whether a file is one of a virtual hard disk, by its name."""
    return _DISK.search(str(path)) is not None


def default_folder(host: Host) -> str:
    """Return where this host makes disks."""
    return str(host.one("Get-VMHost")["VirtualHardDiskPath"]).rstrip("\\")


def pool_folder(host: Host, path: Any) -> str:
    """Return a storage pool, which is a folder.

    Raises:
        RefusalError: There is none.
    """
    folder = str(path or "") or default_folder(host)
    if not is_folder(host, folder):
        hint = "storage pools are folders: host.storage_pools() lists those in use"
        raise RefusalError("StoragePoolNotFound", f"there is no folder '{folder}' on this host", hint=hint)
    return folder


def find_file(host: Host, pool: Any, names: Sequence[str]) -> str:
    """Return the file that is meant by these names.

    Raises:
        RefusalError: None of them is there.
    """
    folder = pool_folder(host, pool)
    for name in names:
        path = join(folder, name)
        if is_file(host, path):
            return str(host.one("Get-Item", LiteralPath=[path], Force=True)["FullName"])
    raise RefusalError("VolumeNotFound", f"there is no volume '{names[0]}' in '{folder}'")


Used = tuple[str, str, str, bool]
"""Path, id and name of the machine, and whether the path means the same file to this node."""


def used_files(host: Host) -> list[Used]:
    """Return all files in drives of machines and checkpoints: the twin of `Get-UsedFiles`."""
    machines = all_vms(host)
    if not machines:
        return []
    node = str(host.one("Get-VMHost")["Name"]).lower()
    drives = [*host.run("Get-VMHardDiskDrive", VM=machines), *host.run("Get-VMDvdDrive", VM=machines)]
    for checkpoint in host.run("Get-VMSnapshot", VM=machines):
        drives += host.run("Get-VMHardDiskDrive", VMSnapshot=checkpoint)
        drives += host.run("Get-VMDvdDrive", VMSnapshot=checkpoint)
    with_files = [one for one in drives if one["Path"] and is_own_path(one["Path"])]
    return [
        (
            one["Path"],
            str(one["VMId"]),
            one["VMName"],
            str(one["ComputerName"]).lower() == node or _SHARED.match(one["Path"]) is not None,
        )
        for one in with_files
    ]


def _disks_in(host: Host, folder: str) -> list[str]:
    if not is_folder(host, folder):
        return []
    files = host.run("Get-ChildItem", LiteralPath=[folder], File=True, Force=True)
    return [one["FullName"] for one in files if is_disk_name(one["Name"])]


def confirm_unused(host: Host, paths: Sequence[str], but: str, what: str) -> None:
    """Fail unless nobody needs these files: the twin of `Confirm-Unused`."""
    going = {path.lower() for path in paths}
    used = used_files(host)
    for path, vm, name, _ in used:
        if vm != but and path.lower() in going:
            hint = "detach it there first, or delete that domain or its snapshots"
            text = f"the volume '{path}' cannot be {what}: '{name}' ({vm}) has it"
            raise RefusalError("Busy", text, lasting=True, hint=hint)
    confirm_no_ground(host, paths, what, used)


def confirm_all_seen(host: Host, path: str, what: str) -> None:
    """Fail where nodes whose machines cannot be seen reach a file: the twin of `Confirm-AllSeen`."""
    if not _SHARED.match(path):
        return
    here = host.one("Get-VMHost")["Name"].lower()
    try:
        nodes = sorted(host.run("Get-ClusterNode"), key=lambda one: str(one["Name"]).lower())
    except CmdletError:
        return
    for node in nodes:
        if str(node["Name"]).lower() == here:
            continue
        seen = node["State"] == "Up"
        if seen:
            try:
                host.run("Get-VM", ComputerName=[node["Name"]])
            except CmdletError:
                seen = False
        if not seen:
            text = (
                f"it is not known whether a domain of the node {node['Name']} has '{path}', so that it cannot be {what}"
            )
            hint = "see that the node is up, and log in by Kerberos with delegation or by CredSSP, which reach it"
            raise RefusalError("Busy", text, lasting=True, hint=hint)


def confirm_no_ground(host: Host, paths: Sequence[str], what: str, used: Sequence[Used]) -> None:
    """Fail unless no disk lies on one of these files: the twin of `Confirm-NoGround`."""
    going = [path for path in paths if is_disk_name(path)]
    if not going:
        return
    waiting = deque(path for path, _, _, here in used if here and is_disk_name(path))
    known = [*going, join(default_folder(host), "x"), *waiting]
    folders = {parent_folder(path).lower(): parent_folder(path) for path in known}
    for folder in folders.values():
        waiting.extend(_disks_in(host, folder))
    _follow(host, waiting, {path.lower() for path in going}, what)


def _follow(host: Host, waiting: deque[str], going: set[str], what: str) -> None:
    seen = set(going)
    while waiting:
        path = waiting.popleft()
        if path.lower() in seen:
            continue
        seen.add(path.lower())
        parent = parent_path(host, path, what)
        if not parent:
            continue
        if parent.lower() in going:
            hint = "delete what lies on it first: a linked clone, or what a detached disk left"
            text = f"the volume '{parent}' cannot be {what}: '{path}' lies on it"
            raise RefusalError("Busy", text, lasting=True, hint=hint)
        waiting.append(parent)


def parent_path(host: Host, path: str, what: str) -> str | None:
    """Return what a disk lies on: the twin of `Get-ParentPath`."""
    try:
        return host.one("Get-VHD", Path=[path])["ParentPath"] or None
    except CmdletError as error:
        if not is_file(host, path) and is_folder(host, parent_folder(path)):
            return None
        text = f"it is not known what '{path}' lies on, so that nothing can be {what}: {error.message}"
        raise RefusalError("Busy", text, lasting=True, hint="remove or repair this file first") from error


def confirm_reach(host: Host, vm: Any, paths: Iterable[str | None]) -> None:
    """Fail where a machine on another node has files that only that node reaches: the twin of `Confirm-Reach`."""
    if str(vm["ComputerName"]).lower() == str(host.one("Get-VMHost")["Name"]).lower():
        return
    for path in paths:
        if path and not _SHARED.match(path):
            text = f"'{vm['Name']}' is on the node {vm['ComputerName']}, and its file '{path}' is within reach of that node"
            hint = "connect to that node, or move the machine to this one"
            raise RefusalError("Unsupported", f"{text} alone", hint=hint)


def own_disks(host: Host, vm: Any) -> list[str]:
    """Return the files that hold a machine's disks: the twin of `Get-OwnDisks`."""
    drives = list(host.run("Get-VMHardDiskDrive", VM=[vm]))
    for checkpoint in host.run("Get-VMSnapshot", VM=[vm]):
        drives += host.run("Get-VMHardDiskDrive", VMSnapshot=checkpoint)
    return _once(drive["Path"] for drive in drives if drive["Path"] and is_own_path(drive["Path"]))


def _once(paths: Iterable[str]) -> list[str]:
    found: dict[str, str] = {}
    for path in paths:
        found.setdefault(path.lower(), path)
    return list(found.values())


def remove_if_there(host: Host, path: str) -> None:
    """Remove a file that this operation made."""

    def remove() -> None:
        if is_file(host, path):
            host.run("Remove-Item", LiteralPath=[path], Force=True)

    host.undo(f"the file '{path}'", remove)
