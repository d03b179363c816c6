"""Virtual machines: `Get-VM`, `New-VM`, `Set-VM`, `Remove-VM`, `Rename-VM`."""

from __future__ import annotations

import ntpath
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from hvsdk_simulators.hyperv.file_system import FileSystem
from hvsdk_simulators.hyperv.vms import Adapter, Drive, Hardware, Vm
from hvsdk_simulators.hyperv.world import World

from .adapters import adapter_records
from .drives import drive_records
from .errors import CmdletError, not_found, wrong_state
from .integration_services import new_services
from .names import matches
from .records import Record
from .registry import Bound, cmdlet, run

__all__ = ["VERSIONS", "home_folder", "vm_record", "vm_targets"]

VERSIONS = {2012: "5.0", 2016: "8.0", 2019: "9.0", 2022: "10.0", 2025: "12.0"}
"""The configuration version that each Windows Server makes."""
_UP = ("Running", "RunningCritical", "Paused", "PausedCritical", "Stopping", "Saving", "Pausing", "Resuming")
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


def vm_record(world: World, vm: Vm) -> Record:
    """Return what the cmdlets show of a VM."""
    hardware = vm.hardware
    up = vm.state in _UP
    checkpoint = next((one for one in vm.checkpoints if one.id == vm.current), None)
    properties: dict[str, Any] = {
        "ConfigurationLocation": vm.path,
        "SmartPagingFileInUse": False,
        "SmartPagingFilePath": hardware.details.get("SmartPagingFilePath", vm.path),
        "SnapshotFileLocation": hardware.details.get("SnapshotFileLocation", vm.path),
        "AutomaticStartAction": hardware.automatic_start_action,
        "AutomaticStartDelay": hardware.automatic_start_delay,
        "AutomaticStopAction": hardware.automatic_stop_action,
        "AutomaticCriticalErrorAction": "Pause",
        "AutomaticCriticalErrorActionTimeout": 30,
        "AutomaticCheckpointsEnabled": hardware.automatic_checkpoints,
        "CPUUsage": 1 if up else 0,
        "MemoryAssigned": hardware.memory_startup if up else 0,
        "MemoryDemand": hardware.memory_startup * 3 // 4 if up else 0,
        "MemoryStatus": "OK" if up and hardware.dynamic_memory else "",
        "NumaNodesCount": 1,
        "NumaSocketCount": 1,
        "Heartbeat": _heartbeat(vm),
        "IntegrationServicesState": "",
        "IntegrationServicesVersion": None,
        "Uptime": datetime.now(UTC) - vm.started if up and vm.started else timedelta(0),
        "OperationalStatus": [vm.status],
        "PrimaryOperationalStatus": vm.status,
        "SecondaryOperationalStatus": None,
        "StatusDescriptions": [_status_text(vm)],
        "PrimaryStatusDescription": _status_text(vm),
        "SecondaryStatusDescription": None,
        "Status": _status_text(vm),
        "ReplicationHealth": "NotApplicable",
        "ReplicationMode": vm.details.get("ReplicationMode", "None"),
        "ReplicationState": "Disabled",
        "ResourceMeteringEnabled": vm.metering,
        "CheckpointType": hardware.checkpoint_type,
        "EnhancedSessionTransportType": hardware.details.get("EnhancedSessionTransportType", "VMBus"),
        "Groups": [],
        "Version": vm.version,
        "VirtualMachineType": "RealizedVirtualMachine",
        "VirtualMachineSubType": f"Generation{vm.generation}",
        "Notes": hardware.notes,
        "State": vm.state,
        "DVDDrives": lambda: drive_records(world, vm, "dvd"),
        "FibreChannelHostBusAdapters": [],
        "HardDrives": lambda: drive_records(world, vm, "disk"),
        "VMIntegrationService": lambda: run(world, "Get-VMIntegrationService", {"VM": [vm_record(world, vm)]}),
        "DynamicMemoryEnabled": hardware.dynamic_memory,
        "MemoryMaximum": hardware.memory_maximum,
        "MemoryMinimum": hardware.memory_minimum,
        "MemoryStartup": hardware.memory_startup,
        "ProcessorCount": hardware.processors,
        "BatteryPassthroughEnabled": False,
        "Generation": vm.generation,
        "IsClustered": vm.clustered,
        "ParentSnapshotId": checkpoint.id if checkpoint else None,
        "ParentSnapshotName": checkpoint.name if checkpoint else None,
        "Path": vm.path,
        "SizeOfSystemFiles": 100_000,
        "GuestControlledCacheTypes": False,
        "LowMemoryMappedIoSpace": 128 << 20,
        "HighMemoryMappedIoSpace": 512 << 20,
        "LockOnDisconnect": hardware.details.get("LockOnDisconnect", "Off"),
        "CreationTime": vm.created,
        "Id": vm.id,
        "Name": vm.name,
        "NetworkAdapters": lambda: adapter_records(world, vm),
        "ComputerName": vm.node or world.node,
        "IsDeleted": vm.id not in world.vms,
    }
    if world.options.version == 2012:
        properties |= {"VMName": vm.name, "VMId": vm.id}
    return Record("VirtualMachine", str(vm.id), properties, vm)


def _heartbeat(vm: Vm) -> str | None:
    if vm.state not in ("Running", "RunningCritical"):
        return "Paused" if vm.state == "Paused" else None
    if not vm.hardware.integration_services.get("Heartbeat", True):
        return "Disabled"
    up = (datetime.now(UTC) - vm.started).total_seconds() if vm.started else 0.0
    return "OkApplicationsUnknown" if vm.guest.tools and up >= vm.guest.boot_seconds else "NoContact"


def _status_text(vm: Vm) -> str:
    return "Operating normally" if vm.status == "Ok" else vm.status


def vm_targets(world: World, p: Bound, name: str = "Name") -> list[Vm]:
    """Return the VMs that a cmdlet is given, as objects or by names with wildcards.

    Raises:
        CmdletError: One is not there.
    """
    found: list[Vm] = []
    for record in p.many("VM"):
        if record.owner.id not in world.vms:
            raise not_found(f'a virtual machine with id "{record.owner.id}"')
        found.append(record.owner)
    for pattern in p.many(name):
        named = [vm for vm in _here(world, p) if matches(vm.name, str(pattern))]
        if not named:
            raise not_found(f'a virtual machine with name "{pattern}"')
        found += named
    return found


def _here(world: World, p: Bound) -> list[Vm]:
    """Return the VMs of the computers that are asked, which is this one without any."""
    asked = [str(one).upper() for one in p.many("ComputerName")] or [world.node.upper()]
    asked = [world.node.upper() if one in (".", "LOCALHOST") else one for one in asked]
    return [vm for vm in world.vms.values() if (vm.node or world.node).upper() in asked]


@cmdlet("Get-VM")
def get_vm(world: World, p: Bound) -> Iterator[Record]:
    """Return VMs: all, one by its id, or those of these names."""
    here = _here(world, p)
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
    for vm in vm_targets(world, p):
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
    for vm in vm_targets(world, p):
        vm.hardware.name = p["NewName"]
        if p.flag("Passthru"):
            yield vm_record(world, vm)


@cmdlet("Remove-VM")
def remove_vm(world: World, p: Bound) -> Iterator[Record]:
    """Remove VMs that are off or saved; their checkpoints are merged into the disks, which stay."""
    for vm in vm_targets(world, p):
        if vm.state not in (*_RESTING, "Saved", "SavedCritical"):
            raise wrong_state(vm.name)
        for checkpoint in [one for one in vm.checkpoints if one.parent is None]:
            records = run(world, "Get-VMSnapshot", {"Id": checkpoint.id})
            run(world, "Remove-VMSnapshot", {"VMSnapshot": records, "IncludeAllChildSnapshots": True})
        world.vms.pop(vm.id, None)
        if p.flag("Passthru"):
            yield vm_record(world, vm)
