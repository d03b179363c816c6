"""Networks of a pool: bridges, the interfaces of hosts and of VMs, bonds, VLANs and tunnels."""

from hvsdk_simulators.xapi.network import (
    addresses,
    bond,
    networks,
    pif,
    pif_records,
    sriov,
    vif,
    vif_rules,
    vif_settings,
    vlan,
)

__all__ = ["addresses", "bond", "networks", "pif", "pif_records", "sriov", "vif", "vif_rules", "vif_settings", "vlan"]
