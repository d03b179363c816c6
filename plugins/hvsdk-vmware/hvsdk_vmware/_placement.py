"""Where a new domain goes: its folder, resource pool, host and datastore, which have to fit each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs
from hvsdk.driver import Deadline, errors
from pyVmomi import vim

from hvsdk_vmware._fields import NOTHING, Element, Found, flag, number, text
from hvsdk_vmware._names import shown
from hvsdk_vmware._records import Around
from hvsdk_vmware._views import ViewReads

__all__ = ["Home", "Inventory", "Placement", "is_usable", "some_of", "unused_memory"]

_PATHS: Mapping[type, tuple[str, ...]] = {
    vim.Folder: ("name", "parent"),
    vim.Datacenter: ("name", "parent", "vmFolder"),
    vim.ComputeResource: ("name", "parent", "resourcePool"),
    vim.ResourcePool: ("name", "owner"),
    vim.HostSystem: (
        *("name", "parent", "datastore", "network"),
        *("summary.quickStats.overallMemoryUsage", "summary.hardware.memorySize"),
        *("runtime.connectionState", "runtime.inMaintenanceMode"),
    ),
    vim.Datastore: (
        *("name", "summary.accessible", "summary.freeSpace", "summary.multipleHostAccess", "summary.maintenanceMode"),
    ),
    vim.Network: ("name",),
}
_NAMED = 20
"""How many places are named in the place of one that is not there."""
_STORE_KINDS = ("Datastore",)
_NETWORK_KINDS = ("Network", "DistributedVirtualPortgroup", "OpaqueNetwork")
_FOLDER_KINDS = ("Folder",)


@attrs.frozen(kw_only=True)
class Home:
    """Where a domain is made; ids."""

    folder: str
    pool: str
    host: str
    store: str
    store_name: str
    """As the server writes it."""


class Inventory:
    """What there is of places, read at once."""

    def __init__(self, found: Iterable[Found]) -> None:
        self.all = {one.id: one for one in found}

    def of(self, *kinds: str) -> list[Found]:
        """Return all of some kinds."""
        return [one for one in self.all.values() if one.kind in kinds]

    def called(self, key: str, *kinds: str) -> set[str]:
        """Return the ids of those whose id or name is `key`."""
        if key in self.all and self.all[key].kind in kinds:
            return {key}
        return {one.id for one in self.of(*kinds) if shown(text(one.values, "name")) == key}

    def datacenter(self, at: str) -> str:
        """Return the datacenter that something is in, `""` for none."""
        for _ in range(100):
            if at not in self.all or self.all[at].kind == "Datacenter":
                return at if at in self.all else ""
            at = text(self.all[at].values, "parent")
        return ""

    def folders(self, key: str) -> set[str]:
        """Return the folders with this id or path from the root."""
        around, wanted = self._folders(), key.strip("/")
        return {one.id for one in self.of(*_FOLDER_KINDS) if one.id == key or around.path_of(one.id) == wanted}

    def paths(self) -> list[str]:
        """Return the paths of the folders for domains, from the root."""
        around, tops = self._folders(), {text(one.values, "vmFolder") for one in self.of("Datacenter")}
        found = {one.id: around.path_of(one.id) or "" for one in self.of(*_FOLDER_KINDS)}
        homes = tuple(found[one] for one in tops if found.get(one))
        return [path for path in found.values() if any(f"{path}/".startswith(f"{home}/") for home in homes)]

    def _folders(self) -> Around:
        known = {
            one.id: (shown(text(one.values, "name")), text(one.values, "parent"))
            for one in self.of("Folder", "Datacenter")
        }
        return Around(folders=known)

    def names(self, *kinds: str) -> list[str]:
        """Return the names of all of some kinds."""
        return [shown(text(one.values, "name")) for one in self.of(*kinds)]

    def usable_hosts(self) -> list[Found]:
        """Return the hosts that domains can be made on."""
        return [
            one
            for one in self.of("HostSystem")
            if text(one.values, "runtime.connectionState") in ("connected", "")
            and not flag(one.values, "runtime.inMaintenanceMode")
        ]


def some_of(names: Iterable[str]) -> str:
    """Return names as a list for people, not longer than they read."""
    found = sorted(set(names))
    more = len(found) - _NAMED
    return ", ".join(found[:_NAMED]) + (f" and {more} others" if more > 0 else "")


class Placement(ViewReads):
    """Chooses places."""

    def inventory(self, deadline: Deadline) -> Inventory:
        """Return what there is of places, in one call and one for each further page."""
        pages = self.read_view(_PATHS, deadline=deadline)
        return Inventory([one for page in pages for one in page])

    def choose_home(
        self,
        hints: Mapping[str, Any],
        stores: Sequence[str],
        networks: Sequence[str],
        deadline: Deadline,
        *,
        seen: Sequence[str] = (),
    ) -> Home:
        """Return a place where all that is wished for can be had.

        Of several hosts that with the most unused memory is taken, of several datastores those that hosts share first,
        then that with the most room.

        Args:
            hints: `folder`, `resource_pool`, `host` and `datastore`, as far as they are given.
            stores: Names or ids of the datastores of its disks; the first one is its own, unless there is a hint.
            networks: Names or ids of its networks.
            seen: Further datastores that its host has to see.

        Raises:
            NotFoundError: One of them is not there.
            InvalidSpecError: They are not in one place, or there is more than one of a name there.
        """
        there = self.inventory(deadline)
        hosts = _hosts_with(there, hints, [*stores, *seen], networks)
        host = min(hosts, key=lambda one: (-unused_memory(one), text(one.values, "name"), one.id))
        center = there.datacenter(host.id)
        folder = text(there.all[center].values, "vmFolder") if center else ""
        if "folder" in hints:
            folder = _only(there.folders(hints["folder"]), "folder", hints["folder"])
        pool = text(there.all[text(host.values, "parent")].values, "resourcePool")
        if "resource_pool" in hints:
            pool = _only(_pools_of(there, host, hints["resource_pool"]), "resource pool", hints["resource_pool"])
        if not folder or not pool:
            raise errors.PermissionDeniedError("the folder or resource pool for new domains is not shown to this user")
        wanted = hints.get("datastore") or next(iter(stores), None)
        store = _store_on(there, host, wanted)
        return Home(folder=folder, pool=pool, host=host.id, store=store.id, store_name=text(store.values, "name"))


def unused_memory(host: Found) -> int:
    """Return the bytes of a host's memory that nothing uses, as far as it tells."""
    used = number(host.values, "summary.quickStats.overallMemoryUsage") or 0
    return (number(host.values, "summary.hardware.memorySize") or 0) - (used << 20)


def _hosts_with(
    there: Inventory, hints: Mapping[str, Any], stores: Sequence[str], networks: Sequence[str]
) -> list[Found]:
    hosts = there.usable_hosts()
    if not hosts:
        raise errors.InsufficientResourcesError("no host is connected and not in maintenance")
    wishes: list[tuple[str, set[str]]] = []

    def wish(
        words: str, found: set[str], error: type[errors.NotFoundError], fits: set[str], names: Iterable[str]
    ) -> None:
        if not found:
            raise error(f"there is no {words}", hint=f"there are: {some_of(names)}")
        wishes.append((words, fits))

    if "host" in hints:
        found = there.called(hints["host"], "HostSystem")
        wish(f"host {hints['host']!r}", found, errors.NodeNotFoundError, found, there.names("HostSystem"))
    if "resource_pool" in hints:
        key = hints["resource_pool"]
        fits = {host.id for host in hosts if _pools_of(there, host, key)}
        names = there.names("ResourcePool")
        wish(f"resource pool {key!r}", there.called(key, "ResourcePool"), errors.NotFoundError, fits, names)
    if "folder" in hints:
        found = there.folders(hints["folder"])
        centers = {there.datacenter(one) for one in found}
        fits = {host.id for host in hosts if there.datacenter(host.id) in centers}
        wish(f"folder {hints['folder']!r}", found, errors.NotFoundError, fits, there.paths())
    for key in dict.fromkeys([*([hints["datastore"]] if "datastore" in hints else ()), *stores]):
        found = there.called(key, *_STORE_KINDS)
        fits, names = _mounting(hosts, "datastore", found), there.names(*_STORE_KINDS)
        wish(f"datastore {key!r}", found, errors.StoragePoolNotFoundError, fits, names)
    for key in dict.fromkeys(networks):
        found = there.called(key, *_NETWORK_KINDS)
        fits, names = _mounting(hosts, "network", found), there.names(*_NETWORK_KINDS)
        wish(f"network {key!r}", found, errors.NetworkNotFoundError, fits, names)
    fitting = [host for host in hosts if all(host.id in fits for _, fits in wishes)]
    if not fitting:
        raise errors.InvalidSpecError(
            f"no host that can be used has all of this: {', '.join(words for words, _ in wishes)}",
            hint="name places that belong together",
        )
    return fitting


def _mounting(hosts: Iterable[Found], what: str, wanted: set[str]) -> set[str]:
    return {host.id for host in hosts if not wanted.isdisjoint(_ids(host.values.get(what, NOTHING)))}


def _ids(listed: Element) -> set[str]:
    return {one.text or "" for one in listed}


def _pools_of(there: Inventory, host: Found, key: str) -> set[str]:
    compute = text(host.values, "parent")
    return {one for one in there.called(key, "ResourcePool") if text(there.all[one].values, "owner") == compute}


def _store_on(there: Inventory, host: Found, key: str | None) -> Found:
    mounted = _ids(host.values.get("datastore", NOTHING))
    named = there.called(key, *_STORE_KINDS) if key is not None else mounted
    found = [there.all[one] for one in named & mounted if one in there.all and is_usable(there.all[one])]
    if not found:
        raise errors.InsufficientResourcesError(
            f"datastore {key!r} cannot be used now" if key else "the host has no datastore that can be used"
        )
    return max(found, key=lambda one: (flag(one.values, _SHARED) is True, number(one.values, _FREE) or 0, one.id))


_SHARED, _FREE = "summary.multipleHostAccess", "summary.freeSpace"


def is_usable(store: Found) -> bool:
    """Whether a datastore can be reached and is not in maintenance."""
    maintenance = text(store.values, "summary.maintenanceMode") or "normal"
    return flag(store.values, "summary.accessible") is not False and maintenance == "normal"


def _only(found: set[str], what: str, key: str) -> str:
    if len(found) > 1:
        raise errors.InvalidSpecError(
            f"more than one {what} is called {key!r}", hint=f"name one by its id: {', '.join(sorted(found))}"
        )
    return next(iter(found))
