"""The failover cluster that the simulated host is in when it was asked for with more than one node.

Virtual machines that are roles of the cluster move between its nodes; which of them a machine is on is `Vm.node`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid5

from hvsdk_simulators.hyperv.vms import Vm
from hvsdk_simulators.hyperv.world import World

from .errors import CmdletError
from .names import matches
from .records import Record
from .registry import Bound, cmdlet

__all__ = ["CLUSTER", "must_be_node", "node_of", "node_states"]

CLUSTER = "HV-CLUSTER"
_MOVE_SECONDS = 2.0
_GROUPS = UUID("6f7d2c1e-6a50-4b0e-9a3b-35c9f6f0a9d1")
"""What ids of groups follow from, with that of their virtual machine."""


def node_of(world: World, vm: Vm) -> str:
    """Return the name of the node that a virtual machine is on."""
    return vm.node or world.node


def node_states(world: World) -> dict[str, str]:
    """Return the state of each node by its name: a label of ClusterNodeState. It may be changed."""
    states: dict[str, str] = world.facts.setdefault("clusters", {})
    for name in world.nodes:
        states.setdefault(name, "Up")
    return states


def must_be_node(world: World, name: str) -> str:
    """Return a node's name as it is written.

    Raises:
        CmdletError: There is none of this name, or it is not up.
    """
    found = next((one for one in world.nodes if one.lower() == name.lower()), None)
    if found is None:
        raise _failure("ObjectNotFound", f"The cluster node '{name}' was not found.", name)
    if node_states(world)[found] != "Up":
        raise _failure("InvalidOperation", f"The cluster node '{found}' is not up.", name)
    return found


@cmdlet("Get-Cluster")
def get_cluster(world: World, p: Bound) -> Iterator[Record]:
    """Return the cluster."""
    _must_be_cluster(world)
    yield Record("Cluster", CLUSTER, {"Name": CLUSTER, "Domain": "hv.test", "Id": str(uuid5(_GROUPS, CLUSTER))})


@cmdlet("Get-ClusterNode")
def get_cluster_node(world: World, p: Bound) -> Iterator[Record]:
    """Return its nodes."""
    _must_be_cluster(world)
    wanted = p.many("Name")
    states = node_states(world)
    for number, name in enumerate(world.nodes, start=1):
        if not wanted or any(matches(name, str(one)) for one in wanted):
            properties = {"Name": name, "State": states[name], "Cluster": CLUSTER, "Id": str(number), "NodeWeight": 1}
            yield Record("ClusterNode", name, properties)


@cmdlet("Get-ClusterGroup")
def get_cluster_group(world: World, p: Bound) -> Iterator[Record]:
    """Return the groups of virtual machines that are roles."""
    _must_be_cluster(world)
    for vm in _chosen(world, p):
        yield _group(world, vm)


@cmdlet("Move-ClusterVirtualMachineRole")
def move_cluster_virtual_machine_role(world: World, p: Bound) -> Iterator[Record]:
    """Move a role live, or by saving it."""
    yield from _move(world, p)


@cmdlet("Move-ClusterGroup")
def move_cluster_group(world: World, p: Bound) -> Iterator[Record]:
    """Move a group: a machine that runs is saved meanwhile, and goes on there."""
    yield from _move(world, p)


@cmdlet("Add-ClusterVirtualMachineRole")
def add_cluster_virtual_machine_role(world: World, p: Bound) -> Iterator[Record]:
    """Make a virtual machine a role of the cluster."""
    _must_be_cluster(world)
    name = str(p.get("VirtualMachine") or "").lower()
    for vm in world.vms.values():
        if str(vm.id) == str(p.get("VMId")) or (name and vm.name.lower() == name):
            vm.clustered = True
            yield _group(world, vm)
            return
    raise _failure("ObjectNotFound", "The virtual machine was not found.", name)


@cmdlet("Remove-ClusterGroup")
def remove_cluster_group(world: World, p: Bound) -> None:
    """Have virtual machines be no roles any more; they stay where they are."""
    _must_be_cluster(world)
    gone = {_lead(world, vm) for vm in _chosen(world, p)}
    for vm in world.vms.values():
        if vm.clustered and _lead(world, vm) in gone:
            vm.clustered = False


def _move(world: World, p: Bound) -> Iterator[Record]:
    _must_be_cluster(world)
    for vm in _chosen(world, p):
        others = [name for name in world.nodes if name != node_of(world, vm) and node_states(world)[name] == "Up"]
        node = must_be_node(world, str(p["Node"])) if p.get("Node") else (others or [node_of(world, vm)])[0]
        status, vm.status = vm.status, "MigratingVirtualMachine"
        try:
            world.sleep(_MOVE_SECONDS)
        finally:
            vm.status = status
        vm.node = node
        yield _group(world, vm)


def _chosen(world: World, p: Bound) -> list[Vm]:
    roles = [vm for vm in world.vms.values() if vm.clustered]
    if p.get("InputObject") is not None:
        return [record.owner for record in p.many("InputObject") if record.owner in roles]
    if p.get("VMId") is not None:
        found = [vm for vm in roles if vm.id == UUID(str(p["VMId"]))]
        if not found:
            raise _failure("ObjectNotFound", f"There is no clustered role for the virtual machine '{p['VMId']}'.", None)
        return found
    names = p.many("Name")
    found = [vm for vm in roles if not names or any(matches(vm.name, str(name)) for name in names)]
    if names and not found:
        raise _failure("ObjectNotFound", f"The cluster group '{names[0]}' was not found.", names[0])
    return found


def _lead(world: World, vm: Vm) -> UUID:
    """Return the id of the machine whose group it is in: its own, unless `world.facts["groups"]` says another's."""
    groups: dict[UUID, UUID] = world.facts.get("groups", {})
    return groups.get(vm.id, vm.id)


def _group(world: World, vm: Vm) -> Record:
    id = str(uuid5(_GROUPS, str(_lead(world, vm))))
    properties: dict[str, Any] = {
        "Name": vm.name,
        "OwnerNode": node_of(world, vm),
        "State": "Offline" if vm.state in ("Off", "Saved") else "Online",
        "GroupType": "VirtualMachine",
        "Cluster": CLUSTER,
        "Id": id,
    }
    return Record("ClusterGroup", id, properties, owner=vm)


def _must_be_cluster(world: World) -> None:
    if len(world.nodes) < 2:
        raise _failure("ObjectNotFound", "The cluster service is not running.", None)


def _failure(category: str, message: str, target: Any) -> CmdletError:
    return CmdletError("ClusterCmdletException", category, message, target, exception="ClusterCmdletException")
