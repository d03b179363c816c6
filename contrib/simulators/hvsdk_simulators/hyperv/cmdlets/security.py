"""What ties a virtual machine to its host: a virtual TPM, and devices of the host. The simulated host has none of these."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hvsdk_simulators.hyperv.world import World

from .components import vms_of
from .records import Record
from .registry import Bound, cmdlet

__all__: list[str] = []

_NAMES = (
    "TpmEnabled",
    "KsdEnabled",
    "Shielded",
    "EncryptStateAndVmMigrationTraffic",
    "VirtualizationBasedSecurityOptOut",
)


@cmdlet("Get-VMSecurity")
def get_vmsecurity(world: World, p: Bound) -> Iterator[Record]:
    """Return the settings of security: what `details` of the hardware say, else that there is nothing."""
    for vm in vms_of(world, p):
        properties: dict[str, Any] = {name: bool(vm.hardware.details.get(name)) for name in _NAMES}
        properties |= {"BindToHostTpm": False, "ComputerName": vm.node or world.node, "IsDeleted": False}
        yield Record("VMSecurity", str(vm.id), properties, owner=vm)


@cmdlet("Get-VMAssignableDevice")
def get_vmassignable_device(world: World, p: Bound) -> Iterator[Record]:
    """Return the devices of the host that are assigned to virtual machines: none."""
    for _ in vms_of(world, p):
        yield from ()


@cmdlet("Get-VMGpuPartitionAdapter")
def get_vmgpu_partition_adapter(world: World, p: Bound) -> Iterator[Record]:
    """Return the parts of graphics adapters that virtual machines have: none."""
    for _ in vms_of(world, p):
        yield from ()


@cmdlet("Get-VMFibreChannelHba")
def get_vmfibre_channel_hba(world: World, p: Bound) -> Iterator[Record]:
    """Return the Fibre Channel adapters of virtual machines: none."""
    for _ in vms_of(world, p):
        yield from ()
