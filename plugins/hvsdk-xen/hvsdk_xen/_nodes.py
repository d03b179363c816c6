"""The hosts of the pool."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import XenAPI
from hvsdk.driver import Deadline, Node, frozen

from hvsdk_xen._fields import Record, Related, count, mapping, reference, text
from hvsdk_xen._records import uuid_of
from hvsdk_xen._related import RelatedReads
from hvsdk_xen._values import as_int

__all__ = ["NodeReads", "node"]


class NodeReads(RelatedReads):
    """`list_nodes`."""

    def list_nodes(self, *, deadline: Deadline) -> Iterable[Node]:
        """Return the hosts; one call, and one more for each that lives where its metrics no longer tell free memory."""
        related = Related(self.read_together(("host", "host_metrics", "pool"), deadline))
        master = next((reference(pool, "master") for pool in related.classes.get("pool", {}).values()), None)
        found = []
        for ref, host in related.classes.get("host", {}).items():
            made = node(host, related.of("host_metrics", host, "metrics"), is_master=ref == master)
            if made.free_memory_bytes is None and made.state in ("up", "maintenance"):
                made = made.replace(free_memory_bytes=self._free_memory(ref, deadline))
            found.append(made)
        return sorted(found, key=lambda one: one.name)

    def _free_memory(self, host: str, deadline: Deadline) -> int | None:
        try:
            free = as_int(self.call("host.compute_free_memory", host, deadline=deadline))
        except XenAPI.Failure:  # the host has just gone, or the role may not ask: the rest of it is known
            return None
        return max(0, free) if free is not None else None


def node(host: Record, metrics: Record, *, is_master: bool) -> Node:
    """Return the record of a host."""
    cpu, software = mapping(host, "cpu_info"), mapping(host, "software_version")
    total = count(metrics, "memory_total")
    sockets = as_int(cpu.get("socket_count"))
    details: dict[str, Any] = {
        "xen.is_master": is_master,
        "xen.address": text(host, "address") or None,
        "xen.hostname": text(host, "hostname") or None,
        "xen.product": software.get("product_brand"),
        "xen.product_version": software.get("product_version"),
        "xen.edition": text(host, "edition") or None,
        "xen.sockets": sockets,
        "xen.description": text(host, "name_description") or None,
    }
    return Node(
        id=uuid_of(host, "host"),
        name=text(host, "name_label") or text(host, "hostname"),
        state=_state(host, metrics),
        cpus=as_int(cpu.get("cpu_count")),
        memory_bytes=total or None,
        free_memory_bytes=count(metrics, "memory_free") or None,
        cpu_model=" ".join(cpu.get("modelname", "").split()) or None,
        hypervisor_version=software.get("xen"),
        details=frozen({key: value for key, value in details.items() if value is not None}),
    )


def _state(host: Record, metrics: Record) -> Literal["up", "down", "maintenance", "unknown"]:
    """Return the state of a host: one that is disabled takes no domains, and is evacuated for work on it."""
    live = metrics.get("live")
    if live is False:
        return "down"
    if host.get("enabled") is False:
        return "maintenance"
    return "up" if live is True else "unknown"
