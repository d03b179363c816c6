"""Network adapters of virtual machines."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from hvsdk_simulators.hyperv.vms import Adapter, Vm

from .adapter_records import adapter_record, adapter_records, assign_macs
from .components import vms_of
from .errors import CmdletError, not_found, wrong_state
from .names import matches
from .records import Record
from .registry import Bound, cmdlet
from .switches import switch_named

if TYPE_CHECKING:
    from hvsdk_simulators.hyperv.world import World

__all__ = ["adapter_targets"]

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
        vms = list(world.vms.values()) if p.flag("All") else vms_of(world, p)
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
    for vm in vms_of(world, p):
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


def adapter_targets(world: World, p: Bound) -> list[tuple[Vm, Adapter]]:
    """Return the adapters that a cmdlet was given, as objects, or by VM and name, with their VMs.

    Raises:
        CmdletError: There is no such VM or adapter.
    """
    given = p.many("VMNetworkAdapter")
    if given:
        return [_present(world, *one.owner) for one in given]
    names = p.many("Name") or p.many("VMNetworkAdapterName") or ["*"]
    vms = vms_of(world, p)
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
