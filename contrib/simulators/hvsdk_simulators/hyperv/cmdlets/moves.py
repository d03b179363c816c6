"""Moves of virtual machines and of their files: `Move-VM`, `Move-VMStorage` and `Compare-VM`.

A machine moves to another node of the simulated world, where all see the same files, or to another simulated host (see
`peers.py`). What stands in the way of moves there is in `world.facts["moves"]`, by the other's name in upper case:
`{"HV-2": {"denied": True, "problems": ["…"]}}`.
"""

from __future__ import annotations

import ntpath
from collections.abc import Iterator, Mapping
from typing import Any

from hvsdk_simulators.hyperv import disks
from hvsdk_simulators.hyperv.file_system import FileSystem, normal
from hvsdk_simulators.hyperv.vms import Vm
from hvsdk_simulators.hyperv.world import World

from .chains import file_at, parent_of, same_path
from .clusters import node_of
from .errors import CmdletError, wrong_state
from .peers import hand_over, peers_of, point_at, problems_there
from .records import Record
from .registry import Bound, cmdlet

__all__: list[str] = []

_MOVE_SECONDS = 3.0
_MOVABLE = ("Off", "Running", "Saved", "Paused")
_DENIED = 0x8009030E
"""No credentials for the second hop."""


@cmdlet("Compare-VM")
def compare_vm(world: World, p: Bound) -> Iterator[Record]:
    """Say what stands in the way of a move to another host."""
    vm = _vm(p)
    node = _destination(world, p)
    problems = [_problem(text) for text in _problems(world, vm, node)]
    properties = {
        "VM": p["VM"],
        "OperationType": "MoveVirtualMachineAndStorage" if p.flag("IncludeStorage") else "MoveVirtualMachine",
        "Destination": node,
        "Path": p.get("DestinationStoragePath") or "",
        "SnapshotPath": "",
        "VhdDestinationPath": "",
        "VhdSourcePath": "",
        "Incompatibilities": problems,
    }
    yield Record("VMCompatibilityReport", f"{vm.id}/{node}", properties, owner=vm)


@cmdlet("Move-VM")
def move_vm(world: World, p: Bound) -> Iterator[Record]:
    """Move a machine to another host, with its files where that is asked for."""
    vm = _vm(p)
    node = _destination(world, p)
    problems = _facts(world, node).get("problems", ())
    if problems:
        raise CmdletError(
            "OperationFailed", "NotSpecified", f"Virtual machine migration for '{vm.name}' failed. {problems[0]}"
        )
    if vm.state not in _MOVABLE:
        raise wrong_state(vm.name)
    with _Migrating(vm):
        world.sleep(_MOVE_SECONDS)
        folder = p.get("DestinationStoragePath") if p.flag("IncludeStorage") else None
        if node.lower() in peers_of(world):
            there = normal(folder or vm.path)
            hand_over(world, vm, peers_of(world)[node.lower()], there, _files(world, vm, there))
        else:
            if folder:
                _move_all(world, vm, folder)
            vm.node = node
    if p.flag("Passthru"):
        yield p["VM"]


@cmdlet("Move-VMStorage")
def move_vmstorage(world: World, p: Bound) -> None:
    """Move files of a machine: those that are named, or all into one folder."""
    vm = _vm(p)
    if vm.state not in _MOVABLE:
        raise wrong_state(vm.name)
    with _Migrating(vm):
        world.sleep(_MOVE_SECONDS)
        if p.get("DestinationStoragePath"):
            _move_all(world, vm, p["DestinationStoragePath"])
        else:
            _move_files(world, vm, {one["SourceFilePath"]: one["DestinationFilePath"] for one in p.many("Vhds")})
            vm.path = p.get("VirtualMachinePath") or vm.path


class _Migrating:
    """A machine whose status says that it is being moved."""

    def __init__(self, vm: Vm) -> None:
        self._vm, self._before = vm, vm.status

    def __enter__(self) -> None:
        self._vm.status = "MigratingVirtualMachine"

    def __exit__(self, *_: object) -> None:
        self._vm.status = self._before


def _vm(p: Bound) -> Vm:
    vm: Vm = p["VM"].owner
    return vm


def _destination(world: World, p: Bound) -> str:
    """Return the node that a move goes to, when this host may act there for its user."""
    wanted = str(p["DestinationHost"]).partition(".")[0].lower()
    node = next((one for one in [*world.nodes, *map(str.upper, peers_of(world))] if one.lower() == wanted), None)
    vm = _vm(p)
    if node is None or node == node_of(world, vm):
        text = f"Virtual machine migration operation for '{vm.name}' failed at migration source '{node_of(world, vm)}'."
        raise CmdletError("OperationFailed", "NotSpecified", f"{text} '{p['DestinationHost']}' could not be reached.")
    if _facts(world, node).get("denied"):
        text = "The Virtual Machine Management Service failed to establish a connection: no credentials (0x8009030E)."
        raise CmdletError("AccessDenied", "PermissionDenied", text, hresult=_DENIED)
    return node


def _facts(world: World, node: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = world.facts.get("moves", {}).get(node, {})
    return found


def _problems(world: World, vm: Vm, node: str) -> list[str]:
    told = list(_facts(world, node).get("problems", ()))
    peer = peers_of(world).get(node.lower())
    return told if peer is None else [*told, *problems_there(world, vm, peer)]


def _problem(text: str) -> Record:
    return Record("VMCompatibilityError", text, {"Message": text, "MessageId": 33012, "Source": None})


def _files(world: World, vm: Vm, folder: str) -> dict[str, str]:
    """Return where the files of all its disks, with those that they lie on, come to in a folder."""
    files: dict[str, str] = {}
    for path in _paths(vm):
        one: str | None = path
        while one is not None:
            files[one] = f"{folder}\\Virtual Hard Disks\\{ntpath.basename(one)}"
            one = parent_of(world, one)
    return files


def _move_all(world: World, vm: Vm, folder: str) -> None:
    """Move the files of all its disks, and say that its own are there too."""
    there = normal(folder)
    FileSystem(world).make_folder(f"{there}\\Virtual Hard Disks")
    _move_files(world, vm, _files(world, vm, there))
    vm.path = there


def _move_files(world: World, vm: Vm, files: Mapping[str, str]) -> None:
    targets = {source: FileSystem(world).new_file(target) for source, target in files.items()}
    for source, target in targets.items():
        file_at(world, source).rename(target)
    for source, target in targets.items():
        point_at(vm, source, target.name)
        for moved in targets.values():
            if same_path(parent_of(world, moved.name), source):
                disks.set_parent(moved, target, target.name)


def _paths(vm: Vm) -> list[str]:
    kept = [vm.hardware, *(one.hardware for one in vm.checkpoints)]
    return [str(drive.path) for one in kept for drive in one.drives if drive.kind == "disk" and drive.path]
