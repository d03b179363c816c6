"""Controllers of drives: `Get-VMScsiController`, `Get-VMIdeController`, `Add-VMScsiController`, `Remove-VMScsiController`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hvsdk_simulators.hyperv.vms import Checkpoint, Vm
from hvsdk_simulators.hyperv.world import World

from .components import hardware_of, owned, vms_of
from .drives import controller_id, drive_record
from .errors import CmdletError, wrong_state
from .places import AT_REST, controllers
from .records import Record
from .registry import Bound, cmdlet

__all__: list[str] = []


def _controller_record(world: World, vm: Vm, kind: str, number: int, checkpoint: Checkpoint | None) -> Record:
    hardware = checkpoint.hardware if checkpoint else vm.hardware

    def drives() -> list[Record]:
        return [
            drive_record(world, vm, one, checkpoint)
            for one in hardware.drives
            if (one.controller_type, one.controller_number) == (kind, number)
        ]

    identity = controller_id(vm, kind, number)
    properties: dict[str, Any] = {
        "ControllerNumber": number,
        **({"IsTemplate": False} if kind == "SCSI" else {}),
        "Drives": drives,
        "Name": f"{kind} Controller" if kind == "SCSI" else f"IDE Controller {number}",
        "Id": f"Microsoft:{str(vm.id).upper()}\\{str(identity).upper()}",
        **owned(world, vm, checkpoint),
    }
    type_ = "VMScsiController" if kind == "SCSI" else "VMIdeController"
    return Record(type_, f"{vm.id}/{checkpoint.id if checkpoint else ''}/{kind}{number}", properties, (vm, number))


def _get_controllers(world: World, p: Bound, kind: str) -> Iterator[Record]:
    for vm, hardware, checkpoint in hardware_of(world, p):
        for number in controllers(vm, kind, hardware):
            if p.get("ControllerNumber") in (None, number):
                yield _controller_record(world, vm, kind, number, checkpoint)


@cmdlet("Get-VMScsiController")
def get_scsi_controller(world: World, p: Bound) -> Iterator[Record]:
    yield from _get_controllers(world, p, "SCSI")


@cmdlet("Get-VMIdeController")
def get_ide_controller(world: World, p: Bound) -> Iterator[Record]:
    yield from _get_controllers(world, p, "IDE")


@cmdlet("Add-VMScsiController")
def add_scsi_controller(world: World, p: Bound) -> Iterator[Record]:
    for vm in vms_of(world, p):
        if vm.state not in AT_REST or vm.state == "Saved":
            raise wrong_state(vm.name)
        if vm.hardware.scsi_controllers >= len(controllers(vm, "any")):
            text = f"'{vm.name}' has as many SCSI controllers as it can have."
            raise CmdletError("OperationFailed", "InvalidOperation", text)
        vm.hardware.scsi_controllers += 1
        if p.flag("Passthru"):
            yield _controller_record(world, vm, "SCSI", vm.hardware.scsi_controllers - 1, None)


@cmdlet("Remove-VMScsiController")
def remove_scsi_controller(world: World, p: Bound) -> Iterator[Record]:
    chosen = [record.owner for record in p.many("VMScsiController")]
    chosen += [(vm, p["ControllerNumber"]) for vm in vms_of(world, p)]
    for vm, number in chosen:
        if vm.state not in AT_REST or vm.state == "Saved":
            raise wrong_state(vm.name)
        drives = vm.hardware.drives
        if any((one.controller_type, one.controller_number) == ("SCSI", number) for one in drives):
            raise CmdletError("OperationFailed", "InvalidOperation", "The controller has drives.")
        gone = _controller_record(world, vm, "SCSI", number, None)
        vm.hardware.scsi_controllers -= 1
        for one in drives:
            if one.controller_type == "SCSI" and one.controller_number > number:
                one.controller_number -= 1
        if p.flag("Passthru"):
            yield gone
