"""Networks: port groups of hosts, distributed port groups, and those of NSX."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hvsdk.driver import Deadline, Network, frozen
from pyVmomi import vim

from hvsdk_vmware._around import vlan_in
from hvsdk_vmware._bulk import object_spec
from hvsdk_vmware._fields import NOTHING, Found, as_number, child, flag, text
from hvsdk_vmware._names import shown
from hvsdk_vmware._places import HOSTS, NETWORKS, from_root
from hvsdk_vmware._session import VmwareSession

__all__ = ["NetworkReads"]

_KINDS = {"Network": "standard", "DistributedVirtualPortgroup": "distributed", "OpaqueNetwork": "opaque"}
_PORT_GROUPS = "config.network.portgroup"
_UPLINKS = "config.uplinkPortgroup"
_PATHS: dict[type, Iterable[str]] = {
    vim.Network: ("name", "summary.accessible"),
    vim.dvs.DistributedVirtualPortgroup: (
        *("name", "summary.accessible", "key", "config.distributedVirtualSwitch", "config.defaultPortConfig"),
        "config.description",
    ),
    vim.HostSystem: (_PORT_GROUPS,),
}
_SWITCH_PATHS: dict[type, Iterable[str]] = {
    vim.DistributedVirtualSwitch: ("name", _UPLINKS),
    vim.dvs.VmwareDistributedVirtualSwitch: ("name", _UPLINKS, "config.maxMtu"),
}


class NetworkReads(VmwareSession):
    """`list_networks`."""

    def list_networks(self, *, deadline: Deadline) -> Iterable[Network]:
        """Return the networks, in one call; those that only connect a switch to the outside are left out."""
        root = object_spec(self.content.rootFolder, from_root(NETWORKS, HOSTS))
        wish = {**_PATHS, **(_SWITCH_PATHS if self.is_vcenter else {})}  # a host by itself has no distributed ones
        found = self.read_all([root], wish, deadline=deadline)
        switches = {one.id: one for one in found if one.kind.endswith("VirtualSwitch")}
        vlans = _vlans(one for one in found if one.kind == "HostSystem")
        uplinks = {group.text for switch in switches.values() for group in switch.values.get(_UPLINKS, NOTHING)}
        return [_network(one, switches, vlans) for one in found if one.kind in _KINDS and one.id not in uplinks]


def _vlans(hosts: Iterable[Found]) -> dict[str, set[int]]:
    """Return the numbers of the VLANs that hosts' port groups of a name are on."""
    vlans: dict[str, set[int]] = {}
    for host in hosts:
        for group in host.values.get(_PORT_GROUPS, NOTHING):
            number = as_number(child(group, "spec", "vlanId"))
            vlans.setdefault(child(group, "spec", "name"), set()).add(number or 0)
    return vlans


def _network(one: Found, switches: dict[str, Found], vlans: dict[str, set[int]]) -> Network:
    values = one.values
    name = shown(text(values, "name"))
    switch = switches.get(text(values, "config.distributedVirtualSwitch"))
    same = vlans.get(name, set())
    vlan = vlan_in(values.get("config.defaultPortConfig")) if switch is not None else next(iter(same), 0)
    details: dict[str, Any] = {
        "vmware.kind": _KINDS[one.kind],
        "vmware.switch": shown(text(switch.values, "name")) if switch is not None else None,
        "vmware.description": text(values, "config.description"),
        "vmware.vlans_differ": len(same) > 1 or None,
    }
    return Network(
        id=one.id,
        name=name,
        active=flag(values, "summary.accessible"),
        vlan=vlan if vlan and len(same) <= 1 else None,
        mtu=as_number(text(switch.values, "config.maxMtu")) if switch is not None else None,
        details=frozen({key: value for key, value in details.items() if value}),
    )
