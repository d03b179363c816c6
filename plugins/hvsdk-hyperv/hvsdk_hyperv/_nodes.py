"""The physical machines: the host, and the others of its cluster."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from hvsdk.driver import Deadline, Node, frozen

from hvsdk_hyperv._session import HyperVSession

__all__ = ["NodeReads"]

_STATES: Mapping[str, Literal["up", "down", "maintenance", "unknown"]] = {
    "Up": "up",
    "Down": "down",
    "Paused": "maintenance",
}


class NodeReads(HyperVSession):
    """`list_nodes`."""

    def list_nodes(self, *, deadline: Deadline) -> Iterable[Node]:
        """Return the host, and of its cluster the others too, of which it tells name and state only."""
        nodes = [_node(record) for record in self.call("nodes.list", deadline=deadline)]
        return sorted(nodes, key=lambda one: one.name)


def _node(record: Mapping[str, Any]) -> Node:
    details = {
        "hyperv.cluster": record["cluster"],
        "hyperv.full_name": record["full_name"],
        "hyperv.sockets": record["sockets"],
        "hyperv.node_state": record["state"],
    }
    return Node(
        id=record["id"],
        name=record["name"],
        state=_STATES.get(record["state"], "unknown"),
        cpus=record["cpus"],
        memory_bytes=record["memory"],
        free_memory_bytes=record["free_memory"],
        cpu_model=" ".join((record["cpu_model"] or "").split()) or None,
        hypervisor_version=record["version"],
        details=frozen({key: value for key, value in details.items() if value is not None}),
    )
