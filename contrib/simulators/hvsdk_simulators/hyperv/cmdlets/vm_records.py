"""Virtual machines as cmdlets show them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hvsdk_simulators.hyperv.vms import Vm
from hvsdk_simulators.hyperv.world import World

from .adapter_records import adapter_records
from .drives import drive_records
from .records import Record
from .registry import run

__all__ = ["vm_record"]

_UP = ("Running", "RunningCritical", "Paused", "PausedCritical", "Stopping", "Saving", "Pausing", "Resuming")


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
