"""What virtual machines boot with: the firmware of generation 2, the BIOS of generation 1."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from hvsdk_simulators.hyperv.vms import Checkpoint, Hardware, Vm
from hvsdk_simulators.hyperv.world import World

from .adapter_records import adapter_record
from .components import hardware_of, owned, vms_of
from .drives import drive_record
from .errors import CmdletError, wrong_state
from .records import Record
from .registry import Bound, cmdlet

__all__ = ["TEMPLATES"]

TEMPLATES = {
    "MicrosoftWindows": UUID("1734c6e8-3154-4dda-ba5f-a874cc483422"),
    "MicrosoftUEFICertificateAuthority": UUID("272e7447-90a4-4563-a4b9-8e4ab00526ce"),
    "OpenSourceShieldedVM": UUID("4292ae2b-ee2c-42b5-a969-dd8f8689f6f3"),
}
"""Templates of secure boot, and their ids."""


def _wrong_generation(vm: Vm) -> CmdletError:
    text = f"The virtual machine '{vm.name}' is of generation {vm.generation}, which has no such setting."
    return CmdletError("InvalidOperation", "InvalidOperation", text)


# ---- generation 2 ----------------------------------------------------------------------------------------


def _firmware(world: World, vm: Vm, hardware: Hardware, checkpoint: Checkpoint | None) -> Record:
    properties: dict[str, Any] = {
        "BootOrder": lambda: _sources(world, vm, hardware, checkpoint),
        "PreferredNetworkBootProtocol": "IPv4",
        "SecureBoot": "On" if hardware.secure_boot else "Off",
        "SecureBootTemplateId": TEMPLATES.get(hardware.secure_boot_template),
        "SecureBootTemplate": hardware.secure_boot_template,
        "ConsoleMode": "Default",
        "PauseAfterBootFailure": "Off",
        **owned(world, vm, checkpoint),
    }
    return Record("VMFirmware", f"{vm.id}/{checkpoint.id if checkpoint else ''}", properties, vm)


def _sources(world: World, vm: Vm, hardware: Hardware, checkpoint: Checkpoint | None) -> list[Record]:
    """Return what it boots from: what was put in order, then the rest as it was added."""
    devices: dict[UUID, tuple[str, Any]] = {one.id: ("Drive", one) for one in hardware.drives}
    devices |= {one.id: ("Network", one) for one in hardware.adapters}
    order = [one for one in hardware.boot_order if one in devices]
    order += [one for one in devices if one not in order]
    return [_source(world, vm, checkpoint, *devices[one]) for one in order]


def _source(world: World, vm: Vm, checkpoint: Checkpoint | None, kind: str, device: Any) -> Record:
    shown = (drive_record if kind == "Drive" else adapter_record)(world, vm, device, checkpoint)
    described = "EFI SCSI Device" if kind == "Drive" else "EFI Network"
    properties = {"BootType": kind, "Description": described, "Device": shown, "FirmwarePath": f"\\{device.id}"}
    return Record("VMBootSource", f"{vm.id}/{device.id}", properties, device)


@cmdlet("Get-VMFirmware")
def get_firmware(world: World, p: Bound) -> Iterator[Record]:
    """Return the firmware of VMs of generation 2."""
    for vm, hardware, checkpoint in hardware_of(world, p):
        if vm.generation != 2:
            raise _wrong_generation(vm)
        yield _firmware(world, vm, hardware, checkpoint)


@cmdlet("Set-VMFirmware")
def set_firmware(world: World, p: Bound) -> Iterator[Record]:
    """Change the firmware: secure boot of a VM that is off, the order of booting at any time."""
    for vm in [*(record.owner for record in p.many("VMFirmware")), *vms_of(world, p)]:
        if vm.generation != 2:
            raise _wrong_generation(vm)
        template = p.get("SecureBootTemplate")
        if (template or p.get("EnableSecureBoot")) and vm.state != "Off":
            raise wrong_state(vm.name)
        if template and template not in TEMPLATES:
            raise CmdletError("InvalidParameter", "InvalidArgument", f"There is no template '{template}'.")
        if p.get("EnableSecureBoot"):
            vm.hardware.secure_boot = p["EnableSecureBoot"] == "On"
        if template:
            vm.hardware.secure_boot_template = template
        if "BootOrder" in p:
            vm.hardware.boot_order = [_device(one).id for one in p.many("BootOrder")]
        if p.get("FirstBootDevice") is not None:
            first = _device(p["FirstBootDevice"]).id
            vm.hardware.boot_order = [first, *(one for one in vm.hardware.boot_order if one != first)]
        if p.flag("Passthru"):
            yield _firmware(world, vm, vm.hardware, None)


def _device(record: Record) -> Any:
    """Return the drive or adapter that a record of it, or of a source to boot from, stands for."""
    return record.owner[1] if isinstance(record.owner, tuple) else record.owner


# ---- generation 1 ----------------------------------------------------------------------------------------


def _bios(world: World, vm: Vm, hardware: Hardware, checkpoint: Checkpoint | None) -> Record:
    properties: dict[str, Any] = {
        "NumLockEnabled": False,
        "StartupOrder": list(hardware.startup_order),
        **owned(world, vm, checkpoint),
    }
    return Record("VMBios", f"{vm.id}/{checkpoint.id if checkpoint else ''}", properties, vm)


@cmdlet("Get-VMBios")
def get_bios(world: World, p: Bound) -> Iterator[Record]:
    """Return the BIOS of VMs of generation 1."""
    for vm, hardware, checkpoint in hardware_of(world, p):
        if vm.generation != 1:
            raise _wrong_generation(vm)
        yield _bios(world, vm, hardware, checkpoint)


@cmdlet("Set-VMBios")
def set_bios(world: World, p: Bound) -> Iterator[Record]:
    """Change the order of booting of VMs that are off."""
    for vm in [*(record.owner for record in p.many("VMBios")), *vms_of(world, p)]:
        if vm.generation != 1:
            raise _wrong_generation(vm)
        if vm.state != "Off":
            raise wrong_state(vm.name)
        order = [str(one) for one in p.many("StartupOrder")]
        if order and len(set(order)) != 4:
            raise CmdletError("InvalidParameter", "InvalidArgument", "All four devices are to be named, each once.")
        if order:
            vm.hardware.startup_order = order
        if p.flag("Passthru"):
            yield _bios(world, vm, vm.hardware, None)
