"""Networks of libvirt's own."""

from __future__ import annotations

from collections.abc import Iterable

import libvirt
from hvsdk.driver import Deadline, Network, frozen

from hvsdk_kvm._session import Session
from hvsdk_kvm._xml import parse_xml

__all__ = ["USER_NETWORK", "NetworkReads"]

USER_NETWORK = "user"
"""The one network of an embedded driver: QEMU's own, which lets guests out and nobody in."""


class NetworkReads(Session):
    """`list_networks`."""

    def list_networks(self, *, deadline: Deadline) -> Iterable[Network]:
        if self.embedded:
            details = frozen({"kvm.type": "user"})
            return [Network(id=USER_NETWORK, name=USER_NETWORK, active=True, details=details)]
        active = {network.UUIDString() for network in self._networks(libvirt.VIR_CONNECT_LIST_NETWORKS_ACTIVE)}
        return [_network(network, network.UUIDString() in active) for network in self._networks(0)]

    def _networks(self, flags: int) -> list[libvirt.virNetwork]:
        return list(self.connection.listAllNetworks(flags))


def _network(network: libvirt.virNetwork, active: bool) -> Network:
    root = parse_xml(network.XMLDesc())
    bridge, forward = root.find("bridge"), root.find("forward")
    mtu, tag = root.find("mtu"), root.find("vlan/tag")
    details = {
        "kvm.forward": None if forward is None else forward.get("mode", "nat"),
        "kvm.domain": None if (domain := root.find("domain")) is None else domain.get("name"),
        "kvm.portgroups": [name for group in root.iterfind("portgroup") if (name := group.get("name"))] or None,
    }
    return Network(
        id=network.UUIDString(),
        name=network.name(),
        active=active,
        bridge=None if bridge is None else bridge.get("name"),
        vlan=None if tag is None else _int(tag.get("id")),
        mtu=None if mtu is None else _int(mtu.get("size")),
        details=frozen({key: value for key, value in details.items() if value is not None}),
    )


def _int(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 10 else None
