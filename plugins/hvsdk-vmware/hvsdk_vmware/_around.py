"""What domains refer to: hosts, networks and folders, read together with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from sys import intern
from typing import Any

from pyVmomi import vim

from hvsdk_vmware._devices import NetworkName
from hvsdk_vmware._fields import NOTHING, Element, Found, as_number, child, children, kind_of, text
from hvsdk_vmware._names import shown
from hvsdk_vmware._records import Around

__all__ = ["AROUND_PATHS", "HOST_PATHS", "add_to", "vlan_in"]

_AUTOSTART = "config.autoStart"
_PORT = "config.defaultPortConfig"
HOST_PATHS = ("name", _AUTOSTART)
AROUND_PATHS: Mapping[type, Iterable[str]] = {
    vim.HostSystem: HOST_PATHS,
    vim.Network: ("name",),
    vim.dvs.DistributedVirtualPortgroup: ("name", _PORT),
    vim.Folder: ("name", "parent"),
    vim.Datacenter: ("name", "parent"),
}
"""What is read of all that a domain's `config` refers to."""


def add_to(around: Around, found: Found) -> None:
    """Note an object that is no domain."""
    name = intern(shown(text(found.values, "name")))
    if found.kind == "HostSystem":
        around.hosts[found.id] = name
        _add_autostart(around.autostart, found.values.get(_AUTOSTART, NOTHING))
    elif found.kind in ("Folder", "Datacenter"):
        around.folders[found.id] = name, text(found.values, "parent")
    else:
        around.networks[found.id] = NetworkName(name, vlan_in(found.values.get(_PORT)))


def _add_autostart(known: dict[str, bool], config: Element) -> None:
    """Note which domains start with a host. A host that starts none keeps its list all the same."""
    starts = child(config, "defaults", "enabled") == "true"
    for entry in children(config, "powerInfo"):
        known[child(entry, "key")] = starts and child(entry, "startAction").lower() == "poweron"


def vlan_in(port: Any) -> int | None:
    """Return the VLAN that ports of a distributed port group are on; `None` for none, and for several."""
    if port is None:
        return None
    for vlan in children(port, "vlan"):
        if kind_of(vlan) == "VmwareDistributedVirtualSwitchVlanIdSpec":
            return as_number(child(vlan, "vlanId")) or None
    return None
