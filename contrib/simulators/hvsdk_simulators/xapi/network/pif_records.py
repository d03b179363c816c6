"""Records of host interfaces, made and dropped without a look at the host: what a restore of a pool calls."""

from __future__ import annotations

from typing import Any

from hvsdk_simulators.xapi.call import Call
from hvsdk_simulators.xapi.database import NULL, Object
from hvsdk_simulators.xapi.messages import message
from hvsdk_simulators.xapi.network.addresses import checked_mac
from hvsdk_simulators.xapi.network.pif import drop_pif, make_pif

_ROLE = "pool-operator"
_NAMES = (
    "IP", "netmask", "gateway", "DNS", "bond_slave_of", "VLAN_master_of", "management", "other_config",
    "disallow_unplug", "ipv6_configuration_mode", "IPv6", "ipv6_gateway", "primary_address_type", "managed",
    "properties",
)  # fmt: skip
"""The fields that parameters from the ninth one on are for, which have their names."""


@message(
    "PIF.db_introduce(string device, network ref network, host ref host, string MAC, int MTU, int VLAN, bool physical, "
    "enum ip_configuration_mode ip_configuration_mode, string IP, string netmask, string gateway, string DNS, "
    "Bond ref bond_slave_of, VLAN ref VLAN_master_of, bool management, (string -> string) map other_config, "
    "bool disallow_unplug = false, enum ipv6_configuration_mode ipv6_configuration_mode = None, "
    'string set IPv6 = [], string ipv6_gateway = "", enum primary_address_type primary_address_type = IPv4, '
    "bool managed = true, (string -> string) map properties = {}) -> PIF ref",
    role=_ROLE,
    since="1.3",
)
def db_introduce(
    call: Call, device: str, network: Object, host: Object, MAC: str, MTU: int, VLAN: int, physical: bool,
    ip_configuration_mode: str, *rest: Any,
) -> Object:  # fmt: skip
    """Make a record as it is told."""
    checked_mac(MAC)
    fields = dict(zip(_NAMES, rest, strict=True))
    for name in ("bond_slave_of", "VLAN_master_of"):
        fields[name] = NULL if fields[name] is None else fields[name].ref
    fields |= {"MTU": MTU, "VLAN": VLAN, "physical": physical, "ip_configuration_mode": ip_configuration_mode}
    fields["currently_attached"] = False
    return make_pif(call.world, host, network, device, MAC, **fields)


@message("PIF.db_forget(PIF ref self) -> void", role=_ROLE, since="1.3")
def db_forget(call: Call, self: Object) -> None:
    """Drop a record, whatever rests on it."""
    drop_pif(call.world, self)
