"""What an interface of a VM lets through, and the addresses that the guest is told to take."""

from __future__ import annotations

from hvsdk_simulators.xapi.call import Call
from hvsdk_simulators.xapi.database import Object
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.messages import message
from hvsdk_simulators.xapi.network.addresses import checked_address, checked_interface

_STATIC_SETTING = "feature-static-ip-setting"


@message("VIF.set_locking_mode(VIF ref self, enum vif_locking_mode value) -> void", role="pool-operator", since="1.10")
def set_locking_mode(call: Call, self: Object, value: str) -> None:
    """Say whose packets pass: all, those from the allowed addresses, or none."""
    call.world.db.update(self, locking_mode=value)


@message("VIF.set_ipv4_allowed(VIF ref self, string set value) -> void", role="pool-operator", since="1.10")
def set_ipv4_allowed(call: Call, self: Object, value: list[str]) -> None:
    """Set the IPv4 addresses from which a locked interface sends."""
    _set_allowed(call, self, value, 4)


@message("VIF.add_ipv4_allowed(VIF ref self, string value) -> void", role="pool-operator", since="1.10")
def add_ipv4_allowed(call: Call, self: Object, value: str) -> None:
    """Add one of these addresses."""
    _set_allowed(call, self, [*self["ipv4_allowed"], value], 4)


@message("VIF.remove_ipv4_allowed(VIF ref self, string value) -> void", role="pool-operator", since="1.10")
def remove_ipv4_allowed(call: Call, self: Object, value: str) -> None:
    """Remove one of these addresses."""
    _set_allowed(call, self, [one for one in self["ipv4_allowed"] if one != value], 4)


@message("VIF.set_ipv6_allowed(VIF ref self, string set value) -> void", role="pool-operator", since="1.10")
def set_ipv6_allowed(call: Call, self: Object, value: list[str]) -> None:
    """Set the IPv6 addresses from which a locked interface sends."""
    _set_allowed(call, self, value, 6)


@message("VIF.add_ipv6_allowed(VIF ref self, string value) -> void", role="pool-operator", since="1.10")
def add_ipv6_allowed(call: Call, self: Object, value: str) -> None:
    """Add one of these addresses."""
    _set_allowed(call, self, [*self["ipv6_allowed"], value], 6)


@message("VIF.remove_ipv6_allowed(VIF ref self, string value) -> void", role="pool-operator", since="1.10")
def remove_ipv6_allowed(call: Call, self: Object, value: str) -> None:
    """Remove one of these addresses."""
    _set_allowed(call, self, [one for one in self["ipv6_allowed"] if one != value], 6)


@message(
    "VIF.configure_ipv4(VIF ref self, enum vif_ipv4_configuration_mode mode, string address = , "
    "string gateway = ) -> void",
    role="vm-operator",
    since="2.5",
)
def configure_ipv4(call: Call, self: Object, mode: str, address: str, gateway: str) -> None:
    """Tell the guest which IPv4 address to take."""
    _configure(call, self, mode, address, gateway, version=4)


@message(
    "VIF.configure_ipv6(VIF ref self, enum vif_ipv6_configuration_mode mode, string address = , "
    "string gateway = ) -> void",
    role="vm-operator",
    since="2.5",
)
def configure_ipv6(call: Call, self: Object, mode: str, address: str, gateway: str) -> None:
    """Tell the guest which IPv6 address to take."""
    _configure(call, self, mode, address, gateway, version=6)


def _set_allowed(call: Call, vif: Object, addresses: list[str], version: int) -> None:
    field = f"ipv{version}_allowed"
    unique = dict.fromkeys(checked_address(one, field, version=version) for one in addresses)
    call.world.db.update(vif, **{field: list(unique)})


def _configure(call: Call, vif: Object, mode: str, address: str, gateway: str, *, version: int) -> None:
    """Keep the setting. A running guest has to be able to take it."""
    if mode == "Static":
        checked_interface(address, "address", version=version)
        if gateway:
            checked_address(gateway, "gateway", version=version)
    vm = call.world.db.get("VM", vif["VM"])
    guest = call.world.db.lookup("VM_guest_metrics", vm["guest_metrics"])
    if vm["power_state"] == "Running" and (guest is None or guest["other"].get(_STATIC_SETTING) != "1"):
        raise Failure("VM_LACKS_FEATURE", vm.ref)
    static = mode == "Static"
    call.world.db.update(
        vif,
        **{
            f"ipv{version}_configuration_mode": mode,
            f"ipv{version}_addresses": [address] if static else [],
            f"ipv{version}_gateway": gateway if static else "",
        },
    )
