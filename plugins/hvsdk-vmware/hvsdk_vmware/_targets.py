"""Where a domain can move to: hosts, datastores and networks, held against what the domain has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import attrs
from hvsdk.driver import Deadline
from pyVmomi import vim

from hvsdk_vmware._fields import NOTHING, Found, flag, number, text
from hvsdk_vmware._hardware import HardwareReads, Subject
from hvsdk_vmware._names import shown
from hvsdk_vmware._placement import Inventory, Placement, is_usable, some_of, unused_memory

__all__ = ["Move", "NoPlaceError", "Targets"]

Card = vim.vm.device.VirtualEthernetCard
_NETWORKS = ("Network", "DistributedVirtualPortgroup", "OpaqueNetwork")


class NoPlaceError(Exception):
    """Why a domain cannot move, in words."""


@attrs.frozen(kw_only=True)
class Move:
    """One way in which a domain moves; ids at the target, `None` for what stays as it is."""

    host: str | None = None
    store: str | None = None
    pool: str | None = None
    """Resource pool, where the cluster is another one."""
    folder: str | None = None
    """Where the datacenter is another one."""
    wires: Mapping[int, Found] = attrs.field(factory=dict)
    """Networks by the keys of adapters whose own network is not there."""

    def __bool__(self) -> bool:
        return bool(self.host or self.store)


class Targets(HardwareReads, Placement):
    """Finds the way, on what both sides know by themselves; the server knows more, and is asked then."""

    def plan_here(self, vm: Subject, node: str | None, pool: str | None, deadline: Deadline) -> Move:
        """Return the way within this vCenter, one that is no way at all where the domain is there already.

        Raises:
            NoPlaceError: There is none.
        """
        known = self.inventory(deadline)
        mine = _id(vm.values.get("runtime.host"))
        host = _node(known, node) if node is not None else known.all.get(mine)
        store = _store(known, pool) if pool is not None else None
        if host is None:
            raise NoPlaceError("the node that it is on is not shown to this user: say node=")
        used = {_id(one) for one in vm.values.get("datastore") or ()}
        if store is not None and used == {store.id}:
            store = None
        if store is not None:
            _refuse_unseen(known, host, {store.id})
        elif host.id != mine:
            _refuse_unseen(known, host, used, "say pool= too")
        if host.id == mine:
            return Move(store=store.id if store is not None else None)
        center = known.datacenter(host.id)
        moves_out = center != known.datacenter(mine)
        return Move(
            host=host.id,
            store=store.id if store is not None else None,
            pool=_pool(known, host) if _parent(known, mine) != text(host.values, "parent") else None,
            folder=text(known.all[center].values, "vmFolder") or None if moves_out and center else None,
            wires=_wires(vm, known, known, host, stays=not moves_out),
        )

    def plan_there(self, vm: Subject, there: Placement, node: str | None, pool: str | None, deadline: Deadline) -> Move:
        """Return the way to another vCenter: to the host with the most unused memory of those that have all the networks,
        and there to the datastore with the most room, as far as neither is named.

        Raises:
            NoPlaceError: There is none.
        """
        here, known = self.inventory(deadline), there.inventory(deadline)
        named = _store(known, pool) if pool is not None else None
        hosts = [_node(known, node)] if node is not None else known.usable_hosts()
        reason = "no node is connected there that is not in maintenance"
        fitting: list[tuple[Found, Found, dict[int, Found]]] = []
        for host in hosts:
            try:
                fitting.append((host, _roomiest(known, host, named), _wires(vm, here, known, host, stays=False)))
            except NoPlaceError as exc:
                reason = str(exc)
        if not fitting:
            raise NoPlaceError(reason)
        host, store, wires = min(fitting, key=lambda one: (-unused_memory(one[0]), one[0].id))
        center = known.all.get(known.datacenter(host.id))
        folder = text(center.values, "vmFolder") if center is not None else ""
        if not folder:
            raise NoPlaceError("the folder for domains there is not shown to that user")
        return Move(host=host.id, store=store.id, pool=_pool(known, host), folder=folder, wires=wires)


def _id(mo: Any) -> str:
    return str(getattr(mo, "_moId", "") or "")


def _name(one: Found) -> str:
    return shown(text(one.values, "name"))


def _ids(host: Found, what: str) -> set[str]:
    return {one.text or "" for one in host.values.get(what, NOTHING)}


def _one(known: Inventory, key: str, kind: str, what: str) -> Found:
    found = known.called(key, kind)
    if len(found) == 1:
        return known.all[next(iter(found))]
    if found:
        raise NoPlaceError(f"several {what}s are called {key!r}: name one by its id ({', '.join(sorted(found))})")
    there = some_of(known.names(kind))
    raise NoPlaceError(f"there is no {what} {key!r}, only {there}" if there else f"there is no {what} {key!r}")


def _node(known: Inventory, key: str) -> Found:
    host = _one(known, key, "HostSystem", "node")
    if flag(host.values, "runtime.inMaintenanceMode"):
        raise NoPlaceError(f"node {_name(host)!r} is in maintenance")
    if host.id not in {one.id for one in known.usable_hosts()}:
        raise NoPlaceError(f"node {_name(host)!r} is not connected to its vCenter")
    return host


def _store(known: Inventory, key: str) -> Found:
    store = _one(known, key, "Datastore", "storage pool")
    if not is_usable(store):
        raise NoPlaceError(f"storage pool {_name(store)!r} cannot be used now: it is not accessible, or in maintenance")
    return store


def _refuse_unseen(known: Inventory, host: Found, stores: Iterable[str], advice: str = "say another node=") -> None:
    unseen = sorted(set(stores) - _ids(host, "datastore"))
    if unseen:
        names = ", ".join(repr(_name(known.all[one]) if one in known.all else one) for one in unseen)
        raise NoPlaceError(f"node {_name(host)!r} does not see storage pool {names}: {advice}")


def _roomiest(known: Inventory, host: Found, named: Found | None) -> Found:
    """Return the datastore that takes the disks on a host."""
    if named is not None:
        _refuse_unseen(known, host, {named.id})
        return named
    seen = [known.all[one] for one in _ids(host, "datastore") if one in known.all and is_usable(known.all[one])]
    if not seen:
        raise NoPlaceError(f"node {_name(host)!r} sees no storage pool that can be used")
    return max(seen, key=lambda store: (number(store.values, "summary.freeSpace") or 0, store.id))


def _parent(known: Inventory, host: str) -> str:
    return text(known.all[host].values, "parent") if host in known.all else ""


def _pool(known: Inventory, host: Found) -> str:
    compute = known.all.get(text(host.values, "parent"))
    pool = text(compute.values, "resourcePool") if compute is not None else ""
    if not pool:
        raise NoPlaceError(f"the resource pool of node {_name(host)!r} is not shown to that user")
    return pool


def _wires(vm: Subject, here: Inventory, there: Inventory, host: Found, *, stays: bool) -> dict[int, Found]:
    """Return for each adapter the target's network of the same name, for those whose own network is not there.

    Args:
        stays: Whether networks are the same ones at the target, as within a datacenter.
    """
    seen = [there.all[one] for one in _ids(host, "network") if one in there.all and there.all[one].kind in _NETWORKS]
    wires: dict[int, Found] = {}
    for card in vm.devices:
        if not isinstance(card, Card):
            continue
        own, name = _network_of(card, here)
        if own is None and name is None:
            if stays:
                continue  # the server knows
            raise NoPlaceError(f"nothing tells which network adapter {card.key} is on, so it has none there")
        if stays and any(one.id == own or (own is None and _name(one) == name) for one in seen):
            continue
        same = [one for one in seen if _name(one) == name]
        if len(same) != 1:
            raise NoPlaceError(f"node {_name(host)!r} has {'several networks' if same else 'no network'} {name!r}")
        wires[card.key] = same[0]
    return wires


def _network_of(card: Any, here: Inventory) -> tuple[str | None, str | None]:
    """Return the id and the name of an adapter's network, as far as they are known."""
    backing = card.backing
    if isinstance(backing, Card.NetworkBackingInfo):
        key = _id(backing.network)
        return (key if key in here.all else None), shown(str(backing.deviceName or "")) or None
    key = str(getattr(getattr(backing, "port", None), "portgroupKey", None) or "")
    return (key, _name(here.all[key])) if key in here.all else (None, None)
