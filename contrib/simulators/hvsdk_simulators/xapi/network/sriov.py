"""Cards whose virtual functions VMs have for themselves."""

from __future__ import annotations

from hvsdk_simulators.xapi.call import Call
from hvsdk_simulators.xapi.database import NULL, Object
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.messages import message
from hvsdk_simulators.xapi.network.pif import drop_pif, make_pif

_ROLE = "pool-operator"
_FUNCTIONS = 64


@message("network_sriov.create(PIF ref pif, network ref network) -> network_sriov ref", role=_ROLE, since="2.10")
def create(call: Call, pif: Object, network: Object) -> Object:
    """Let VMs on a network have functions of a card."""
    if not pif["physical"]:
        raise Failure("PIF_IS_NOT_PHYSICAL", pif.ref)
    if pif["sriov_physical_PIF_of"]:
        raise Failure("NETWORK_SRIOV_ALREADY_ENABLED", pif.ref)
    if "sriov" not in pif["capabilities"]:
        raise Failure("PIF_IS_NOT_SRIOV_CAPABLE", pif.ref)
    db = call.world.db
    if any(not db.get("PIF", ref)["sriov_logical_PIF_of"] for ref in network["PIFs"]) or network["VIFs"]:
        raise Failure("NETWORK_INCOMPATIBLE_WITH_SRIOV", network.ref)
    logical = make_pif(call.world, db.get("host", pif["host"]), network, pif["device"], pif["MAC"])
    return db.create(
        "network_sriov",
        physical_PIF=pif.ref,
        logical_PIF=logical.ref,
        configuration_mode="sysfs",
        requires_reboot=False,
    )


@message("network_sriov.destroy(network_sriov ref self) -> void", role=_ROLE, since="2.10")
def destroy(call: Call, self: Object) -> None:
    """Let no VM have functions of a card any more."""
    logical = call.world.db.lookup("PIF", self["logical_PIF"])
    network = call.world.db.lookup("network", logical["network"]) if logical is not None else None
    for ref in network["VIFs"] if network is not None else ():
        if call.world.db.get("VIF", ref)["currently_attached"]:
            raise Failure("VIF_IN_USE", network.ref if network is not None else NULL, ref)
    call.world.db.delete(self)
    if logical is not None:
        drop_pif(call.world, logical)


@message("network_sriov.get_remaining_capacity(network_sriov ref self) -> int", since="2.10")
def get_remaining_capacity(call: Call, self: Object) -> int:
    """How many functions nobody has."""
    logical = call.world.db.get("PIF", self["logical_PIF"])
    network = call.world.db.get("network", logical["network"])
    used = sum(bool(call.world.db.get("VIF", ref)["currently_attached"]) for ref in network["VIFs"])
    return max(0, _FUNCTIONS - used)
