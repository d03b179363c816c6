"""Cmdlets of checkpoints: `Checkpoint-VM`, `Get-`, `Restore-`, `Remove-` and `Rename-VMSnapshot`.

A checkpoint is the hardware as it was, with the files that hold its disks' content; the VM goes on with differencing
files on these. What a checkpoint that is removed had to itself is merged in the background.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

from hvsdk_simulators.hyperv.vms import Checkpoint, Vm
from hvsdk_simulators.hyperv.world import World

from .chains import branch_off, drop_leaves, merge_all
from .errors import CmdletError, not_found, wrong_state
from .records import Record
from .registry import Bound, cmdlet

__all__ = ["checkpoint_record", "vm_of"]

_MAKE_SECONDS, _RESTORE_SECONDS, _MERGE_SECONDS = 0.5, 0.5, 2.0
_WITH_MEMORY = ("Running", "Paused", "Saved")
_VSS = "VSS"
_OLD = 2012


@cmdlet("Checkpoint-VM")
def checkpoint_vm(world: World, p: Bound) -> Iterator[Record]:
    """Make a checkpoint of the VM's own type."""
    for vm in _vms(world, p, "Name"):
        kind = "Standard" if world.options.version == _OLD else vm.hardware.checkpoint_type
        if kind == "Disabled":
            text = f"Checkpoint operation failed. Checkpoints have been disabled for '{vm.name}'. {_numbered(vm)}"
            raise CmdletError("OperationFailed", "InvalidOperation", text)
        if vm.state not in ("Off", *_WITH_MEMORY):
            raise wrong_state(vm.name)
        if vm.status in ("ApplyingSnapshot", "CreatingSnapshot"):
            raise wrong_state(vm.name)
        if any(drive.shared for drive in vm.hardware.drives):
            text = f"Checkpoint operation failed. '{vm.name}' has a shared virtual hard disk. {_numbered(vm)}"
            raise CmdletError("OperationFailed", "NotSpecified", text)
        production = _is_production(vm, kind)
        vm.status, before = "CreatingSnapshot", vm.status
        world.sleep(_MAKE_SECONDS)
        vm.status = before
        made = _make(world, vm, p.get("SnapshotName") or _default_name(vm), production=production)
        if p.flag("Passthru"):
            yield checkpoint_record(world, vm, made)


@cmdlet("Get-VMSnapshot")
def get_vmsnapshot(world: World, p: Bound) -> Iterator[Record]:
    """Return checkpoints of VMs, one by its id, or those around another."""
    if "Id" in p:
        wanted = UUID(str(p["Id"]))
        found = [(vm, one) for vm in world.vms.values() for one in vm.checkpoints if one.id == wanted]
        if not found:
            raise not_found("a snapshot matching the given criteria")
    elif "ParentOf" in p:
        owner = p["ParentOf"].owner
        vm = owner if isinstance(owner, Vm) else vm_of(world, owner)
        parent = owner.current if isinstance(owner, Vm) else owner.parent
        found = [(vm, one) for one in vm.checkpoints if one.id == parent]
    elif "ChildOf" in p:
        vm = vm_of(world, p["ChildOf"].owner)
        found = [(vm, one) for one in vm.checkpoints if one.parent == p["ChildOf"].owner.id]
    else:
        found = [(vm, one) for vm in _vms(world, p, "VMName") for one in vm.checkpoints]
    if p.get("SnapshotType"):
        found = [(vm, one) for vm, one in found if one.type == p["SnapshotType"]]
    if p.get("Name") and "Id" not in p:
        found = [(vm, one) for vm, one in found if one.name.lower() == str(p["Name"]).lower()]
        if not found:
            raise CmdletError(
                "ObjectNotFound", "ObjectNotFound", "Unable to find a snapshot matching the given criteria."
            )
    for vm, one in found:
        yield checkpoint_record(world, vm, one)


@cmdlet("Restore-VMSnapshot")
def restore_vmsnapshot(world: World, p: Bound) -> Iterator[Record]:
    """Go back to a checkpoint: a VM that runs is cut off; one with memory is saved afterwards."""
    for vm, checkpoint in _chosen(world, p):
        if vm.state not in ("Off", *_WITH_MEMORY):
            raise wrong_state(vm.name)
        vm.status = "ApplyingSnapshot"
        world.sleep(_RESTORE_SECONDS)
        vm.status = "Ok"
        given_up = vm.hardware
        vm.hardware = branch_off(world, checkpoint.hardware)
        vm.current = checkpoint.id
        vm.state, vm.started = ("Saved" if checkpoint.memory else "Off"), None
        vm.details["saved_from"] = checkpoint.state
        vm.guest.boots = vm.hardware.details.pop("_boots", vm.guest.boots)
        drop_leaves(world, given_up)
        if p.flag("Passthru"):
            yield checkpoint_record(world, vm, checkpoint)


@cmdlet("Remove-VMSnapshot")
def remove_vmsnapshot(world: World, p: Bound) -> Iterator[Record]:
    """Remove checkpoints; their disks are merged a while later."""
    for vm, checkpoint in list(_chosen(world, p)):
        if checkpoint not in vm.checkpoints:
            continue
        doomed = [checkpoint]
        if p.flag("IncludeAllChildSnapshots"):
            for one in doomed:
                doomed += [child for child in vm.checkpoints if child.parent == one.id]
        for one in doomed:
            _take_out(vm, one)
        files = [
            str(drive.path) for one in doomed for drive in one.hardware.drives if drive.kind == "disk" and drive.path
        ]
        _merge_later(world, vm, files)
        if p.flag("Passthru"):
            yield checkpoint_record(world, vm, checkpoint)


@cmdlet("Rename-VMSnapshot")
def rename_vmsnapshot(world: World, p: Bound) -> Iterator[Record]:
    """Give a checkpoint another name."""
    for vm, checkpoint in _chosen(world, p):
        checkpoint.name = p["NewName"]
        if p.flag("Passthru"):
            yield checkpoint_record(world, vm, checkpoint)


def vm_of(world: World, checkpoint: Checkpoint) -> Vm:
    """Return the VM that a checkpoint is of."""
    for vm in world.vms.values():
        if checkpoint in vm.checkpoints:
            return vm
    raise not_found("a snapshot matching the given criteria")


def checkpoint_record(world: World, vm: Vm, checkpoint: Checkpoint) -> Record:
    """Return what the cmdlets show of a checkpoint."""
    hardware = checkpoint.hardware
    names = {one.id: one.name for one in vm.checkpoints}
    properties: dict[str, Any] = {
        "SnapshotType": checkpoint.type,
        "IsAutomaticCheckpoint": False,
        "VMId": vm.id,
        "VMName": vm.name,
        "State": checkpoint.state,
        "HardDrives": lambda: _drives(world, checkpoint, "Get-VMHardDiskDrive"),
        "DVDDrives": lambda: _drives(world, checkpoint, "Get-VMDvdDrive"),
        "DynamicMemoryEnabled": hardware.dynamic_memory,
        "MemoryMaximum": hardware.memory_maximum,
        "MemoryMinimum": hardware.memory_minimum,
        "MemoryStartup": hardware.memory_startup,
        "ProcessorCount": hardware.processors,
        "Generation": vm.generation,
        "IsClustered": vm.clustered,
        "Notes": hardware.notes,
        "ParentSnapshotId": checkpoint.parent,
        "ParentSnapshotName": names.get(checkpoint.parent) if checkpoint.parent else None,
        "Path": vm.path,
        "Version": vm.version,
        "CreationTime": checkpoint.created,
        "Id": checkpoint.id,
        "Name": checkpoint.name,
        "ComputerName": vm.node or world.node,
        "IsDeleted": checkpoint not in vm.checkpoints,
    }
    return Record("VMSnapshot", str(checkpoint.id), properties, owner=checkpoint)


def _drives(world: World, checkpoint: Checkpoint, name: str) -> list[Any]:
    from .registry import run

    return run(world, name, {"VMSnapshot": checkpoint_record(world, vm_of(world, checkpoint), checkpoint)})


def _is_production(vm: Vm, kind: str) -> bool:
    """Whether a checkpoint comes without memory from a guest that came to rest for it."""
    if vm.state not in ("Running", "Paused") or kind == "Standard":
        return False
    service = vm.hardware.integration_services.get(_VSS, True)
    rests = vm.state == "Running" and vm.guest.tools and vm.guest.quiesces and service
    if not rests and kind == "ProductionOnly":
        text = f"Checkpoint operation failed. Production checkpoints cannot be created for '{vm.name}'. {_numbered(vm)}"
        raise CmdletError("OperationFailed", "NotSpecified", text, hresult=0x80070032)
    return rests


def _make(world: World, vm: Vm, name: str, *, production: bool) -> Checkpoint:
    memory = vm.state in _WITH_MEMORY and not production
    kept = copy.deepcopy(vm.hardware)
    kept.details["_boots"] = vm.guest.boots
    made = Checkpoint(
        id=world.new_id(),
        name=name,
        parent=vm.current,
        memory=memory,
        production=production,
        hardware=kept,
        state=vm.state if memory else "Off",
        disks={drive.id: drive.path for drive in kept.drives if drive.kind == "disk" and drive.path},
    )
    vm.hardware = branch_off(world, kept)
    del vm.hardware.details["_boots"]
    vm.checkpoints.append(made)
    vm.current = made.id
    return made


def _take_out(vm: Vm, checkpoint: Checkpoint) -> None:
    vm.checkpoints.remove(checkpoint)
    for one in vm.checkpoints:
        if one.parent == checkpoint.id:
            one.parent = checkpoint.parent
    if vm.current == checkpoint.id:
        vm.current = checkpoint.parent


def _merge_later(world: World, vm: Vm, files: list[str]) -> None:
    vm.status = "MergingDisks"
    merging: list[Vm] = world.facts.setdefault("merging", [])
    merging.append(vm)

    def merge() -> None:
        merge_all(world, files)
        merging.remove(vm)
        if vm not in merging and vm.status == "MergingDisks":
            vm.status = "Ok"

    world.later(_MERGE_SECONDS * world.options.duration_scale, merge)


def _numbered(vm: Vm) -> str:
    return f"(Virtual machine ID {str(vm.id).upper()})"


def _default_name(vm: Vm) -> str:
    now = datetime.now()
    clock = f"{now.hour % 12 or 12}:{now:%M:%S} {'AM' if now.hour < 12 else 'PM'}"
    return f"{vm.name} - ({now.month}/{now.day}/{now.year} - {clock})"


def _vms(world: World, p: Bound, by_name: str) -> Iterator[Vm]:
    if "VM" in p:
        for record in p.many("VM"):
            if record.owner.id not in world.vms:
                raise not_found(f'a virtual machine with id "{record.owner.id}"')
            yield record.owner
        return
    for name in p.many(by_name):
        found = [vm for vm in world.vms.values() if vm.name.lower() == str(name).lower()]
        if not found:
            raise not_found(f'a virtual machine with name "{name}"')
        yield from found


def _chosen(world: World, p: Bound) -> Iterable[tuple[Vm, Checkpoint]]:
    if "VMSnapshot" in p:
        return [(vm_of(world, record.owner), record.owner) for record in p.many("VMSnapshot")]
    names = [str(name).lower() for name in p.many("Name")]
    found = [
        (vm, one) for vm in _vms(world, p, "VMName") for one in vm.checkpoints if not names or one.name.lower() in names
    ]
    if not found:
        raise CmdletError("ObjectNotFound", "ObjectNotFound", "Unable to find a snapshot matching the given criteria.")
    return found
