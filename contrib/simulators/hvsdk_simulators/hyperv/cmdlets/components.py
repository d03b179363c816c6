"""What the parts of virtual machines have in common: whose they are, and how cmdlets are given their machines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from hvsdk_simulators.hyperv.vms import Checkpoint, Hardware, Vm
from hvsdk_simulators.hyperv.world import World

from .errors import not_found
from .registry import Bound

__all__ = ["hardware_of", "owned", "vms_of"]

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


def vms_of(world: World, p: Bound) -> Iterator[Vm]:
    """Yield the virtual machines that a cmdlet is given, as objects or by name."""
    for record in p.many("VM"):
        if record.owner.id not in world.vms:
            raise not_found(f'a virtual machine with id "{record.owner.id}"')
        yield record.owner
    for name in p.many("VMName"):
        found = [vm for vm in world.vms.values() if vm.name.lower() == str(name).lower()]
        if not found:
            raise not_found(f'a virtual machine with name "{name}"')
        yield from found


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
