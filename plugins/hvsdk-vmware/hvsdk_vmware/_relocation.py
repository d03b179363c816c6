"""A move as vSphere wants it written."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from hvsdk.driver import Deadline
from pyVmomi import vim, vmodl

from hvsdk_vmware._bulk import object_spec
from hvsdk_vmware._fields import Found, text
from hvsdk_vmware._hardware import Subject
from hvsdk_vmware._login import credentials_of
from hvsdk_vmware._names import shown
from hvsdk_vmware._session import VmwareSession
from hvsdk_vmware._targets import Card, Move, NoPlaceError

__all__ = ["RelocationSpecs"]

_GROUP, _SWITCH = "DistributedVirtualPortgroup", "config.distributedVirtualSwitch"
_GROUP_PATHS: Mapping[type, Iterable[str]] = {
    vim.dvs.DistributedVirtualPortgroup: ("key", _SWITCH),
    vim.DistributedVirtualSwitch: ("uuid",),
}


class RelocationSpecs(VmwareSession):
    """Writes what `RelocateVM_Task` takes."""

    def relocation(self, vm: Subject, there: VmwareSession, move: Move, deadline: Deadline) -> vim.vm.RelocateSpec:
        """Return a move as a specification. One to another vCenter holds that one's password: it is for one call, no more.

        Raises:
            NoPlaceError: A network there is of a kind that adapters cannot be put on.
        """
        stub = there.stub
        spec = vim.vm.RelocateSpec(
            host=vim.HostSystem(move.host, stub) if move.host else None,
            datastore=vim.Datastore(move.store, stub) if move.store else None,
            pool=vim.ResourcePool(move.pool, stub) if move.pool else None,
            folder=vim.Folder(move.folder, stub) if move.folder else None,
            deviceChange=self._wiring(vm, there, move, deadline),
        )
        if there is not self:
            spec.service = service_locator(there, deadline)
        return spec

    def _wiring(self, vm: Subject, there: VmwareSession, move: Move, deadline: Deadline) -> list[Any]:
        if not move.wires:
            return []
        groups = _groups(there, {one.id for one in move.wires.values() if one.kind == _GROUP}, deadline)
        changes = []
        for card in vm.devices:
            if isinstance(card, Card) and card.key in move.wires:
                card.backing = _backing(move.wires[card.key], groups)
                changes.append(vim.vm.device.VirtualDeviceSpec(operation="edit", device=card))
        return changes


def _groups(there: VmwareSession, ids: set[str], deadline: Deadline) -> dict[str, Found]:
    """Return distributed port groups of the target's, and their switches, by id."""
    if not ids:
        return {}
    way = vmodl.query.PropertyCollector.TraversalSpec(
        type=vim.dvs.DistributedVirtualPortgroup, path=_SWITCH, skip=False
    )
    objects = [object_spec(vim.dvs.DistributedVirtualPortgroup(one, there.stub), [way]) for one in sorted(ids)]
    return {one.id: one for one in there.read_all(objects, _GROUP_PATHS, deadline=deadline)}


def _backing(network: Found, groups: Mapping[str, Found]) -> Any:
    """Return what connects an adapter to a network of the target's."""
    name = text(network.values, "name")
    if network.kind == "Network":
        return Card.NetworkBackingInfo(deviceName=name)
    group = groups.get(network.id)
    switch = groups.get(text(group.values, _SWITCH)) if group is not None else None
    if group is None or switch is None:
        raise NoPlaceError(f"network {shown(name)!r} there is of a kind that no adapter is put on by a move")
    port = vim.dvs.PortConnection(
        portgroupKey=text(group.values, "key") or group.id, switchUuid=text(switch.values, "uuid")
    )
    return Card.DistributedVirtualPortBackingInfo(port=port)


def service_locator(there: VmwareSession, deadline: Deadline) -> vim.ServiceLocator:
    """Return how this vCenter logs in at another one, by itself: as the user of that connection, to the certificate that
    this side has checked."""
    who = credentials_of(there.target)
    endpoint = there.stub.pool.endpoint
    certificate = there.stub.pool.certificate(deadline)
    scheme = "https" if certificate is not None else "http"
    return vim.ServiceLocator(
        instanceUuid=there.content.about.instanceUuid or "",
        url=f"{scheme}://{endpoint}/sdk",
        credential=vim.ServiceLocator.NamePassword(username=who.username or "", password=who.password),
        sslThumbprint=thumbprint(certificate) if certificate is not None else None,
    )


def thumbprint(certificate: bytes) -> str:
    """Return a certificate's SHA-1 as vSphere writes it."""
    return hashlib.sha1(certificate, usedforsecurity=False).digest().hex(":").upper()
