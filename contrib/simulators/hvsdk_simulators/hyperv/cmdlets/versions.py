"""What the older module (1.1, of Windows Server 2012 R2) does not have, and how it fails."""

from __future__ import annotations

__all__ = [
    "NEW_CMDLETS",
    "NEW_EVERYWHERE",
    "NEW_PARAMETERS",
    "NEW_PROPERTIES",
    "OLD_PROPERTIES",
    "has_parameter",
    "is_new_property",
    "is_old",
]

NEW_EVERYWHERE = frozenset({"CimSession", "Credential"})
"""Parameters and properties that no cmdlet and no type of the older one has."""

NEW_PARAMETERS: dict[str, frozenset[str]] = {
    "Set-VM": frozenset(
        {
            "CheckpointType",
            "AutomaticCheckpointsEnabled",
            "AutomaticCriticalErrorAction",
            "AutomaticCriticalErrorActionTimeout",
            "BatteryPassthroughEnabled",
            "EnhancedSessionTransportType",
            "GuestControlledCacheTypes",
            "HighMemoryMappedIoSpace",
            "LockOnDisconnect",
            "LowMemoryMappedIoSpace",
        }
    ),
    "Set-VMFirmware": frozenset({"SecureBootTemplate", "SecureBootTemplateId"}),
    "Set-VMProcessor": frozenset({"ExposeVirtualizationExtensions", "HwThreadCountPerCore"}),
    "Set-VMNetworkAdapter": frozenset({"DeviceNaming", "FixSpeed10G"}),
    "Add-VMNetworkAdapter": frozenset({"DeviceNaming", "NumaAwarePlacement"}),
    "New-VM": frozenset({"Version", "Prerelease", "Experimental", "GuestStateIsolationType"}),
    "New-VMSwitch": frozenset({"EnableEmbeddedTeaming"}),
}
"""Parameters by cmdlet."""

NEW_PROPERTIES: dict[str, frozenset[str]] = {
    "VirtualMachine": frozenset(
        {
            "AutomaticCheckpointsEnabled",
            "AutomaticCriticalErrorAction",
            "AutomaticCriticalErrorActionTimeout",
            "BatteryPassthroughEnabled",
            "CheckpointType",
            "EnhancedSessionTransportType",
            "Groups",
            "GuestControlledCacheTypes",
            "HighMemoryMappedIoSpace",
            "LockOnDisconnect",
            "LowMemoryMappedIoSpace",
            "VirtualMachineSubType",
            "VirtualMachineType",
        }
    ),
    "HardDiskDrive": frozenset({"QoSPolicyID", "WriteHardeningMethod"}),
    "VirtualHardDisk": frozenset({"AddressAbstractionType", "IsPMEMCompatible"}),
    "VMFirmware": frozenset({"ConsoleMode", "PauseAfterBootFailure", "SecureBootTemplate", "SecureBootTemplateId"}),
    "VMNetworkAdapter": frozenset(
        {
            *("AllowPacketDirect", "ClusterMonitored", "DeviceNaming", "FixSpeed10G", "InterruptModeration"),
            *("IsSynthetic", "IsTemplate", "MediaType", "NumaAwarePlacement", "VirtualFunction"),
        }
    ),
    "VMSnapshot": frozenset({"IsAutomaticCheckpoint"}),
    "VMSwitch": frozenset(
        {
            *("EmbeddedTeamingEnabled", "NetAdapterInterfaceDescriptions", "NetAdapterInterfaceGuid"),
            *("PacketDirectEnabled", "PacketDirectInUse", "SoftwareRscEnabled"),
        }
    ),
    "VMHost": frozenset({"IsDeleted", "SupportedVmVersions", "SecureBootTemplates"}),
    "VMProcessor": frozenset({"ExposeVirtualizationExtensions", "HwThreadCountPerCore"}),
}
"""Properties by type."""

_NEW_FAMILIES = {
    "VMNetworkAdapter": ("Iov", "PacketDirect", "Vmmq", "Vrss"),
    "VMSwitch": ("DefaultQueueV",),
}
"""Beginnings of the names of properties that came later."""

OLD_PROPERTIES: dict[str, tuple[tuple[str, str], ...]] = {
    "HardDiskDrive": (("Disk", "Object"),),
    "VirtualHardDisk": (("Key", "Object"), ("IsDeleted", "Boolean"), ("Number", "Object")),
    "VMNetworkAdapter": (("DeviceId", "String"),),
    "VirtualMachine": (("VMName", "String"), ("VMId", "Guid")),
}
"""Properties that only the older module has in the objects themselves, and their types."""

NEW_CMDLETS = frozenset(
    f"{verb}-{noun}"
    for noun, verbs in {
        "VMGroup": "Get New Remove Rename",
        "VMGroupMember": "Add Remove",
        "VMSwitchTeam": "Get Set",
        "VMSwitchTeamMember": "Add Remove",
        "VMAssignableDevice": "Add Get Remove",
        "VMHostAssignableDevice": "Add Dismount Get Mount Remove",
        "VMGpuPartitionAdapter": "Add Get Remove Set",
        "VMPartitionableGpu": "Get Set",
        "VMKeyProtector": "Get Set",
        "VMKeyStorageDrive": "Add Get Remove Set",
        "VMSecurity": "Get Set",
        "VMTPM": "Disable Enable",
        "VMHostCluster": "Get Set",
        "VMHostSupportedVersion": "Get",
        "VMVersion": "Update",
        "VMPmemController": "Add Get Remove",
        "VMVideo": "Get Set",
        "VHDSet": "Get Optimize",
        "VHDSnapshot": "Get Remove",
        "VMNetworkAdapterRdma": "Get Set",
        "VMNetworkAdapterTeamMapping": "Get Remove Set",
    }.items()
    for verb in verbs.split()
) | {"Wait-VM"}
"""Whole cmdlets."""


def is_old(version: int) -> bool:
    """Whether a host of this year (2012 is 2012 R2) has the older module only."""
    return version < 2016


def is_new_property(type_: str, name: str) -> bool:
    """Whether the older module does not have this property."""
    if name in NEW_EVERYWHERE or name in NEW_PROPERTIES.get(type_, frozenset()):
        return True
    return name.startswith(_NEW_FAMILIES.get(type_, ()))


def has_parameter(version: int, cmdlet: str, parameter: str) -> bool:
    """Whether the cmdlet is there and takes the parameter, as far as the older module differs."""
    if not is_old(version):
        return True
    return not (
        cmdlet in NEW_CMDLETS or parameter in NEW_EVERYWHERE or parameter in NEW_PARAMETERS.get(cmdlet, frozenset())
    )
