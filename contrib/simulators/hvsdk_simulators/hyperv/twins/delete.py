"""Removing machines: the twin of a client's `delete.ps1`."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

from hvsdk_simulators.hyperv.cmdlets.errors import CmdletError

from .common import confirm_state, the_vm
from .files import (
    confirm_reach,
    confirm_unused,
    default_folder,
    is_file,
    is_folder,
    is_own_path,
    join,
    name_of,
    own_disks,
    remove_if_there,
    used_files,
)
from .migrate import role_mates
from .registry import Host, RefusalError, operation
from .snapshots import wait_merge

_INNER = ("Virtual Machines", "Snapshots", "Virtual Hard Disks", "Planned Virtual Machines")


def _disk_paths(host: Host, vm: Any) -> list[str]:
    paths = [drive["Path"] for drive in host.run("Get-VMHardDiskDrive", VM=[vm])]
    return [path for path in paths if path and is_own_path(path)]


def _whole_disks(host: Host, vm: Any, own: Sequence[str]) -> list[str]:
    mine = {path.lower(): path for path in own}
    found = []
    for path in _disk_paths(host, vm):
        while len(mine) > 1 and is_file(host, path):
            parent = host.one("Get-VHD", Path=[path])["ParentPath"]
            if not parent or parent.lower() not in mine:
                break
            path = mine[parent.lower()]
        found.append(path)
    return found


def _confirm_whole(host: Host, vm: Any, whole: Sequence[str]) -> None:
    wanted = {path.lower() for path in whole}
    for path in _disk_paths(host, vm):
        if path.lower() not in wanted:
            text = f"'{vm['Name']}' was not removed: its disk '{path}' is still in parts, or was attached meanwhile"
            raise RefusalError(
                "Busy", text, lasting=True, hint="something holds one of its files, a backup perhaps; try again"
            )


def _own_folders(host: Host, vm: Any) -> list[str]:
    folder = str(vm["Path"] or "").rstrip("\\")
    about = host.one("Get-VMHost")
    taken = (about["VirtualMachinePath"], about["VirtualHardDiskPath"])
    if folder.lower() in [str(one).rstrip("\\").lower() for one in taken]:
        return []
    name = name_of(folder).lower()
    if not name or name not in (vm["Name"].lower(), str(vm["Id"])):
        return []
    return [*(join(folder, inner) for inner in _INNER), folder]


def _remove_empty(host: Host, folders: Sequence[str]) -> None:
    for folder in folders:
        with contextlib.suppress(CmdletError):
            if is_folder(host, folder) and not host.run("Get-ChildItem", LiteralPath=[folder], Force=True):
                host.run("Remove-Item", LiteralPath=[folder], Force=True)


def _remove_volumes(host: Host, paths: Sequence[str], name: str) -> None:
    left = []
    for path in paths:
        try:
            if is_file(host, path):
                host.run("Remove-Item", LiteralPath=[path], Force=True)
        except CmdletError as error:
            left.append(f"'{path}': {error.message}")
    if left:
        text = f"'{name}' is gone, but not all of its volumes are: {'; '.join(left)}"
        raise RefusalError("OperationFailed", text, hint="remove them with Volume.delete()")


def _seed_images(host: Host, vm: Any) -> list[str]:
    name = f"hvsdk-seed-{vm['Id']}.iso"
    paths = [join(default_folder(host), name), *(one["Path"] for one in host.run("Get-VMDvdDrive", VM=[vm]))]
    found = {path.lower(): path for path in paths if path and name_of(path).lower() == name and is_file(host, path)}
    return list(found.values())


def _remove_seed_images(host: Host, paths: Sequence[str]) -> None:
    if not paths:
        return
    used = {path.lower() for path, _, _, _ in used_files(host)}
    for path in paths:
        if path.lower() not in used:
            remove_if_there(host, path)


def _confirm_still(host: Host, paths: Sequence[str], name: str) -> None:
    try:
        confirm_unused(host, paths, "", "removed")
    except RefusalError as error:
        text = f"'{name}' is gone, but its volumes were kept: {error}"
        raise RefusalError("OperationFailed", text, hint="remove them with Volume.delete()") from error


def _role_of(host: Host, vm: Any) -> Any | None:
    if not vm["IsClustered"]:
        return None
    group = host.run("Get-ClusterGroup", VMId=vm["Id"])[0]
    others = role_mates(host, vm)
    if others:
        text = f"'{vm['Name']}' cannot be removed: its role in the cluster holds '{others[0]['Name']}' too"
        hint = "give it a role of its own, or take it out of the cluster, with the Failover Cluster Manager"
        raise RefusalError("Unsupported", text, hint=hint)
    return group


def _remove(host: Host, vm: Any, role: Any | None) -> None:
    done = False
    try:
        if role is not None:
            host.run("Remove-ClusterGroup", InputObject=role, RemoveResources=True, Force=True)
        host.run("Remove-VM", VM=[vm], Force=True, Confirm=False)
        done = True
    finally:
        if not done and role is not None:
            with contextlib.suppress(CmdletError):
                host.run("Add-ClusterVirtualMachineRole", VMId=vm["Id"])


@operation("delete.run")
def _run(host: Host, arguments: dict[str, Any]) -> Any:
    vm = the_vm(host, arguments["id"])
    confirm_state(vm, "removed", "Off")
    id, takes = str(vm["Id"]), arguments["disks"] == "delete"
    checkpoints = host.run("Get-VMSnapshot", VM=[vm])
    own = own_disks(host, vm)
    if takes or checkpoints:
        confirm_reach(host, vm, own)
    role = _role_of(host, vm)
    whole = _whole_disks(host, vm, own)
    if own and (takes or checkpoints):
        confirm_unused(host, own, id, "removed" if takes else "merged")
    folders, seeds = _own_folders(host, vm), _seed_images(host, vm)
    if checkpoints:
        for one in checkpoints:
            if not one["ParentSnapshotId"]:
                host.run("Remove-VMSnapshot", VMSnapshot=[one], IncludeAllChildSnapshots=True, Confirm=False)
        host.share(0.1)
    if checkpoints or "MergingDisks" in (vm["OperationalStatus"] or ()):
        wait_merge(host, id)
    host.share(0.8)
    vm = the_vm(host, id)
    confirm_state(vm, "removed", "Off")
    _confirm_whole(host, vm, whole)
    _remove(host, vm, role)
    _remove_seed_images(host, seeds)
    if takes and whole:
        _confirm_still(host, whole, vm["Name"])
    if takes:
        _remove_volumes(host, whole, vm["Name"])
    _remove_empty(host, folders)
