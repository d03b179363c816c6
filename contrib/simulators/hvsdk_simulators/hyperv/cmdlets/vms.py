"""Virtual machines: `Get-VM`, `New-VM`, `Set-VM`, `Remove-VM`, `Rename-VM`."""

from __future__ import annotations

import ntpath
import re
from collections.abc import Iterator
from uuid import UUID

from hvsdk_simulators.hyperv.file_system import FileSystem
from hvsdk_simulators.hyperv.vms import Adapter, Drive, Hardware, Vm
from hvsdk_simulators.hyperv.world import World

from .components import vms_here, vms_of
from .errors import CmdletError, not_found, wrong_state
from .integration_services import new_services
from .names import matches
from .records import Record
from .registry import Bound, cmdlet, run
from .vm_records import vm_record

__all__ = ["VERSIONS", "home_folder"]

VERSIONS = {2012: "5.0", 2016: "8.0", 2019: "9.0", 2022: "10.0", 2025: "12.0"}
"""The configuration version that each Windows Server makes."""
_RESTING = ("Off", "OffCritical")
_SETTINGS = {
    "Notes": "notes",
    "AutomaticStartAction": "automatic_start_action",
    "AutomaticStartDelay": "automatic_start_delay",
    "AutomaticStopAction": "automatic_stop_action",
    "CheckpointType": "checkpoint_type",
    "AutomaticCheckpointsEnabled": "automatic_checkpoints",
}
"""Parameters of `Set-VM` that may change at any time, and where they are kept."""
_AT_REST = {
    "ProcessorCount": "processors",
    "MemoryStartupBytes": "memory_startup",
    "MemoryMinimumBytes": "memory_minimum",
    "MemoryMaximumBytes": "memory_maximum",
}
_KEPT = ("SmartPagingFilePath", "SnapshotFileLocation", "LockOnDisconnect", "EnhancedSessionTransportType")
_BAD = re.compile(r"[\x00-\x1f]")
_LONGEST_NAME = 100


@cmdlet("Get-VM")
def get_vm(world: World, p: Bound) -> Iterator[Record]:
    """Return VMs: all, one by its id, or those of these names."""
    here = vms_here(world, p)
    if p.get("Id") is not None:
        wanted = UUID(str(p["Id"]))
        found = [vm for vm in here if vm.id == wanted]
        if not found:
            raise not_found(f'a virtual machine with id "{wanted}"')
    elif p.get("ClusterObject") is not None:
        found = [p["ClusterObject"].owner]
    elif p.many("Name"):
        found = []
        for pattern in p.many("Name"):
            named = [vm for vm in here if matches(vm.name, str(pattern))]
            if not named and not re.search(r"[*?\[]", str(pattern)):
                text = f'Hyper-V was unable to find a virtual machine with name "{pattern}".'
                raise CmdletError("InvalidParameter", "InvalidArgument", text, str(pattern))
            found += named
    else:
        found = here
    for vm in found:
        yield vm_record(world, vm)


def home_folder(world: World, name: str, path: str | None) -> str:
    """Return the folder that a new VM's files go into: one of its own in a path that is given, else the default one."""
    return world.vm_path if not path else ntpath.join(path, name)


@cmdlet("New-VM")
def new_vm(world: World, p: Bound) -> Iterator[Record]:
    """Make a VM, off, with one adapter and, if asked for, a disk."""
    name = p.get("Name") or "New Virtual Machine"
    _check_name(name)
    generation = int(p.get("Generation") or 1)
    if generation not in (1, 2):
        raise CmdletError("InvalidParameter", "InvalidArgument", f"Generation {generation} is not valid.")
    path = p.get("Path")
    files = FileSystem(world)
    if path and not files.is_folder(ntpath.splitdrive(path)[0] + "\\"):
        text = f"Failed to create a new virtual machine. '{name}' failed to realize. (0x80070003)"
        raise CmdletError("ObjectNotFound", "ObjectNotFound", text, hresult=0x80070003)
    memory = int(p.get("MemoryStartupBytes") or 1 << 30)
    _check_memory(name, memory)
    hardware = Hardware(
        name=name,
        memory_startup=memory,
        secure_boot=generation == 2,
        scsi_controllers=1,
        checkpoint_type="Standard" if world.options.version == 2012 else "Production",
        integration_services=new_services(),
    )
    vm = Vm(
        id=world.new_id(),
        generation=generation,
        node=world.node,
        path=home_folder(world, name, path),
        hardware=hardware,
        version=str(p.get("Version") or VERSIONS[world.options.version]),
        bios_guid=world.new_id(),
        bios_serial=str(world.new_id().int)[:24],
    )
    _add_first_devices(world, vm, p)
    files.make_folder(vm.path)
    world.vms[vm.id] = vm
    yield vm_record(world, vm)


def _add_first_devices(world: World, vm: Vm, p: Bound) -> None:
    switch = None
    if p.get("SwitchName"):
        found = [one for one in world.switches.values() if one.name.lower() == p["SwitchName"].lower()]
        if len(found) > 1:
            raise CmdletError("InvalidOperation", "InvalidOperation", "Sequence contains more than one element")
        if not found:
            raise not_found(f'a virtual switch with name "{p["SwitchName"]}"')
        switch = found[0].id
    vm.hardware.adapters.append(Adapter(id=world.new_id(), switch=switch))
    place = ("SCSI", 0, 0) if vm.generation == 2 else ("IDE", 0, 0)
    disk = p.get("VHDPath")
    if p.get("NewVHDPath"):
        disk = p["NewVHDPath"]
        if not ntpath.isabs(disk):
            disk = ntpath.join(world.disk_path, disk)
        run(world, "New-VHD", {"Path": [disk], "SizeBytes": int(p["NewVHDSizeBytes"]), "Dynamic": True})
    if disk:
        if not FileSystem(world).find(disk):
            text = f"Failed to create a new virtual machine. '{vm.name}' failed to realize. (0x80070002)"
            raise CmdletError("ObjectNotFound", "ObjectNotFound", text, hresult=0x80070002)
        drive = Drive(
            kind="disk", controller_type=place[0], controller_number=0, location=0, path=disk, id=world.new_id()
        )
        vm.hardware.drives.append(drive)
        vm.hardware.boot_order.append(drive.id)
    if vm.generation == 1:
        vm.hardware.drives.append(
            Drive(kind="dvd", controller_type="IDE", controller_number=1, location=0, id=world.new_id())
        )


def _check_name(name: str) -> None:
    if not name or len(name) > _LONGEST_NAME or _BAD.search(name):
        raise CmdletError("InvalidParameter", "InvalidArgument", "The name of the virtual machine is not valid.")


def _check_memory(name: str, size: int) -> None:
    if size % (2 << 20) or not 32 << 20 <= size <= 12 << 40:
        text = f"Failed to modify device 'Memory'. The amount of memory for '{name}' is not valid."
        raise CmdletError("InvalidParameter", "InvalidArgument", text)


@cmdlet("Set-VM")
def set_vm(world: World, p: Bound) -> Iterator[Record]:
    """Change settings of VMs: all that are given, or none."""
    for vm in vms_of(world, p, "Name"):
        hardware = vm.hardware
        resting = {parameter: field for parameter, field in _AT_REST.items() if p.get(parameter) is not None}
        if (resting or p.flag("DynamicMemory") or p.flag("StaticMemory")) and vm.state not in _RESTING:
            raise wrong_state(vm.name)
        if p.get("NewVMName"):
            _check_name(p["NewVMName"])
        for parameter in resting:
            if parameter.startswith("Memory"):
                _check_memory(vm.name, int(p[parameter]))
        for parameter, field in {**resting, **_SETTINGS}.items():
            if p.get(parameter) is not None:
                setattr(hardware, field, p[parameter])
        if p.flag("DynamicMemory") or p.flag("StaticMemory"):
            hardware.dynamic_memory = p.flag("DynamicMemory")
        for parameter in _KEPT:
            if p.get(parameter) is not None:
                hardware.details[parameter] = p[parameter]
        if p.get("NewVMName"):
            hardware.name = p["NewVMName"]
        if p.flag("Passthru"):
            yield vm_record(world, vm)


@cmdlet("Rename-VM")
def rename_vm(world: World, p: Bound) -> Iterator[Record]:
    """Give VMs another name."""
    _check_name(p["NewName"])
    for vm in vms_of(world, p, "Name"):
        vm.hardware.name = p["NewName"]
        if p.flag("Passthru"):
            yield vm_record(world, vm)


@cmdlet("Remove-VM")
def remove_vm(world: World, p: Bound) -> Iterator[Record]:
    """Remove VMs that are off or saved; their checkpoints are merged into the disks, which stay."""
    for vm in vms_of(world, p, "Name"):
        if vm.state not in (*_RESTING, "Saved", "SavedCritical"):
            raise wrong_state(vm.name)
        for checkpoint in [one for one in vm.checkpoints if one.parent is None]:
            records = run(world, "Get-VMSnapshot", {"Id": checkpoint.id})
            run(world, "Remove-VMSnapshot", {"VMSnapshot": records, "IncludeAllChildSnapshots": True})
        world.vms.pop(vm.id, None)
        if p.flag("Passthru"):
            yield vm_record(world, vm)
