"""Where a domain can move to: nodes, storage pools and networks, found by what a caller calls them."""

from __future__ import annotations

from typing import Any

import attrs
import XenAPI
from hvsdk.driver import Deadline, errors

from hvsdk_xen._login import code_of
from hvsdk_xen._values import NULL, as_int, is_ref
from hvsdk_xen._verbs import VerbSession

__all__ = ["Move", "NoPlaceError", "Places"]


class NoPlaceError(Exception):
    """Why a domain cannot move, in words."""


@attrs.frozen(kw_only=True)
class Move:
    """One way in which a domain moves.

    Attributes:
        host: Reference of the node it moves to; `None` where the disks of one that is off move alone.
        vdis: SR on the target for each of its disks, for a move with disks.
        vifs: Network on the target for each of its adapters, for a move to another pool.
        copied: We carry the disks ourselves: XAPI moves none of a domain that is off.
    """

    host: str | None
    vdis: dict[str, str] | None = None
    vifs: dict[str, str] = attrs.field(factory=dict)
    copied: bool = False


class Places(VerbSession):
    """Looks for places on this connection's pool."""

    def find_node(self, key: str, deadline: Deadline) -> str:
        """Return the host whose UUID, name or address is `key`."""
        hosts = self.call("host.get_all_records", deadline=deadline)
        names = ("uuid", "name_label", "hostname", "address")
        for name in names:
            found = [ref for ref, host in hosts.items() if host.get(name) == key]
            if len(found) == 1:
                return str(found[0])
            if found:
                uuids = ", ".join(sorted(hosts[ref]["uuid"] for ref in found))
                raise NoPlaceError(f"several nodes are called {key!r}: name one by its UUID ({uuids})")
        known = ", ".join(sorted(host.get("name_label", "") for host in hosts.values()))
        raise NoPlaceError(f"there is no node {key!r}, only {known}")

    def find_pool(self, key: str, deadline: Deadline) -> str:
        """Return the SR whose UUID or name is `key`."""
        try:
            return str(self.call("SR.get_by_uuid", key, deadline=deadline))
        except XenAPI.Failure as exc:
            if code_of(exc) != "UUID_INVALID":
                raise
        found = self.call("SR.get_by_name_label", key, deadline=deadline)
        if len(found) == 1:
            return str(found[0])
        if not found:
            raise NoPlaceError(f"there is no storage pool {key!r}")
        uuids = ", ".join(sorted(str(self.call("SR.get_uuid", ref, deadline=deadline)) for ref in found))
        raise NoPlaceError(f"several storage pools are called {key!r}: name one by its UUID ({uuids})")

    def default_pool(self, deadline: Deadline) -> str:
        """Return the SR in which the pool puts what nobody chose a place for."""
        for pool in self.call("pool.get_all_records", deadline=deadline).values():
            if is_ref(pool.get("default_SR")):
                return str(pool["default_SR"])
        raise NoPlaceError("its pool has no default storage repository: say pool=")

    def some_node(self, vm: dict[str, Any], storage: str | None, deadline: Deadline) -> str:
        """Return a host that does the work of moving: the one the VM runs on, else one that sees the storage."""
        if is_ref(vm.get("resident_on")):
            return str(vm["resident_on"])
        useful = self._useful_nodes(storage, deadline)
        affinity = vm.get("affinity", NULL)
        return str(affinity) if affinity in useful else min(useful)

    def roomiest_node(self, storage: str, deadline: Deadline) -> str:
        """Return the host with the most free memory of those that see the storage."""
        useful = self._useful_nodes(storage, deadline)
        metrics = self.call("host_metrics.get_all_records", deadline=deadline)
        free = {ref: as_int(metrics.get(host.get("metrics"), {}).get("memory_free")) for ref, host in useful.items()}
        return max(sorted(free), key=lambda ref: free[ref] or 0)

    def _useful_nodes(self, storage: str | None, deadline: Deadline) -> dict[str, dict[str, Any]]:
        hosts = self.call("host.get_all_records", deadline=deadline)
        seeing = hosts.keys() if storage is None else self._hosts_of(storage, deadline)
        useful = {ref: host for ref, host in hosts.items() if host.get("enabled") and ref in seeing}
        if not useful:
            raise NoPlaceError("no node is enabled that sees the storage")
        return useful

    def _hosts_of(self, storage: str, deadline: Deadline) -> set[str]:
        pbds = self.call("PBD.get_all_records", deadline=deadline).values()
        return {pbd["host"] for pbd in pbds if pbd.get("SR") == storage and pbd.get("currently_attached")}

    def receive(self, host: str, deadline: Deadline) -> dict[str, str]:
        """Ask a host to take a VM in: what it answers is the destination that `VM.migrate_send` wants."""
        network = self.management_network(host, deadline)
        if network is None:
            raise errors.OperationFailedError(
                "the node has no management interface, over which a domain would come to it"
            )
        there: dict[str, str] = self.call("host.migrate_receive", host, network, {}, deadline=deadline)
        return there

    def network_names(self, deadline: Deadline) -> dict[str, str]:
        """Return the networks' names by reference."""
        networks = self.call("network.get_all_records", deadline=deadline)
        return {ref: network.get("name_label", "") for ref, network in networks.items()}
