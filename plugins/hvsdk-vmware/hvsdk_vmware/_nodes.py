"""The hosts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from hvsdk.driver import Deadline, Node, frozen
from pyVmomi import vim

from hvsdk_vmware._bulk import object_spec
from hvsdk_vmware._fields import Found, flag, number, text
from hvsdk_vmware._names import shown
from hvsdk_vmware._places import HOSTS, from_root
from hvsdk_vmware._session import VmwareSession

__all__ = ["NodeReads", "node"]

_PATHS = (
    "name",
    "parent",
    "runtime.connectionState",
    "runtime.powerState",
    "runtime.inMaintenanceMode",
    "summary.hardware.numCpuThreads",
    "summary.hardware.memorySize",
    "summary.hardware.cpuModel",
    "summary.hardware.vendor",
    "summary.hardware.model",
    "summary.hardware.uuid",
    "summary.hardware.numCpuPkgs",
    "summary.hardware.numCpuCores",
    "summary.quickStats.overallMemoryUsage",
    "summary.config.product.version",
    "summary.config.product.build",
)


class NodeReads(VmwareSession):
    """`list_nodes`."""

    def list_nodes(self, *, deadline: Deadline) -> Iterable[Node]:
        """Return the hosts, in one call."""
        root = object_spec(self.content.rootFolder, from_root(HOSTS))
        wish: dict[type, Iterable[str]] = {vim.HostSystem: _PATHS, vim.ComputeResource: ("name",)}
        found = self.read_all([root], wish, deadline=deadline)
        clusters = {one.id: shown(text(one.values, "name")) for one in found if one.kind == "ClusterComputeResource"}
        made = [node(one, clusters.get(text(one.values, "parent"))) for one in found if one.kind == "HostSystem"]
        return sorted(made, key=lambda one: one.name)


def node(host: Found, cluster: str | None) -> Node:
    """Return the record of a host."""
    values = host.values
    total, used = number(values, "summary.hardware.memorySize"), number(values, "summary.quickStats.overallMemoryUsage")
    details = {
        "vmware.cluster": cluster,
        "vmware.build": text(values, "summary.config.product.build"),
        "vmware.vendor": text(values, "summary.hardware.vendor"),
        "vmware.model": text(values, "summary.hardware.model"),
        "vmware.uuid": text(values, "summary.hardware.uuid").lower(),
        "vmware.sockets": number(values, "summary.hardware.numCpuPkgs"),
        "vmware.cores": number(values, "summary.hardware.numCpuCores"),
    }
    return Node(
        id=host.id,
        name=shown(text(values, "name")),
        state=_state(host),
        cpus=number(values, "summary.hardware.numCpuThreads"),
        memory_bytes=total,
        free_memory_bytes=max(0, total - (used << 20)) if total is not None and used is not None else None,
        cpu_model=" ".join(text(values, "summary.hardware.cpuModel").split()) or None,
        hypervisor_version=text(values, "summary.config.product.version") or None,
        details=frozen({key: value for key, value in details.items() if value}),
    )


def _state(host: Found) -> Literal["up", "down", "maintenance", "unknown"]:
    connection = text(host.values, "runtime.connectionState")
    if connection == "notResponding" or text(host.values, "runtime.powerState") in ("poweredOff", "standBy"):
        return "down"
    if connection != "connected":
        return "unknown"
    return "maintenance" if flag(host.values, "runtime.inMaintenanceMode") else "up"
