"""Networks as bridges that the hosts of a pool have: made, named, locked, destroyed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hvsdk_simulators.xapi.call import Call
from hvsdk_simulators.xapi.database import Object
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.messages import message
from hvsdk_simulators.xapi.world import World

_LONGEST_BRIDGE = 15
_NBD = ("nbd", "insecure_nbd")
_COMPUTED = frozenset(("uuid", "allowed_operations", "current_operations", "VIFs", "PIFs", "blobs"))


@message("network.create(network record args) -> network ref", role="vm-admin")
def create(call: Call, args: Mapping[str, Any]) -> Object:
    """Make a network that no host is connected to; its bridge gets the first free name when none is given."""
    db = call.world.db
    bridge = str(args.get("bridge") or "")
    taken = {network["bridge"] for network in db.all("network")}
    if not args.get("managed", True):
        if not bridge:
            raise Failure("BRIDGE_NOT_AVAILABLE", bridge)
    elif bridge in taken:
        raise Failure("BRIDGE_NAME_EXISTS", bridge)
    if len(bridge) > _LONGEST_BRIDGE:
        raise Failure("INVALID_VALUE", "bridge", bridge)
    if not bridge:
        bridge = next(name for number in range(len(taken) + 1) if (name := f"xapi{number}") not in taken)
    fields = {name: value for name, value in args.items() if name not in _COMPUTED}
    return db.create("network", **fields | {"bridge": bridge})


@message("network.destroy(network ref self) -> void", role="vm-admin")
def destroy(call: Call, self: Object) -> None:
    """Remove a network that nothing is connected to."""
    db = call.world.db
    if self["other_config"].get("is_host_internal_management_network") == "true" or self["bridge"] == "xenapi":
        raise Failure("CANNOT_DESTROY_SYSTEM_NETWORK", self.ref)
    attached = [ref for ref in self["VIFs"] if db.get("VIF", ref)["currently_attached"]]
    if attached:
        raise Failure("NETWORK_CONTAINS_VIF", *attached)
    if self["PIFs"]:
        raise Failure("NETWORK_CONTAINS_PIF", *self["PIFs"])
    for ref in list(self["VIFs"]):
        db.delete(db.get("VIF", ref))
    db.delete(self)


@message(
    "network.set_default_locking_mode(network ref network, enum network_default_locking_mode value) -> void",
    role="pool-operator",
    since="1.10",
)
def set_default_locking_mode(call: Call, network: Object, value: str) -> None:
    """Say what interfaces do that follow their network; none of them may be plugged meanwhile."""
    for ref in network["VIFs"]:
        vif = call.world.db.get("VIF", ref)
        if vif["currently_attached"] and vif["locking_mode"] == "network_default":
            raise Failure("VIF_IN_USE", network.ref, vif.ref)
    call.world.db.update(network, default_locking_mode=value)


@message("network.set_MTU(network ref self, int value) -> void", role="vm-admin", since="1.7")
def set_mtu(call: Call, self: Object, value: int) -> None:
    """Set the size of its largest packet, which bridges take over when they are next made."""
    if value < 0:
        raise Failure("INVALID_VALUE", "MTU", str(value))
    call.world.db.update(self, MTU=value)


@message("network.add_purpose(network ref self, enum network_purpose value) -> void", role="pool-admin", since="2.8")
def add_purpose(call: Call, self: Object, value: str) -> None:
    """Use a network for NBD, with or without TLS but not both in one pool."""
    if value in self["purpose"]:
        return
    other = _NBD[1 - _NBD.index(value)]
    if any(other in network["purpose"] for network in call.world.db.all("network")):
        raise Failure("NETWORK_INCOMPATIBLE_PURPOSES", value, other)
    call.world.db.update(self, purpose=[*self["purpose"], value])


@message("network.remove_purpose(network ref self, enum network_purpose value) -> void", role="pool-admin", since="2.8")
def remove_purpose(call: Call, self: Object, value: str) -> None:
    """Use a network no longer for something."""
    call.world.db.update(self, purpose=[one for one in self["purpose"] if one != value])


def assert_carried(world: World, network: Object, host: Object) -> None:
    """Raise when a host has no interface on a network that others have one on. A private one is made anywhere."""
    pifs = [world.db.get("PIF", ref) for ref in network["PIFs"]]
    if pifs and not any(pif["host"] == host.ref for pif in pifs):
        raise Failure("HOST_CANNOT_ATTACH_NETWORK", host.ref, network.ref)
