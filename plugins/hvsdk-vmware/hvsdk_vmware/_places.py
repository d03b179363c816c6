"""The ways from the inventory's root, or from one domain, to what is read together."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pyVmomi import vim, vmodl

from hvsdk_vmware._fields import Found, text

__all__ = [
    "HOSTS",
    "NETWORKS",
    "STORES",
    "from_domain",
    "from_root",
    "from_store",
    "inventory_path",
    "to_datacenter",
]

Collector = vmodl.query.PropertyCollector
HOSTS, NETWORKS, STORES = "hostFolder", "networkFolder", "datastoreFolder"
"""Parts of a datacenter."""
_DEEPEST = 100


def _way(name: str, kind: type, path: str, *on: str) -> Any:
    selected = [Collector.SelectionSpec(name=one) for one in on]
    return Collector.TraversalSpec(name=name, type=kind, path=path, skip=False, selectSet=selected)


def from_root(*parts: str) -> list[Any]:
    """Return the ways from the root folder through all folders of these parts of each datacenter, and into clusters."""
    on = ("folder", *parts, "hosts")
    return [
        _way("folder", vim.Folder, "childEntity", *on),
        *(_way(part, vim.Datacenter, part, "folder") for part in parts),
        _way("hosts", vim.ComputeResource, "host"),
    ]


def from_domain() -> list[Any]:
    """Return the ways from a domain to its networks and to the folders it is in."""
    return [
        _way("up", vim.VirtualMachine, "parent", "above"),
        _way("above", vim.Folder, "parent", "above", "datacenter"),
        _way("datacenter", vim.Datacenter, "parent", "above"),
        _way("networks", vim.VirtualMachine, "network"),
    ]


def from_store() -> list[Any]:
    """Return the ways from a datastore to the folders that it is in, and its datacenter."""
    return [
        _way("up", vim.Datastore, "parent", "above"),
        _way("above", vim.Folder, "parent", "above", "datacenter"),
        _way("datacenter", vim.Datacenter, "parent", "above"),
    ]


def to_datacenter() -> list[Any]:
    """Return the ways from a domain, by its datastores, to its datacenter: in a vApp it has no folder that leads there."""
    return [_way("stores", vim.VirtualMachine, "datastore", "up"), *from_store()]


def inventory_path(center: Found, found: Iterable[Found]) -> str:
    """Return a datacenter's path from the root as the server writes it, such as `Europe/Berlin`.

    Args:
        found: The folders around it, with `name` and `parent`. The uppermost has no parent, and its name does not count.
    """
    known = {one.id: one for one in found}
    names: list[str] = []
    here: Found | None = center
    while here is not None and (above := text(here.values, "parent")) and len(names) < _DEEPEST:
        names.append(text(here.values, "name"))
        here = known.get(above)
    return "/".join(reversed(names))
