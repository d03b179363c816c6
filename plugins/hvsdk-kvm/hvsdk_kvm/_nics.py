"""What a network adapter's specification means here: a libvirt network, a bridge, or QEMU's own network."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import libvirt
from hvsdk.driver import NicSpec, errors

from hvsdk_kvm._errors import code_of
from hvsdk_kvm._hints import NIC_HINTS, read_hints
from hvsdk_kvm._networks import USER_NETWORK
from hvsdk_kvm._plan import NicPlan, Platform, new_mac
from hvsdk_kvm._xml import parse_xml

if TYPE_CHECKING:
    from hvsdk_kvm._session import Session

__all__ = ["plan_nic"]

_MODELS = (
    "virtio",
    "e1000e",
    "e1000",
    "igb",
    "rtl8139",
    "vmxnet3",
    "pcnet",
    "ne2k_pci",
    "i82551",
    "netfront",
    "usb-net",
)
"""libvirt takes any text here, and QEMU refuses it only when the domain starts."""
_BRIDGE_VLAN = 11_000_000
"""libvirt 11.0 sets VLAN tags on plain Linux bridges."""


def plan_nic(
    session: Session, spec: NicSpec, platform: Platform, *, windows: bool = False, taken: Iterable[str] = ()
) -> NicPlan:
    """Find the network of an adapter, and give it a MAC address and a model.

    Args:
        taken: MAC addresses that a new one must not be.

    Raises:
        NetworkNotFoundError: There is none of that name.
        InvalidSpecError: It cannot have the VLAN or MTU that was asked for.
    """
    hints = read_hints(spec.hints, NIC_HINTS)
    if spec.model is not None and spec.model not in _MODELS:
        raise errors.InvalidSpecError(f"an adapter cannot be a {spec.model!r}", hint=f"possible: {', '.join(_MODELS)}")
    kind, source = _find(session, spec, hints.get("type"))
    if kind == "user" and (spec.vlan is not None or spec.mtu is not None):
        raise errors.InvalidSpecError("an adapter on QEMU's own network has no VLAN and no MTU of its own")
    if kind == "user" and not platform.qemu:
        raise errors.InvalidSpecError(f"there is no user network on {platform.domain_type}")
    if spec.vlan is not None and not 0 < spec.vlan < 4095:
        raise errors.InvalidSpecError(f"{spec.vlan} is not a VLAN", hint="1 to 4094")
    if spec.vlan is not None and not _tags(session, kind, source, virtualport="virtualport" in hints):
        raise errors.InvalidSpecError(
            f"the {kind} {source!r} cannot tag VLAN {spec.vlan}",
            hint="name a bridge of that VLAN, or an Open vSwitch one with the hint kvm.virtualport='openvswitch'",
        )
    usual = ("e1000e" if windows else "virtio") if platform.domain_type != "xen" else None
    return NicPlan(spec=spec, kind=kind, source=source, mac=spec.mac or new_mac(taken), model=spec.model or usual)


def _find(session: Session, spec: NicSpec, kind: str | None) -> tuple[str, str | None]:
    if kind == "user" or (kind is None and session.embedded and spec.network in (None, USER_NETWORK)):
        return "user", None
    if kind == "bridge":
        if spec.network is None:
            raise errors.InvalidSpecError("the hint kvm.type='bridge' needs the bridge's name as network=")
        return "bridge", spec.network
    if session.embedded:
        raise errors.NetworkNotFoundError(
            f"an embedded driver has no network {spec.network!r}",
            hint="leave network= out, or name a bridge with the hint kvm.type='bridge'",
        )
    if spec.network is None:
        return "network", _default(session)
    network = _lookup(session, spec.network)
    if network is not None:
        return "network", network.name()
    if kind is None and _is_bridge(session, spec.network):
        return "bridge", spec.network
    raise errors.NetworkNotFoundError(
        f"there is no network {spec.network!r}", hint="a bridge of the node takes the hint kvm.type='bridge'"
    )


def _default(session: Session) -> str:
    names = sorted(network.name() for network in session.connection.listAllNetworks(0))
    if "default" in names or len(names) == 1:
        return "default" if "default" in names else str(names[0])
    if not names:
        raise errors.NetworkNotFoundError("there is no network here", hint="define one, or name a bridge")
    raise errors.InvalidSpecError(
        "no network was named, and none is 'default'", hint=f"network= one of: {', '.join(names)}"
    )


def _lookup(session: Session, key: str) -> libvirt.virNetwork | None:
    for look_up in (session.connection.networkLookupByName, session.connection.networkLookupByUUIDString):
        try:
            return look_up(key)
        except libvirt.libvirtError as exc:
            if code_of(exc) not in (libvirt.VIR_ERR_NO_NETWORK, libvirt.VIR_ERR_INVALID_ARG):
                raise
    return None


def _is_bridge(session: Session, name: str) -> bool:
    """Whether the node says that it has an interface of this name; not every daemon can tell."""
    try:
        return bool(session.connection.interfaceLookupByName(name))
    except libvirt.libvirtError as exc:
        if code_of(exc) not in (libvirt.VIR_ERR_NO_INTERFACE, libvirt.VIR_ERR_NO_SUPPORT):
            raise
        return False


def _tags(session: Session, kind: str, source: str | None, *, virtualport: bool) -> bool:
    """Whether what an adapter is on can tag VLANs."""
    if virtualport or session.at_least(_BRIDGE_VLAN):
        return True
    network = _lookup(session, source) if kind == "network" and source else None
    if network is None:
        return False
    root = parse_xml(network.XMLDesc(0))
    forward = root.find("forward")
    switched = root.find(".//virtualport[@type='openvswitch']") is not None
    return switched or (forward is not None and forward.get("mode") == "hostdev")
