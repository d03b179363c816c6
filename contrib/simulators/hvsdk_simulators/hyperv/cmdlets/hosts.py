"""The host itself: `Get-VMHost`, `Set-VMHost`, `Get-VMHostSupportedVersion`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from hvsdk_simulators.hyperv.world import World

from .cim_windows import HOST_MEMORY, HOST_PROCESSORS
from .records import Record
from .registry import Bound, cmdlet
from .vms import VERSIONS

__all__: list[str] = []

_SETTINGS = (
    "MaximumStorageMigrations",
    "MaximumVirtualMachineMigrations",
    "VirtualMachineMigrationAuthenticationType",
    "UseAnyNetworkForMigration",
    "VirtualMachineMigrationPerformanceOption",
    "MacAddressMaximum",
    "MacAddressMinimum",
    "NumaSpanningEnabled",
    "EnableEnhancedSessionMode",
)


@cmdlet("Get-VMHost")
def get_vmhost(world: World, p: Bound) -> Iterator[Record]:
    """Return the host, or others of its cluster."""
    names = [str(one).upper() for one in p.many("ComputerName")] or [world.node]
    for name in names:
        yield _record(world, world.node if name in (".", "LOCALHOST") else name)


def _record(world: World, name: str) -> Record:
    kept: dict[str, Any] = world.facts.get("hosts", {})
    migration = bool(kept.get("migration", len(world.nodes) > 1))
    properties: dict[str, Any] = {
        "LogicalProcessorCount": HOST_PROCESSORS,
        "ResourceMeteringSaveInterval": timedelta(hours=1),
        "IovSupport": False,
        "IovSupportReasons": [],
        "SupportedVmVersions": [text for year, text in VERSIONS.items() if year <= world.options.version],
        "EnableEnhancedSessionMode": False,
        "MacAddressMaximum": "00155D0001FF",
        "MacAddressMinimum": "00155D000100",
        "NumaSpanningEnabled": True,
        "VirtualHardDiskPath": world.disk_path,
        "VirtualMachinePath": world.vm_path,
        "FullyQualifiedDomainName": "example.test",
        "MemoryCapacity": HOST_MEMORY,
        "Name": name,
        "MaximumStorageMigrations": 2,
        "MaximumVirtualMachineMigrations": 2,
        "UseAnyNetworkForMigration": True,
        "VirtualMachineMigrationAuthenticationType": "CredSSP",
        "VirtualMachineMigrationEnabled": migration,
        "VirtualMachineMigrationPerformanceOption": "Compression",
        "ComputerName": name,
        "IsDeleted": False,
    }
    properties |= {key: value for key, value in kept.items() if key in properties}
    return Record("VMHost", name, properties, world)


@cmdlet("Set-VMHost")
def set_vmhost(world: World, p: Bound) -> Iterator[Record]:
    """Change settings of the host."""
    kept = world.facts.setdefault("hosts", {})
    for name in _SETTINGS:
        if p.get(name) is not None:
            kept[name] = p[name]
    world.disk_path = p.get("VirtualHardDiskPath") or world.disk_path
    world.vm_path = p.get("VirtualMachinePath") or world.vm_path
    if p.flag("Passthru"):
        yield _record(world, world.node)


@cmdlet("Enable-VMMigration")
def enable_migration(world: World, p: Bound) -> None:
    """Let the host take live migrations."""
    world.facts.setdefault("hosts", {})["migration"] = True


@cmdlet("Disable-VMMigration")
def disable_migration(world: World, p: Bound) -> None:
    """Let the host take none."""
    world.facts.setdefault("hosts", {})["migration"] = False


@cmdlet("Get-VMHostSupportedVersion")
def supported_versions(world: World, p: Bound) -> Iterator[Record]:
    """Return the configuration versions that the host runs."""
    for year, text in VERSIONS.items():
        if year <= world.options.version:
            default = year == world.options.version
            properties = {"Name": f"Microsoft Windows Server {year}", "Version": text, "IsDefault": default}
            yield Record("VMHostSupportedVersion", text, properties)
