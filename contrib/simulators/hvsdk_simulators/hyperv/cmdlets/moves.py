"""Moves of virtual machines and of their files: `Move-VM`, `Move-VMStorage` and `Compare-VM`.

A machine moves to another node of the simulated world; all of them see the same files. What stands in the way of moves to a
node is in `world.facts["moves"]`, by its name in upper case: `{"HV-2": {"denied": True, "problems": ["…"]}}`.
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
    problems = [_problem(text) for text in _facts(world, node).get("problems", ())]
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
        if p.flag("IncludeStorage") and p.get("DestinationStoragePath"):
            _move_all(world, vm, p["DestinationStoragePath"])
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
    node = next((one for one in world.nodes if one.lower() == wanted), None)
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


def _problem(text: str) -> Record:
    return Record("VMCompatibilityError", text, {"Message": text, "MessageId": 33012, "Source": None})


def _move_all(world: World, vm: Vm, folder: str) -> None:
    """Move the files of all its disks, with those that they lie on, and say that its own are there too."""
    there = normal(folder)
    files: dict[str, str] = {}
    for path in _paths(vm):
        one: str | None = path
        while one is not None:
            files[one] = f"{there}\\Virtual Hard Disks\\{ntpath.basename(one)}"
            one = parent_of(world, one)
    FileSystem(world).make_folder(there)
    FileSystem(world).make_folder(f"{there}\\Virtual Hard Disks")
    _move_files(world, vm, files)
    vm.path = there


def _move_files(world: World, vm: Vm, files: Mapping[str, str]) -> None:
    targets = {source: FileSystem(world).new_file(target) for source, target in files.items()}
    for source, target in targets.items():
        file_at(world, source).rename(target)
    for source, target in targets.items():
        _point_at(world, vm, source, target.name)
        for moved in targets.values():
            if same_path(parent_of(world, moved.name), source):
                disks.set_parent(moved, target, target.name)


def _point_at(world: World, vm: Vm, old: str, new: str) -> None:
    for hardware in (vm.hardware, *(one.hardware for one in vm.checkpoints)):
        for drive in hardware.drives:
            if same_path(drive.path, old):
                drive.path = new
    for checkpoint in vm.checkpoints:
        checkpoint.disks = {key: new if same_path(path, old) else path for key, path in checkpoint.disks.items()}


def _paths(vm: Vm) -> list[str]:
    kept = [vm.hardware, *(one.hardware for one in vm.checkpoints)]
    return [str(drive.path) for one in kept for drive in one.drives if drive.kind == "disk" and drive.path]
