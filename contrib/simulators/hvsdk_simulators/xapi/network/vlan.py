"""VLANs on a host's interfaces, alone or in the whole pool, and tunnels between hosts."""

from __future__ import annotations

from collections.abc import Iterator

from hvsdk_simulators.xapi.call import Call
from hvsdk_simulators.xapi.database import NULL, Object
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.messages import message
from hvsdk_simulators.xapi.network.pif import drop_pif, make_pif
from hvsdk_simulators.xapi.world import World

_ROLE = "pool-operator"
_TAGS = range(4095)


@message("VLAN.create(PIF ref tagged_PIF, int tag, network ref network) -> VLAN ref", role=_ROLE, since="1.2")
def create(call: Call, tagged_PIF: Object, tag: int, network: Object) -> Object:
    """Connect a host to a network by packets with a tag."""
    db = call.world.db
    if tag not in _TAGS:
        raise Failure("VLAN_TAG_INVALID", str(tag))
    if tagged_PIF["bond_slave_of"] != NULL:
        raise Failure("CANNOT_ADD_VLAN_TO_BOND_SLAVE", tagged_PIF.ref)
    if tagged_PIF["VLAN"] >= 0:
        raise Failure("PIF_IS_VLAN", tagged_PIF.ref)
    if tagged_PIF["tunnel_access_PIF_of"]:
        raise Failure("IS_TUNNEL_ACCESS_PIF", tagged_PIF.ref)
    host = db.get("host", tagged_PIF["host"])
    for pif in (db.get("PIF", ref) for ref in host["PIFs"]):
        if pif["device"] == tagged_PIF["device"] and pif["VLAN"] == tag:
            raise Failure("PIF_VLAN_EXISTS", pif.ref)
        if pif["network"] == network.ref:
            raise Failure("NETWORK_ALREADY_CONNECTED", host.ref, pif.ref)
    untagged = make_pif(call.world, host, network, tagged_PIF["device"], tagged_PIF["MAC"], VLAN=tag)
    vlan = db.create("VLAN", tagged_PIF=tagged_PIF.ref, untagged_PIF=untagged.ref, tag=tag)
    db.update(untagged, VLAN_master_of=vlan.ref, currently_attached=tagged_PIF["currently_attached"])
    return vlan


@message("VLAN.destroy(VLAN ref self) -> void", role=_ROLE, since="1.2")
def destroy(call: Call, self: Object) -> None:
    """Take a host from a VLAN that no VM on it uses."""
    untagged = call.world.db.get("PIF", self["untagged_PIF"])
    if untagged["management"]:
        raise Failure("PIF_IS_MANAGEMENT_INTERFACE", untagged.ref)
    _assert_unused(call.world, untagged)
    call.world.db.delete(self)
    drop_pif(call.world, untagged)


@message("pool.create_VLAN_from_PIF(PIF ref pif, network ref network, int VLAN) -> PIF ref set", role=_ROLE)
def create_from_pif(call: Call, pif: Object, network: Object, VLAN: int) -> list[Object]:
    """Connect all hosts to a network by packets with a tag, on the interface of each that is on the same network."""
    lower = call.world.db.get("network", pif["network"])
    return _create_all(call, (call.world.db.get("PIF", ref) for ref in list(lower["PIFs"])), network, VLAN)


@message("pool.create_VLAN(string device, network ref network, int VLAN) -> PIF ref set", role=_ROLE)
def create_by_device(call: Call, device: str, network: Object, VLAN: int) -> list[Object]:
    """The same on the interface of a name."""
    found = [pif for pif in call.world.db.all("PIF") if pif["device"] == device and pif["VLAN"] < 0]
    return _create_all(call, iter(found), network, VLAN)


@message("PIF.create_VLAN(string device, network ref network, host ref host, int VLAN) -> PIF ref", role=_ROLE)
def create_on_host(call: Call, device: str, network: Object, host: Object, VLAN: int) -> Object:
    """Connect one host, as it was done before VLANs had records of their own."""
    known = (call.world.db.get("PIF", ref) for ref in host["PIFs"])
    pif = next((one for one in known if one["device"] == device and one["VLAN"] < 0), None)
    if pif is None:
        raise Failure("PIF_DEVICE_NOT_FOUND")
    return call.world.db.get("PIF", create(call, pif, VLAN, network)["untagged_PIF"])


@message("PIF.destroy(PIF ref self) -> void", role=_ROLE)
def destroy_pif(call: Call, self: Object) -> None:
    """Remove what this older way made: the interface of a VLAN."""
    if self["physical"] or self["VLAN_master_of"] == NULL:
        raise Failure("PIF_IS_PHYSICAL", self.ref)
    destroy(call, call.world.db.get("VLAN", self["VLAN_master_of"]))


@message(
    'tunnel.create(PIF ref transport_PIF, network ref network, enum tunnel_protocol protocol = "gre") -> tunnel ref',
    role=_ROLE,
    since="1.8",
)
def create_tunnel(call: Call, transport_PIF: Object, network: Object, protocol: str) -> Object:
    """Connect a host to a network that spans hosts by a tunnel."""
    if transport_PIF["bond_slave_of"] != NULL:
        raise Failure("CANNOT_ADD_TUNNEL_TO_BOND_SLAVE", transport_PIF.ref)
    if transport_PIF["tunnel_access_PIF_of"]:
        raise Failure("IS_TUNNEL_ACCESS_PIF", transport_PIF.ref)
    if transport_PIF["ip_configuration_mode"] == "None":
        raise Failure("TRANSPORT_PIF_NOT_CONFIGURED", transport_PIF.ref)
    db = call.world.db
    host = db.get("host", transport_PIF["host"])
    access = make_pif(call.world, host, network, f"tunnel{db.count('tunnel')}", transport_PIF["MAC"])
    status = {"active": "true"}
    return db.create("tunnel", access_PIF=access.ref, transport_PIF=transport_PIF.ref, status=status, protocol=protocol)


@message("tunnel.destroy(tunnel ref self) -> void", role=_ROLE, since="1.8")
def destroy_tunnel(call: Call, self: Object) -> None:
    """Take a host from such a network."""
    access = call.world.db.get("PIF", self["access_PIF"])
    _assert_unused(call.world, access)
    call.world.db.delete(self)
    drop_pif(call.world, access)


def _create_all(call: Call, pifs: Iterator[Object], network: Object, tag: int) -> list[Object]:
    made = [create(call, pif, tag, network) for pif in pifs]
    return [call.world.db.get("PIF", vlan["untagged_PIF"]) for vlan in made]


def _assert_unused(world: World, pif: Object) -> None:
    network = world.db.get("network", pif["network"])
    for ref in network["VIFs"]:
        vif = world.db.get("VIF", ref)
        if vif["currently_attached"] and world.db.get("VM", vif["VM"])["resident_on"] == pif["host"]:
            raise Failure("VIF_IN_USE", network.ref, vif.ref)
