"""Network adapters of virtual machines."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hvsdk_simulators.hyperv.vms import Adapter, Checkpoint, Vm

from .components import owned
from .errors import CmdletError, not_found, wrong_state
from .names import matches
from .records import Record
from .registry import Bound, cmdlet
from .switches import switch_named

if TYPE_CHECKING:
    from hvsdk_simulators.hyperv.world import World

__all__ = ["adapter_record", "adapter_records", "adapter_targets", "assign_macs", "vlan_record"]

_UP = ("Running", "Paused", "RunningCritical", "PausedCritical")
_SETTINGS = {
    "MacAddressSpoofing": "MacAddressSpoofing",
    "DhcpGuard": "DhcpGuard",
    "RouterGuard": "RouterGuard",
    "PortMirroring": "PortMirroringMode",
    "AllowTeaming": "AllowTeaming",
    "DeviceNaming": "DeviceNaming",
    "VmqWeight": "VMQWeight",
    "IovWeight": "IovWeight",
    "VirtualSubnetId": "VirtualSubnetId",
    "StormLimit": "StormLimit",
    "IeeePriorityTag": "IeeePriorityTag",
}
"""Parameters of `Set-VMNetworkAdapter` and the properties that show them."""
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


# ---- records ---------------------------------------------------------------------------------------------


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


# ---- cmdlets ---------------------------------------------------------------------------------------------


@cmdlet("Get-VMNetworkAdapter")
def get_adapter(world: World, p: Bound) -> Iterable[Record]:
    """Return adapters of VMs, of a checkpoint, or all."""
    if p.get("VMSnapshot") is not None:
        checkpoint = p["VMSnapshot"].owner
        vm = next(one for one in world.vms.values() if checkpoint in one.checkpoints)
        found = adapter_records(world, vm, checkpoint)
    elif p.flag("ManagementOS") and not p.flag("All"):
        found = []
    else:
        vms = list(world.vms.values()) if p.flag("All") else vm_targets(world, p)
        found = [record for vm in vms for record in adapter_records(world, vm)]
    if p.get("Name") is not None:
        found = [one for one in found if matches(one["Name"], str(p["Name"]))]
    if p.get("IsLegacy") is not None:
        found = [one for one in found if one["IsLegacy"] == p["IsLegacy"]]
    return found


@cmdlet("Add-VMNetworkAdapter")
def add_adapter(world: World, p: Bound) -> Iterable[Record]:
    """Add an adapter to VMs: to one that runs only from Windows Server 2016, and generation 2."""
    switch = switch_named(world, str(p["SwitchName"])) if p.get("SwitchName") else None
    legacy = bool(p.get("IsLegacy"))
    made = []
    for vm in vm_targets(world, p):
        _refuse_hot(world, vm, legacy=legacy)
        if legacy and vm.generation == 2:
            text = f"'{vm.name}' does not support a legacy network adapter."
            raise CmdletError("InvalidParameter", "InvalidArgument", text)
        adapter = Adapter(id=world.new_id(), name=str(p.get("Name") or "Network Adapter"), legacy=legacy)
        adapter.switch = switch.id if switch is not None else None
        if p.get("StaticMacAddress"):
            adapter.mac, adapter.dynamic_mac = _mac(str(p["StaticMacAddress"])), False
        if p.get("DeviceNaming") is not None:
            adapter.details["DeviceNaming"] = p["DeviceNaming"]
        vm.hardware.adapters.append(adapter)
        vm.hardware.boot_order.append(adapter.id)
        if vm.state in _UP:
            assign_macs(world, vm)
        made.append(adapter_record(world, vm, adapter))
    return made if p.flag("Passthru") else []


@cmdlet("Remove-VMNetworkAdapter")
def remove_adapter(world: World, p: Bound) -> Iterable[Record]:
    """Take adapters out."""
    found = adapter_targets(world, p)
    for vm, adapter in found:
        _refuse_hot(world, vm, legacy=adapter.legacy)
    shown = [adapter_record(world, vm, adapter) for vm, adapter in found]
    for vm, adapter in found:
        vm.hardware.adapters.remove(adapter)
        vm.hardware.boot_order = [one for one in vm.hardware.boot_order if one != adapter.id]
    return shown if p.flag("Passthru") else []


@cmdlet("Set-VMNetworkAdapter")
def set_adapter(world: World, p: Bound) -> Iterable[Record]:
    """Change adapters; the MAC address of one that is off only."""

    def change(vm: Vm, adapter: Adapter) -> None:
        if (p.get("StaticMacAddress") or p.flag("DynamicMacAddress")) and vm.state != "Off":
            raise wrong_state(vm.name)
        if p.get("StaticMacAddress"):
            adapter.mac, adapter.dynamic_mac = _mac(str(p["StaticMacAddress"])), False
        if p.flag("DynamicMacAddress"):
            adapter.mac, adapter.dynamic_mac = "0" * 12, True
        for parameter, shown in _SETTINGS.items():
            if p.get(parameter) is not None:
                adapter.details[shown] = p[parameter]

    return _change(world, p, change)


@cmdlet("Rename-VMNetworkAdapter")
def rename_adapter(world: World, p: Bound) -> Iterable[Record]:
    """Give adapters another name."""

    def change(vm: Vm, adapter: Adapter) -> None:
        adapter.name = str(p["NewName"])

    return _change(world, p, change)


@cmdlet("Connect-VMNetworkAdapter")
def connect_adapter(world: World, p: Bound) -> Iterable[Record]:
    """Connect adapters to a switch, whatever the VM does."""
    if p.get("VMSwitch") is not None:
        switch = p["VMSwitch"].owner
        if switch.id not in world.switches:
            raise not_found(f'a virtual switch with id "{switch.id}"')
    else:
        switch = switch_named(world, str(p["SwitchName"]))

    def change(vm: Vm, adapter: Adapter) -> None:
        adapter.switch = switch.id

    return _change(world, p, change)


@cmdlet("Disconnect-VMNetworkAdapter")
def disconnect_adapter(world: World, p: Bound) -> Iterable[Record]:
    """Take adapters off their switch, whatever the VM does."""

    def change(vm: Vm, adapter: Adapter) -> None:
        adapter.switch = None

    return _change(world, p, change)


def _change(world: World, p: Bound, change: Callable[[Vm, Adapter], None]) -> list[Record]:
    found = adapter_targets(world, p)
    for vm, adapter in found:
        change(vm, adapter)
    return [adapter_record(world, vm, adapter) for vm, adapter in found] if p.flag("Passthru") else []


def _refuse_hot(world: World, vm: Vm, *, legacy: bool) -> None:
    hot = vm.generation == 2 and not legacy and world.options.version >= 2016
    if vm.state != "Off" and not (hot and vm.state in _UP):
        raise wrong_state(vm.name)


def _mac(text: str) -> str:
    digits = re.sub("[-:. ]", "", text).upper()
    if not re.fullmatch("[0-9A-F]{12}", digits):
        message = "The MAC address is not valid."
        raise CmdletError("InvalidParameter", "InvalidArgument", message, text)
    return digits


# ---- what a cmdlet is to act on --------------------------------------------------------------------------


def vm_targets(world: World, p: Bound) -> list[Vm]:
    """Return the VMs that a cmdlet was given, as objects or by name.

    Raises:
        CmdletError: There is no such VM.
    """
    found: list[Vm] = []
    for record in p.many("VM"):
        if record.owner.id not in world.vms:
            raise not_found(f'a virtual machine with id "{record.owner.id}"')
        found.append(record.owner)
    for name in p.many("VMName"):
        matching = [one for one in world.vms.values() if matches(one.name, str(name))]
        if not matching:
            raise not_found(f'a virtual machine with name "{name}"')
        found += matching
    return found


def adapter_targets(world: World, p: Bound) -> list[tuple[Vm, Adapter]]:
    """Return the adapters that a cmdlet was given, as objects, or by VM and name, with their VMs.

    Raises:
        CmdletError: There is no such VM or adapter.
    """
    given = p.many("VMNetworkAdapter")
    if given:
        return [_present(world, *one.owner) for one in given]
    names = p.many("Name") or p.many("VMNetworkAdapterName") or ["*"]
    vms = vm_targets(world, p)
    found = [(vm, one) for vm in vms for one in vm.hardware.adapters if any(matches(one.name, str(n)) for n in names)]
    if not found and names != ["*"]:
        raise not_found(f'a network adapter with name "{names[0]}"')
    return found


def _present(world: World, vm: Vm, adapter: Adapter) -> tuple[Vm, Adapter]:
    """Return the adapter as it is now: a revert puts others in its place."""
    for one in vm.hardware.adapters if vm.id in world.vms else ():
        if one.id == adapter.id:
            return vm, one
    raise not_found("the network adapter")
