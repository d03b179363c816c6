"""What the parts of virtual machines have in common: whose they are, and how cmdlets are given their machines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from hvsdk_simulators.hyperv.vms import Checkpoint, Hardware, Vm
from hvsdk_simulators.hyperv.world import World

from .errors import not_found
from .names import matches
from .registry import Bound

__all__ = ["hardware_of", "owned", "vms_here", "vms_of"]

_NO_CHECKPOINT = UUID(int=0)


def owned(world: World, vm: Vm, checkpoint: Checkpoint | None = None) -> dict[str, Any]:
    """Return the properties by which a part of a virtual machine, or of a checkpoint, tells whose it is."""
    return {
        "VMId": vm.id,
        "VMName": vm.name,
        "VMSnapshotId": checkpoint.id if checkpoint else _NO_CHECKPOINT,
        "VMSnapshotName": checkpoint.name if checkpoint else "",
        "ComputerName": vm.node or world.node,
        "IsDeleted": False,
    }


def vms_here(world: World, p: Bound) -> list[Vm]:
    """Return the virtual machines of the computers that are asked, which is this one without any."""
    asked = [str(one).upper() for one in p.many("ComputerName")] or [world.node.upper()]
    asked = [world.node.upper() if one in (".", "LOCALHOST") else one for one in asked]
    return [vm for vm in world.vms.values() if (vm.node or world.node).upper() in asked]


def vms_of(world: World, p: Bound, name: str = "VMName") -> list[Vm]:
    """Return the virtual machines that a cmdlet is given, as objects or by names with wildcards.

    Raises:
        CmdletError: One is not there.
    """
    found: list[Vm] = []
    for record in p.many("VM"):
        if record.owner.id not in world.vms:
            raise not_found(f'a virtual machine with id "{record.owner.id}"')
        found.append(record.owner)
    for pattern in p.many(name):
        named = [vm for vm in vms_here(world, p) if matches(vm.name, str(pattern))]
        if not named:
            raise not_found(f'a virtual machine with name "{pattern}"')
        found += named
    return found


def hardware_of(world: World, p: Bound) -> Iterator[tuple[Vm, Hardware, Checkpoint | None]]:
    """Yield the hardware that a cmdlet is to look at, of virtual machines or of a checkpoint."""
    for record in p.many("VMSnapshot"):
        vm = next((one for one in world.vms.values() if record.owner in one.checkpoints), None)
        if vm is None:
            raise not_found("a snapshot matching the given criteria")
        yield vm, record.owner.hardware, record.owner
    for record in p.many("VMDriveController"):
        vm = world.vms[record["VMId"]]
        yield vm, vm.hardware, None
    for vm in vms_of(world, p):
        yield vm, vm.hardware, None
