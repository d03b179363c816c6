"""Network adapters of virtual machines as cmdlets show them, and their addresses."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hvsdk_simulators.hyperv.vms import Adapter, Checkpoint, Vm

from .components import owned
from .records import Record

if TYPE_CHECKING:
    from hvsdk_simulators.hyperv.world import World

__all__ = ["adapter_record", "adapter_records", "assign_macs", "vlan_record"]

_UP = ("Running", "Paused", "RunningCritical", "PausedCritical")
_DEFAULTS = {
    "MacAddressSpoofing": "Off",
    "DhcpGuard": "Off",
    "RouterGuard": "Off",
    "PortMirroringMode": "None",
    "AllowTeaming": "Off",
    "DeviceNaming": "Off",
    "VMQWeight": 100,
    "IovWeight": 0,
    "VirtualSubnetId": 0,
    "StormLimit": 0,
    "IeeePriorityTag": "Off",
}


def adapter_records(world: World, vm: Vm, checkpoint: Checkpoint | None = None) -> list[Record]:
    """Return the adapters of a VM, or those that a checkpoint has of it, as the module shows them."""
    hardware = vm.hardware if checkpoint is None else checkpoint.hardware
    return [adapter_record(world, vm, one, checkpoint) for one in hardware.adapters]


def adapter_record(world: World, vm: Vm, adapter: Adapter, checkpoint: Checkpoint | None = None) -> Record:
    """Return an adapter as the module shows it."""
    switch = world.switches.get(adapter.switch) if adapter.switch is not None else None
    up = vm.state in _UP and checkpoint is None
    id = f"Microsoft:{str(vm.id).upper()}\\{str(adapter.id).upper()}"
    if checkpoint is not None:
        id = f"Microsoft:{str(checkpoint.id).upper()}\\{str(adapter.id).upper()}"
    properties: dict[str, Any] = {
        "ClusterMonitored": True,
        "MacAddress": adapter.mac,
        "DynamicMacAddressEnabled": adapter.dynamic_mac,
        "IsLegacy": adapter.legacy,
        "IsSynthetic": not adapter.legacy,
        "IPAddresses": (lambda: _addresses(vm, adapter)) if up else [],
        "Connected": switch is not None,
        "SwitchName": switch.name if switch is not None else None,
        "AdapterId": str(adapter.id).upper(),
        "StatusDescription": ["OK"] if up else None,
        "Status": ["Ok"] if up else None,
        "IsManagementOs": False,
        "IsExternalAdapter": False,
        "Id": id,
        "SwitchId": switch.id if switch is not None else None,
        "VlanSetting": lambda: vlan_record(world, vm, adapter),
        **_DEFAULTS,
        **{name: value for name, value in adapter.details.items() if not name.startswith("_")},
        "Name": adapter.name,
        **owned(world, vm, checkpoint),
    }
    return Record("VMNetworkAdapter", id, properties, (vm, adapter))


def vlan_record(world: World, vm: Vm, adapter: Adapter) -> Record:
    """Return the VLAN that an adapter is on."""
    trunk = adapter.details.get("_trunk", ("", 0))
    allowed = _numbers(trunk[0])
    properties: dict[str, Any] = {
        "OperationMode": adapter.vlan_mode,
        "AccessVlanId": adapter.vlan if adapter.vlan_mode == "Access" else 0,
        "NativeVlanId": trunk[1] if adapter.vlan_mode == "Trunk" else 0,
        "AllowedVlanIdList": allowed if adapter.vlan_mode == "Trunk" else [],
        "AllowedVlanIdListString": trunk[0] if adapter.vlan_mode == "Trunk" else "",
        "PrimaryVlanId": 0,
        "SecondaryVlanId": 0,
        "SecondaryVlanIdList": [],
        "ComputerName": vm.node or world.node,
        "IsDeleted": False,
    }
    return Record("VMNetworkAdapterVlanSetting", f"{vm.id}\\{adapter.id}", properties, (vm, adapter))


def _numbers(text: str) -> list[int]:
    """Return the numbers of a list such as `1-3,7`."""
    found: list[int] = []
    for part in filter(None, text.replace(" ", "").split(",")):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found


def _addresses(vm: Vm, adapter: Adapter) -> list[str]:
    """Return what the guest tells, once its services run."""
    guest = vm.guest
    up = (datetime.now(UTC) - vm.started).total_seconds() if vm.started is not None else 0.0
    if not guest.tools or up < guest.boot_seconds or adapter not in vm.hardware.adapters or adapter.switch is None:
        return []
    return list(guest.addresses.get(vm.hardware.adapters.index(adapter), ()))


def assign_macs(world: World, vm: Vm) -> None:
    """Give the adapters that have none a dynamic MAC address, as the first start does."""
    for adapter in vm.hardware.adapters:
        if adapter.dynamic_mac and adapter.mac == "0" * 12:
            adapter.mac = f"00155D{world.rng.randrange(1 << 24):06X}"
