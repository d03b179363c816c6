"""What Windows tells of itself: `root/cimv2`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .cim import cim_class, instance
from .records import Record

if TYPE_CHECKING:
    from hvsdk_simulators.hyperv.world import World

__all__ = ["HOST_MEMORY", "HOST_PROCESSORS"]

HOST_PROCESSORS = 64
"""Logical processors of the host."""
HOST_MEMORY = 1 << 39
_VERSIONS = {2012: "6.3.9600", 2016: "10.0.14393", 2019: "10.0.17763", 2022: "10.0.20348", 2025: "10.0.26100"}
_USED = ("Running", "Paused", "RunningCritical", "PausedCritical")


@cim_class("Win32_OperatingSystem")
def _operating_system(world: World) -> Iterator[Record]:
    year = world.options.version
    version = _VERSIONS.get(year, "10.0.20348")
    title = "2012 R2" if year == 2012 else str(year)
    properties: dict[str, Any] = {
        "Caption": f"Microsoft Windows Server {title} Datacenter",
        "Version": version,
        "BuildNumber": version.rpartition(".")[2],
        "CSName": world.node,
        "OSArchitecture": "64-bit",
        "OSLanguage": 1033,
        "ProductType": 3,
        "LastBootUpTime": world.booted,
        "TotalVisibleMemorySize": HOST_MEMORY // 1024,
        "FreePhysicalMemory": max(0, HOST_MEMORY - _taken(world)) // 1024,
    }
    yield instance("Win32_OperatingSystem", "os", properties)


def _taken(world: World) -> int:
    return (4 << 30) + sum(vm.hardware.memory_startup for vm in world.vms.values() if vm.state in _USED)


@cim_class("Win32_ComputerSystem")
def _computer_system(world: World) -> Iterator[Record]:
    properties: dict[str, Any] = {
        "Name": world.node,
        "DNSHostName": world.node.lower(),
        "Domain": "example.test",
        "PartOfDomain": len(world.nodes) > 1,
        "Manufacturer": "Simulated",
        "Model": "Host",
        "NumberOfProcessors": 2,
        "NumberOfLogicalProcessors": HOST_PROCESSORS,
        "TotalPhysicalMemory": HOST_MEMORY,
        "HypervisorPresent": True,
    }
    yield instance("Win32_ComputerSystem", "system", properties)


@cim_class("Win32_Processor")
def _processors(world: World) -> Iterator[Record]:
    for number in range(2):
        properties: dict[str, Any] = {
            "DeviceID": f"CPU{number}",
            "Name": "Simulated(R) Processor 8000 @ 2.40GHz",
            "MaxClockSpeed": 2400,
            "NumberOfCores": HOST_PROCESSORS // 4,
            "NumberOfLogicalProcessors": HOST_PROCESSORS // 2,
            "LoadPercentage": 3,
        }
        yield instance("Win32_Processor", f"CPU{number}", properties)
