"""The interfaces of hosts: found, plugged, given addresses, forgotten."""

from __future__ import annotations

from hvsdk_simulators.xapi.call import Call
from hvsdk_simulators.xapi.database import NULL, Object
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.messages import message
from hvsdk_simulators.xapi.network.addresses import checked_address, checked_interface, checked_mac
from hvsdk_simulators.xapi.world import World

_ROLE = "pool-operator"


@message("PIF.scan(host ref host) -> void", role=_ROLE, since="1.2")
def scan(call: Call, host: Object) -> None:
    """Look for new cards. There are none."""
    for ref in host["PIFs"]:
        call.world.db.touch(call.world.db.get("PIF", ref))


@message(
    "PIF.introduce(host ref host, string MAC, string device, bool managed = true) -> PIF ref", role=_ROLE, since="1.2"
)
def introduce(call: Call, host: Object, MAC: str, device: str, managed: bool) -> Object:
    """Make a record of a card that the host has."""
    db = call.world.db
    checked_mac(MAC)
    known = [db.get("PIF", ref) for ref in host["PIFs"]]
    if any(pif["physical"] and pif["MAC"].lower() == MAC.lower() for pif in known):
        raise Failure("MAC_STILL_EXISTS", MAC)
    if any(pif["device"] == device and pif["VLAN"] < 0 for pif in known):
        raise Failure("DUPLICATE_PIF_DEVICE_NAME", device)
    network = db.create("network", name_label=f"Pool-wide network associated with {device}", bridge=f"br{device}")
    return make_pif(call.world, host, network, device, MAC, physical=True, managed=managed, currently_attached=False)


@message("PIF.forget(PIF ref self) -> void", role=_ROLE, since="1.2")
def forget(call: Call, self: Object) -> None:
    """Drop the record of a card, on which nothing may rest."""
    if not self["physical"]:
        raise Failure("PIF_IS_NOT_PHYSICAL", self.ref)
    if self["management"]:
        raise Failure("PIF_IS_MANAGEMENT_INTERFACE", self.ref)
    if self["bond_slave_of"] != NULL:
        raise Failure("PIF_ALREADY_BONDED", self.ref)
    if self["VLAN_slave_of"]:
        raise Failure("PIF_VLAN_STILL_EXISTS", self.ref)
    if self["tunnel_transport_PIF_of"]:
        raise Failure("PIF_TUNNEL_STILL_EXISTS", self.ref)
    drop_pif(call.world, self)


@message("PIF.plug(PIF ref self) -> void", role=_ROLE, since="1.2")
def plug(call: Call, self: Object) -> None:
    """Bring an interface up."""
    if self["bond_slave_of"] != NULL:
        raise Failure("CANNOT_PLUG_BOND_SLAVE", self.ref)
    call.world.db.update(self, currently_attached=True)


@message("PIF.unplug(PIF ref self) -> void", role=_ROLE, since="1.2")
def unplug(call: Call, self: Object) -> None:
    """Bring an interface down, unless something needs it."""
    if self["management"]:
        raise Failure("PIF_IS_MANAGEMENT_INTERFACE", self.ref)
    if self["disallow_unplug"]:
        raise Failure("PIF_DOES_NOT_ALLOW_UNPLUG", self.ref)
    network = call.world.db.get("network", self["network"])
    for ref in network["VIFs"]:
        vif = call.world.db.get("VIF", ref)
        if vif["currently_attached"] and call.world.db.get("VM", vif["VM"])["resident_on"] == self["host"]:
            raise Failure("VIF_IN_USE", network.ref, vif.ref)
    call.world.db.update(self, currently_attached=False)


@message("PIF.set_disallow_unplug(PIF ref self, bool value) -> void", role=_ROLE, since="1.3")
def set_disallow_unplug(call: Call, self: Object, value: bool) -> None:
    """Forbid to bring the interface down, or allow it."""
    call.world.db.update(self, disallow_unplug=value)


@message(
    "PIF.reconfigure_ip(PIF ref self, enum ip_configuration_mode mode, string IP, string netmask, string gateway, "
    "string DNS) -> void",
    role=_ROLE,
    since="1.2",
)
def reconfigure_ip(call: Call, self: Object, mode: str, IP: str, netmask: str, gateway: str, DNS: str) -> None:
    """Give a host's interface an IPv4 address, a way to get one, or none."""
    if self["bond_slave_of"] != NULL:
        raise Failure("CANNOT_CHANGE_PIF_PROPERTIES", self.ref)
    if mode == "None" and self["management"]:
        raise Failure("PIF_IS_MANAGEMENT_INTERFACE", self.ref)
    if mode == "Static":
        checked_address(IP, "IP", version=4)
        checked_address(netmask, "netmask", version=4)
        if gateway:
            checked_address(gateway, "gateway", version=4)
    call.world.db.update(self, ip_configuration_mode=mode, IP=IP, netmask=netmask, gateway=gateway, DNS=DNS)


@message(
    "PIF.reconfigure_ipv6(PIF ref self, enum ipv6_configuration_mode mode, string IPv6, string gateway, "
    "string DNS) -> void",
    role=_ROLE,
    since="1.10",
)
def reconfigure_ipv6(call: Call, self: Object, mode: str, IPv6: str, gateway: str, DNS: str) -> None:
    """The same for IPv6."""
    if mode == "Static":
        checked_interface(IPv6, "IPv6", version=6)
        if gateway:
            checked_address(gateway, "gateway", version=6)
    addresses = [IPv6] if mode == "Static" else []
    call.world.db.update(self, ipv6_configuration_mode=mode, IPv6=addresses, ipv6_gateway=gateway, DNS=DNS)


@message(
    "PIF.set_primary_address_type(PIF ref self, enum primary_address_type primary_address_type) -> void",
    role=_ROLE,
    since="1.10",
)
def set_primary_address_type(call: Call, self: Object, primary_address_type: str) -> None:
    """Say which of its addresses the host is known by."""
    missing = self["IPv6"] == [] if primary_address_type == "IPv6" else self["ip_configuration_mode"] == "None"
    if missing and self["management"]:
        raise Failure("PIF_INCOMPATIBLE_PRIMARY_ADDRESS_TYPE", self.ref)
    call.world.db.update(self, primary_address_type=primary_address_type)


@message("PIF.set_property(PIF ref self, string name, string value) -> void", role=_ROLE, since="2.3")
def set_property(call: Call, self: Object, name: str, value: str) -> None:
    """Set whether the card joins small packets."""
    if name != "gro" or value not in ("on", "off"):
        raise Failure("INVALID_VALUE", "properties", f"{name} = {value}")
    if self["bond_slave_of"] != NULL or self["VLAN"] >= 0:
        raise Failure("CANNOT_CHANGE_PIF_PROPERTIES", self.ref)
    call.world.db.update(self, properties=self["properties"] | {name: value})


def make_pif(world: World, host: Object, network: Object, device: str, mac: str, **fields: object) -> Object:
    """Make an interface of a host with its metrics."""
    metrics = world.db.create("PIF_metrics", carrier=True, speed=10000, duplex=True, last_updated=world.now())
    values = {"VLAN": -1, "MTU": network["MTU"], "properties": {"gro": "on"}} | fields
    return world.db.create(
        "PIF", network=network.ref, host=host.ref, device=device, MAC=mac, metrics=metrics.ref, **values
    )


def drop_pif(world: World, pif: Object) -> None:
    """Remove an interface and its metrics."""
    metrics = world.db.lookup("PIF_metrics", pif["metrics"])
    if metrics is not None:
        world.db.delete(metrics)
    world.db.delete(pif)
