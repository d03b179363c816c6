"""Networks, and the VLANs they are on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hvsdk.driver import Deadline, Network, frozen

from hvsdk_xen._devices import vlans
from hvsdk_xen._fields import Record, Related, count, mapping, text
from hvsdk_xen._records import uuid_of
from hvsdk_xen._related import RelatedReads

__all__ = ["NetworkReads", "network_info"]

_INTERNAL = "is_host_internal_management_network"


class NetworkReads(RelatedReads):
    """`list_networks`."""

    def list_networks(self, *, deadline: Deadline) -> Iterable[Network]:
        """Return the networks, in one call; the one between a host and its own tools is left out."""
        related = Related(self.read_together(("network", "pif"), deadline))
        tags = vlans(related)
        return [
            network_info(network, related, tags.get(ref))
            for ref, network in related.classes.get("network", {}).items()
            if mapping(network, "other_config").get(_INTERNAL) != "true"
        ]


def network_info(network: Record, related: Related, vlan: int | None) -> Network:
    """Return the record of a network."""
    interfaces = related.all_of("pif", network, "PIFs")
    details: dict[str, Any] = {
        "xen.description": text(network, "name_description"),
        "xen.devices": sorted({text(pif, "device") for pif in interfaces if text(pif, "device")}),
        "xen.is_bond": any(pif.get("bond_master_of") for pif in interfaces),
        "xen.is_tunnel": any(pif.get("tunnel_access_PIF_of") for pif in interfaces),
        "xen.is_private": not interfaces,
        "xen.is_management": any(pif.get("management") is True for pif in interfaces),
        "xen.default_locking_mode": _unless(text(network, "default_locking_mode"), "unlocked"),
        "xen.purpose": _texts(network, "purpose"),
        "xen.tags": sorted(_texts(network, "tags")),
    }
    return Network(
        id=uuid_of(network, "network"),
        name=text(network, "name_label") or text(network, "bridge"),
        active=any(pif.get("currently_attached") is True for pif in interfaces) if interfaces else True,
        bridge=text(network, "bridge") or None,
        vlan=vlan,
        mtu=count(network, "MTU") or None,
        details=frozen({key: value for key, value in details.items() if value}),
    )


def _unless(value: str, usual: str) -> str | None:
    return None if value == usual else value


def _texts(record: Mapping[str, Any], field: str) -> list[str]:
    values = record.get(field)
    return [value for value in values if isinstance(value, str)] if isinstance(values, list) else []
