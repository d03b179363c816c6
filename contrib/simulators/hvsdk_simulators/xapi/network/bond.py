"""Bonds: interfaces of a host that work as one."""

from __future__ import annotations

from collections.abc import Mapping

from hvsdk_simulators.xapi.call import Call
from hvsdk_simulators.xapi.database import NULL, Object
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.messages import message
from hvsdk_simulators.xapi.network.addresses import checked_mac
from hvsdk_simulators.xapi.network.pif import drop_pif, make_pif

_ROLE = "pool-operator"
_ADDRESS = ("management", "ip_configuration_mode", "IP", "netmask", "gateway", "DNS", "disallow_unplug")
_NO_ADDRESS = {
    "management": False, "ip_configuration_mode": "None", "IP": "", "netmask": "", "gateway": "", "DNS": "",
    "disallow_unplug": False,
}  # fmt: skip
_LACP_ONLY = ("hashing_algorithm", "lacp-time", "lacp-aggregation-key", "lacp-fallback-ab")


@message(
    'Bond.create(network ref network, PIF ref set members, string MAC, enum bond_mode mode = "balance-slb", '
    "(string -> string) map properties = {}) -> Bond ref",
    role=_ROLE,
    since="1.2",
)
def create(
    call: Call, network: Object, members: list[Object], MAC: str, mode: str, properties: Mapping[str, str]
) -> Object:
    """Bond interfaces of one host. What one of them had, address and VLANs, moves to the bond."""
    host = _assert_may_be_bonded(call, members)
    configured = [pif for pif in members if pif["ip_configuration_mode"] != "None"]
    if len(configured) > 1:
        raise Failure("PIF_BOND_MORE_THAN_ONE_IP")
    primary = (configured or members)[0]
    db = call.world.db
    taken = {db.get("PIF", ref)["device"] for ref in host["PIFs"]}
    device = next(name for number in range(len(taken) + 1) if (name := f"bond{number}") not in taken)
    fields = {name: primary[name] for name in _ADDRESS}
    mac = checked_mac(MAC) if MAC else primary["MAC"]
    master = make_pif(call.world, host, network, device, mac, **fields)
    bond = db.create(
        "Bond", master=master.ref, primary_slave=primary.ref, mode=mode, properties=dict(properties),
        links_up=len(members), auto_update_mac=not MAC,
    )  # fmt: skip
    for pif in members:
        db.update(pif, bond_slave_of=bond.ref, currently_attached=False, **_NO_ADDRESS)
        for ref in list(pif["VLAN_slave_of"]):
            vlan = db.get("VLAN", ref)
            db.update(vlan, tagged_PIF=master.ref)
            db.update(db.get("PIF", vlan["untagged_PIF"]), device=device, MAC=mac)
    return bond


@message("Bond.destroy(Bond ref self) -> void", role=_ROLE, since="1.2")
def destroy(call: Call, self: Object) -> None:
    """Take a bond apart. What it had goes to its primary interface."""
    db = call.world.db
    master, primary = db.get("PIF", self["master"]), db.get("PIF", self["primary_slave"])
    fields = {name: master[name] for name in _ADDRESS}
    for ref in list(master["VLAN_slave_of"]):
        vlan = db.get("VLAN", ref)
        db.update(vlan, tagged_PIF=primary.ref)
        db.update(db.get("PIF", vlan["untagged_PIF"]), device=primary["device"], MAC=primary["MAC"])
    for ref in list(self["slaves"]):
        db.update(db.get("PIF", ref), bond_slave_of=NULL, currently_attached=ref == primary.ref)
    db.update(primary, **fields)
    db.delete(self)
    drop_pif(call.world, master)


@message("Bond.set_mode(Bond ref self, enum bond_mode value) -> void", role=_ROLE, since="1.9")
def set_mode(call: Call, self: Object, value: str) -> None:
    """Say how packets are spread; what belongs to LACP alone goes with it."""
    kept = {name: text for name, text in self["properties"].items() if value == "lacp" or name not in _LACP_ONLY}
    call.world.db.update(self, mode=value, properties=kept)


@message("Bond.set_property(Bond ref self, string name, string value) -> void", role=_ROLE, since="1.10")
def set_property(call: Call, self: Object, name: str, value: str) -> None:
    """Set a detail of the mode."""
    if name in _LACP_ONLY and self["mode"] != "lacp":
        raise Failure("INVALID_VALUE", "properties", name)
    call.world.db.update(self, properties=self["properties"] | {name: value})


def _assert_may_be_bonded(call: Call, members: list[Object]) -> Object:
    """Raise why interfaces cannot be bonded, or return their host."""
    if len(members) < 2:
        raise Failure("PIF_BOND_NEEDS_MORE_MEMBERS")
    if len({pif["host"] for pif in members}) > 1:
        raise Failure("PIF_CANNOT_BOND_CROSS_HOST")
    for pif in members:
        if pif["bond_slave_of"] != NULL or pif["bond_master_of"]:
            raise Failure("PIF_ALREADY_BONDED", pif.ref)
        if pif["VLAN"] >= 0:
            raise Failure("PIF_IS_VLAN", pif.ref)
        if pif["tunnel_access_PIF_of"]:
            raise Failure("IS_TUNNEL_ACCESS_PIF", pif.ref)
    return call.world.db.get("host", members[0]["host"])
