"""Moves: the twin of a client's `migrate.ps1`."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from hvsdk_simulators.hyperv.cmdlets.errors import CmdletError

from .common import confirm_state, the_vm
from .files import name_of
from .registry import Host, RefusalError, operation

__all__ = ["find_moved", "role_mates"]

_DISK_OF_HOST = "one of its disks is a disk of the host itself"


@operation("migrate.place")
def _place(host: Host, arguments: dict[str, Any]) -> Any:
    about = host.one("Get-VMHost")
    domain = str(about.properties.get("FullyQualifiedDomainName") or "")
    name = f"{about['Name']}.{domain}" if "." in domain else about["Name"]
    return {"node": about["Name"].lower(), "computer": name, "folder": about["VirtualMachinePath"]}


@operation("migrate.check")
def _check(host: Host, arguments: dict[str, Any]) -> Any:
    vm = the_vm(host, arguments["id"])
    _confirm(vm, bool(arguments["live"]))
    return _obstacle(host, vm, arguments)


@operation("migrate.move")
def _move(host: Host, arguments: dict[str, Any]) -> Any:
    vm = the_vm(host, arguments["id"])
    _confirm(vm, bool(arguments["live"]))
    obstacle = _obstacle(host, vm, arguments)
    if obstacle:
        raise RefusalError("Unsupported", f"'{vm['Name']}' cannot migrate: {obstacle}")
    if arguments.get("computer"):
        _move_vm(host, vm, arguments["computer"], arguments["folder"])
        return str(vm["Id"])
    if arguments["pool"]:
        _move_disks(host, vm, arguments["pool"])
    node = arguments["node"]
    if node and vm["ComputerName"].lower() != node.lower():
        _to_node(host, vm, node, arguments["folder"])
    return str(vm["Id"])


def find_moved(host: Host, id: UUID) -> Any | None:
    """Return the machine with this id on another node of the cluster: the twin of `Find-MovedVM`."""
    here = host.one("Get-VMHost")["Name"]
    for node in _members(host).values():
        if node["Name"].lower() == here.lower() or node["State"] != "Up":
            continue
        try:
            found = host.run("Get-VM", Id=id, ComputerName=[node["Name"]])
        except CmdletError:
            continue
        if len(found) == 1:
            return found[0]
    return None


def _members(host: Host) -> dict[str, Any]:
    try:
        return {str(one["Name"]).lower(): one for one in host.run("Get-ClusterNode")}
    except CmdletError:
        return {}


def role_mates(host: Host, vm: Any) -> list[Any]:
    """Return machines that share a machine's group in the cluster: the twin of `Get-RoleMates`."""

    def group(one: Any) -> str:
        return str(host.run("Get-ClusterGroup", VMId=one["Id"])[0]["Id"])

    wanted = group(vm)
    others = host.run("Get-VM", ComputerName=[vm["ComputerName"]])
    return [one for one in others if one["IsClustered"] and one["Id"] != vm["Id"] and group(one) == wanted]


def _confirm(vm: Any, live: bool) -> None:
    if live:
        confirm_state(vm, "migrated", "Off", "Running")
    else:
        confirm_state(vm, "migrated without live", "Off")


def _chain(host: Host, vm: Any) -> list[str]:
    return [drive["Path"] for drive in host.run("Get-VMHardDiskDrive", VM=[vm]) if drive["Path"]]


def _beside(folder: str, path: str) -> str:
    return folder.rstrip("\\") + path[path.rindex("\\") :]


# ---- what stands in the way ------------------------------------------------------------------------------


def _obstacle(host: Host, vm: Any, arguments: dict[str, Any]) -> str | None:
    if arguments.get("computer"):
        return _host_obstacle(host, vm, arguments["computer"], arguments["folder"])
    found = _storage_obstacle(host, vm, arguments["pool"]) if arguments["pool"] else None
    if found or not arguments["node"]:
        return found
    return _node_obstacle(host, vm, arguments["node"], arguments["folder"])


def _storage_obstacle(host: Host, vm: Any, folder: str) -> str | None:
    if not host.one("Test-Path", LiteralPath=[folder]):
        return f"there is no folder '{folder}'"
    for drive in host.run("Get-VMHardDiskDrive", VM=[vm]):
        if drive["DiskNumber"] is not None:
            return _DISK_OF_HOST
        if drive["SupportPersistentReservations"]:
            return "one of its disks is shared with others"
    taken: set[str] = set()
    for path in _chain(host, vm):
        name = path[path.rindex("\\") :].lower()
        if name in taken:
            return f"two of its disks are called '{name_of(path)}', and one folder cannot hold both"
        taken.add(name)
    if host.run("Get-VMSnapshot", VM=[vm]):
        return "it has snapshots, whose files would stay: delete them first"
    for path in _chain(host, vm):
        if host.one("Get-VHD", Path=[path])["ParentPath"]:
            return "one of its disks lies on another file, which would stay"
        target = _beside(folder, path)
        if target.lower() != path.lower() and host.one("Test-Path", LiteralPath=[target]):
            return f"there is a file '{target}'"
    return None


def _host_obstacle(host: Host, vm: Any, computer: str, folder: str) -> str | None:
    if vm["IsClustered"]:
        return "it is a role of a cluster: it moves within that, or when the role is removed"
    if any(drive["DiskNumber"] is not None for drive in host.run("Get-VMHardDiskDrive", VM=[vm])):
        return _DISK_OF_HOST
    if not host.one("Get-VMHost")["VirtualMachineMigrationEnabled"]:
        return "migration is not switched on here: Enable-VMMigration"
    try:
        report = host.one(
            "Compare-VM", VM=vm, DestinationHost=computer, IncludeStorage=True, DestinationStoragePath=folder
        )
    except CmdletError as error:
        if error.category == "PermissionDenied":
            text = f"{computer} does not let this host act for you ({error.message})"
            return f"{text}: log in with CredSSP, or allow delegation"
        return error.message
    problems = dict.fromkeys(one["Message"] for one in report["Incompatibilities"] or ())
    return "; ".join(problems) or None


def _node_obstacle(host: Host, vm: Any, node: str, folder: str) -> str | None:
    members = _members(host)
    if not members:
        return "this host is in no cluster"
    if node.lower() not in members:
        return f"there is no node '{node}'"
    state = members[node.lower()]["State"]
    if state != "Up":
        return f"node '{node}' is {state}"
    if vm["ComputerName"].lower() == node.lower():
        return None
    if vm["IsClustered"]:
        others = role_mates(host, vm)
        return f"its role in the cluster holds '{others[0]['Name']}' too, which would move with it" if others else None
    return _host_obstacle(host, vm, node, folder)


# ---- the moves -------------------------------------------------------------------------------------------


def _move_vm(host: Host, vm: Any, computer: str, folder: str) -> None:
    host.run("Move-VM", VM=vm, DestinationHost=computer, IncludeStorage=True, DestinationStoragePath=folder)


def _move_disks(host: Host, vm: Any, folder: str) -> None:
    files = [
        {"SourceFilePath": path, "DestinationFilePath": _beside(folder, path)}
        for path in _chain(host, vm)
        if _beside(folder, path).lower() != path.lower()
    ]
    if files:
        host.run("Move-VMStorage", VM=vm, Vhds=files)


def _to_node(host: Host, vm: Any, node: str, folder: str) -> None:
    if not vm["IsClustered"]:
        _move_vm(host, vm, node, folder)
    elif vm["State"] == "Running":
        host.run("Move-ClusterVirtualMachineRole", VMId=vm["Id"], Node=node, MigrationType="Live")
    else:
        (group,) = host.run("Get-ClusterGroup", VMId=vm["Id"])
        host.run("Move-ClusterGroup", InputObject=group, Node=node)
