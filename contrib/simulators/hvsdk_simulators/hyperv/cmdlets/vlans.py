"""VLANs of network adapters: `Get-` and `Set-VMNetworkAdapterVlan`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from .adapter_records import vlan_record
from .adapters import adapter_targets
from .errors import CmdletError
from .records import Record
from .registry import Bound, cmdlet

if TYPE_CHECKING:
    from hvsdk_simulators.hyperv.world import World

__all__ = ["get_vlan", "set_vlan"]

_MOST = 4094


@cmdlet("Get-VMNetworkAdapterVlan")
def get_vlan(world: World, p: Bound) -> Iterable[Record]:
    """Return the VLAN settings of adapters."""
    return [vlan_record(world, vm, adapter) for vm, adapter in adapter_targets(world, p)]


@cmdlet("Set-VMNetworkAdapterVlan")
def set_vlan(world: World, p: Bound) -> Iterable[Record]:
    """Put adapters on one VLAN, on several, or on none, whatever the VM does."""
    found = adapter_targets(world, p)
    if p.flag("Access"):
        number = p.get("VlanId")
        if number is None or not 1 <= int(number) <= _MOST:
            raise CmdletError("InvalidParameter", "InvalidArgument", "The VLAN identifier is not valid.", number)
    for _, adapter in found:
        if p.flag("Untagged"):
            adapter.vlan_mode, adapter.vlan = "Untagged", 0
        elif p.flag("Access"):
            adapter.vlan_mode, adapter.vlan = "Access", int(p["VlanId"])
        elif p.flag("Trunk"):
            adapter.vlan_mode, adapter.vlan = "Trunk", 0
            adapter.details["_trunk"] = (str(p.get("AllowedVlanIdList") or ""), int(p.get("NativeVlanId") or 0))
    return [vlan_record(world, vm, adapter) for vm, adapter in found] if p.flag("Passthru") else []
