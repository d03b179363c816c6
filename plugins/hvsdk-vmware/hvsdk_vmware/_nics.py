"""What a network adapter's specification means here: the network it is on, and the device."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs
from hvsdk.driver import Deadline, Network, NicSpec, errors
from pyVmomi import vim, vmodl

from hvsdk_vmware._bulk import object_spec
from hvsdk_vmware._controllers import Slots
from hvsdk_vmware._fields import NOTHING, Found, text
from hvsdk_vmware._hints import NIC_HINTS, read_hints
from hvsdk_vmware._networks import NetworkReads

__all__ = ["NicPlan", "NicPlans", "connection"]

device = vim.vm.device
Card = device.VirtualEthernetCard
_MODELS: Mapping[str | None, type] = {
    None: device.VirtualVmxnet3,
    "vmxnet3": device.VirtualVmxnet3,
    "vmxnet2": device.VirtualVmxnet2,
    "e1000": device.VirtualE1000,
    "e1000e": device.VirtualE1000e,
    "pcnet32": device.VirtualPCNet32,
}
_USUAL = "VM Network"
"""The network that an installed host has."""
_KINDS = ("standard", "distributed", "opaque")
_OWN_PREFIXES = ("00:0c:29:", "00:05:69:")
"""MACs that hosts make themselves."""
_VMWARE = "00:50:56:"
_MOST_BY_HAND = 0x3F
"""Of VMware's own MACs those are given by hand whose fourth byte is no larger; the others are vCenter's and hosts'."""


@attrs.frozen(kw_only=True)
class NicPlan:
    """An adapter as it will be."""

    spec: NicSpec
    backing: Any
    """What connects it to its network."""

    def change(self, slots: Slots) -> Any:
        """Return the device as one to be added."""
        spec = self.spec
        card = _MODELS[spec.model](
            key=slots.key(),
            backing=self.backing,
            connectable=connection(spec.link_up),
            addressType="generated" if spec.mac is None else "manual",
            macAddress=spec.mac,
            wakeOnLanEnabled=True,
        )
        return device.VirtualDeviceSpec(operation="add", device=card)


class NicPlans(NetworkReads):
    """Finds networks for adapters."""

    def plan_nics(self, specs: Sequence[NicSpec], deadline: Deadline, *, host: str | None = None) -> list[NicPlan]:
        """Find the networks of adapters, in two calls however many there are. Nothing is made.

        Args:
            host: Id of the host that has to have them, where that is known.

        Raises:
            NetworkNotFoundError: There is none of that name.
            AmbiguousNameError: Several have it.
            InvalidSpecError: An adapter cannot have the model, the MAC or the VLAN that was asked for.
        """
        for spec in specs:
            read_hints(spec.hints, NIC_HINTS)
            _refuse_model(spec)
            _refuse_mac(spec.mac)
        if not specs:
            return []
        networks = list(self.list_networks(deadline=deadline))
        found = self._behind_networks(networks, host, deadline)
        if host is not None:
            here = {one.text or "" for one in found[host].values.get("network", NOTHING)} if host in found else set()
            networks = [one for one in networks if one.id in here]
        return [self._plan_nic(spec, networks, found) for spec in specs]

    def _behind_networks(
        self, networks: Iterable[Network], host: str | None, deadline: Deadline
    ) -> Mapping[str, Found]:
        """Read what adapters have to say of networks other than standard ones, and which networks a host has."""
        way = vmodl.query.PropertyCollector.TraversalSpec(
            name="switch", type=_Group, path="config.distributedVirtualSwitch", skip=False
        )
        begin = [object_spec(vim.HostSystem(host, self.stub))] if host is not None else []
        wish: dict[type, tuple[str, ...]] = {vim.HostSystem: ("network",)} if host is not None else {}
        for one in networks:
            if one.details.get("vmware.kind") == "distributed":
                begin.append(object_spec(_Group(one.id, self.stub), [way]))
                wish |= {_Group: ("key", "config.distributedVirtualSwitch"), vim.DistributedVirtualSwitch: ("uuid",)}
                wish |= {vim.dvs.VmwareDistributedVirtualSwitch: ("uuid",)}
            elif one.details.get("vmware.kind") == "opaque":
                begin.append(object_spec(vim.OpaqueNetwork(one.id, self.stub)))
                wish |= {vim.OpaqueNetwork: ("summary.opaqueNetworkId", "summary.opaqueNetworkType")}
        found = self.read_all(begin, wish, deadline=deadline) if begin else []
        return {one.id: one for one in found}

    def _plan_nic(self, spec: NicSpec, networks: Sequence[Network], found: Mapping[str, Found]) -> NicPlan:
        network = _usual_network(networks) if spec.network is None else _named_network(networks, spec.network)
        if spec.vlan is not None and (spec.vlan or None) != network.vlan:
            raise errors.InvalidSpecError(
                f"the network {network.name!r} is not VLAN {spec.vlan}",
                hint="each VLAN is a network of its own here: name that one",
            )
        if spec.mtu is not None and spec.mtu != network.mtu:
            raise errors.InvalidSpecError(
                f"an adapter cannot have an MTU of {spec.mtu} here: guests and switches have theirs",
                hint="leave mtu= out",
            )
        return NicPlan(spec=spec, backing=self._backing_on(network, found))

    def _backing_on(self, network: Network, found: Mapping[str, Found]) -> Any:
        kind = network.details.get("vmware.kind")
        if kind == "standard":
            return Card.NetworkBackingInfo(deviceName=network.name, network=vim.Network(network.id, self.stub))
        behind = found.get(network.id)
        if behind is not None and kind == "opaque":
            return Card.OpaqueNetworkBackingInfo(
                opaqueNetworkId=text(behind.values, "summary.opaqueNetworkId"),
                opaqueNetworkType=text(behind.values, "summary.opaqueNetworkType"),
            )
        switch = found.get(text(behind.values, "config.distributedVirtualSwitch")) if behind is not None else None
        uuid = text(switch.values, "uuid") if switch is not None else ""
        if behind is None or not uuid:
            raise errors.PermissionDeniedError(
                f"the switch of the network {network.name!r} is not shown to this user",
                hint="it takes the right to read it",
            )
        port = vim.dvs.PortConnection(switchUuid=uuid, portgroupKey=text(behind.values, "key"))
        return Card.DistributedVirtualPortBackingInfo(port=port)


_Group = vim.dvs.DistributedVirtualPortgroup


def connection(up: bool) -> Any:
    """Return whether an adapter's cable is plugged, now and at the next start."""
    return device.VirtualDevice.ConnectInfo(startConnected=up, connected=up, allowGuestControl=True)


def _refuse_model(spec: NicSpec) -> None:
    if spec.model not in _MODELS:
        known = ", ".join(name for name in _MODELS if name is not None)
        raise errors.InvalidSpecError(
            f"an adapter cannot be a {spec.model!r} here", hint=f"there are {known}; vmxnet3 without model="
        )


def _refuse_mac(mac: str | None) -> None:
    """Refuse a MAC with which vSphere would not let the domain start."""
    if mac is None:
        return
    own = mac.startswith(_OWN_PREFIXES) or (mac.startswith(_VMWARE) and int(mac[9:11], 16) > _MOST_BY_HAND)
    if own:
        raise errors.InvalidSpecError(
            f"{mac} is one of the addresses that vSphere makes itself, and gives by hand to no adapter",
            hint="choose one from 00:50:56:00:00:00 to 00:50:56:3f:ff:ff or of another maker, or leave mac= out",
        )


def _usual_network(networks: Sequence[Network]) -> Network:
    def place(network: Network) -> tuple[bool, bool, int, str, str]:
        kind = str(network.details.get("vmware.kind"))
        return (not network.active, network.name != _USUAL, _KINDS.index(kind), network.name, network.id)

    if not networks:
        raise errors.NetworkNotFoundError("no network was named, and there is none that can be used")
    return min(networks, key=place)


def _named_network(networks: Sequence[Network], key: str) -> Network:
    found = [one for one in networks if one.id == key] or [one for one in networks if one.name == key]
    if len(found) == 1:
        return found[0]
    if found:
        ids = sorted(one.id for one in found)
        raise errors.AmbiguousNameError(
            f"{len(found)} networks are called {key!r}: {', '.join(ids)}",
            candidates=[(one, None, None) for one in ids],
            hint="name it by its id",
        )
    known = ", ".join(sorted({one.name for one in networks}))
    raise errors.NetworkNotFoundError(f"there is no network {key!r} here", hint=f"there are: {known}")
