"""Which types of the model descend from which, as far as parameters that take the one also take the other."""

from __future__ import annotations

__all__ = ["ALIASES", "BASES", "CHECKPOINTS", "LAZY", "ROOT", "UNTOLD"]

ROOT = "StubObject"
"""What all types descend from here: it knows what the simulated host finds the object by."""

BASES = {
    "DvdDrive": "Drive",
    "HardDiskDrive": "Drive",
    "VMFloppyDiskDrive": "Drive",
    "KeyStorageDrive": "Drive",
    "VMNetworkAdapter": "VMNetworkAdapterBase",
    "VMInternalNetworkAdapter": "VMNetworkAdapterBase",
    "VMExternalNetworkAdapter": "VMNetworkAdapterBase",
    "VMIdeController": "VMDriveController",
    "VMScsiController": "VMDriveController",
    "VMPmemController": "VMDriveController",
    "VirtualMachine": "VirtualMachineBase",
    "VMSnapshot": "VirtualMachineBase",
    "VMBootSource": "VMComponentObject",
    "Drive": "VMComponentObject",
    "VMNetworkAdapterBase": "VMComponentObject",
    "VMDriveController": "VMComponentObject",
}
"""By type; those that are not here descend from the root."""

LAZY = {
    "HardDrives": "Get-VMHardDiskDrive",
    "DVDDrives": "Get-VMDvdDrive",
    "NetworkAdapters": "Get-VMNetworkAdapter",
    "VMIntegrationService": "Get-VMIntegrationService",
    "FibreChannelHostBusAdapters": "Get-VMFibreChannelHba",
}
"""Lists of devices of VMs and of checkpoints, which are asked for when they are read."""

ALIASES = {
    "VirtualMachine": {
        "ParentCheckpointId": "ParentSnapshotId",
        "ParentCheckpointName": "ParentSnapshotName",
        "VMName": "Name",
        "VMId": "Id",
        "CheckpointFileLocation": "SnapshotFileLocation",
    },
    "VMSnapshot": {"ParentCheckpointId": "ParentSnapshotId", "ParentCheckpointName": "ParentSnapshotName"},
}
"""Other names of properties, which the newer module's type file has."""

CHECKPOINTS = {
    f"{verb}-VMCheckpoint": f"{verb}-VMSnapshot" for verb in ("Export", "Get", "Remove", "Rename", "Restore")
}
"""Other names of cmdlets, which the newer module has."""

UNTOLD = {
    "VMBootSource": {"BootType": "String", "Description": "String", "Device": "Object", "FirmwarePath": "String"},
}
"""Properties of types of which the model tells none."""
