"""What a network adapter's specification means here: the network it is on, and the record of the VIF."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import attrs
from hvsdk.driver import Deadline, NicSpec, errors

from hvsdk_xen._hints import NIC_HINTS, read_hints
from hvsdk_xen._store import is_uuid
from hvsdk_xen._values import NULL, as_int
from hvsdk_xen._verbs import VerbSession

__all__ = ["LINK_DOWN", "NicPlan", "NicPlans"]

Networks: TypeAlias = Mapping[str, Mapping[str, Any]]
"""Records by reference."""
LINK_DOWN = "disabled"
"""Locking mode of a VIF that lets no frame pass."""
_MODELS = (None, "xen", "netfront")
_USUAL_MTU = 1500


@attrs.frozen(kw_only=True)
class NicPlan:
    """An adapter as it will be."""

    spec: NicSpec
    network: str
    """Reference of the network."""
    mtu: int
    rate_kbps: int | None = None

    def record(self, vm: str, device: str) -> dict[str, Any]:
        """Return the record for VIF.create."""
        limited = self.rate_kbps is not None
        record: dict[str, Any] = {
            "VM": vm,
            "device": device,
            "network": self.network,
            "MAC": self.spec.mac or "",
            "MTU": self.mtu,
            "other_config": {},
            "qos_algorithm_type": "ratelimit" if limited else "",
            "qos_algorithm_params": {"kbps": str(self.rate_kbps)} if limited else {},
        }
        return record if self.spec.link_up else record | {"locking_mode": LINK_DOWN}


class NicPlans(VerbSession):
    """Finds networks for adapters."""

    def plan_nics(self, specs: Sequence[NicSpec], deadline: Deadline) -> list[NicPlan]:
        """Find the networks of adapters, all with one look at the pool's. Nothing is made.

        Raises:
            NetworkNotFoundError: There is none of that name.
            AmbiguousNameError: Several have it.
            InvalidSpecError: An adapter cannot have the model or VLAN that was asked for.
        """
        for spec in specs:
            _refuse_model(spec)
        if not specs:
            return []
        networks: Networks = self.call("network.get_all_records", deadline=deadline)
        loose = any(spec.network is None for spec in specs)
        usual = self._usual_network(deadline) if loose else NULL
        return [self._plan_nic(spec, networks, usual, deadline) for spec in specs]

    def _plan_nic(self, spec: NicSpec, networks: Networks, usual: str, deadline: Deadline) -> NicPlan:
        hints = read_hints(spec.hints, NIC_HINTS)
        ref = usual if spec.network is None else _find_network(networks, spec.network)
        network = networks.get(ref, {})
        if spec.vlan is not None and spec.vlan not in self._vlans_of(network, deadline):
            raise errors.InvalidSpecError(
                f"the network {network.get('name_label')!r} is not VLAN {spec.vlan}",
                hint="each VLAN is a network of its own here: name that one",
            )
        mtu = spec.mtu or as_int(network.get("MTU")) or _USUAL_MTU
        return NicPlan(spec=spec, network=ref, mtu=mtu, rate_kbps=hints.get("rate_kbps"))

    def _usual_network(self, deadline: Deadline) -> str:
        """Return the network that the master is managed on, which all members have."""
        found = self.management_network(str(self.around.pool.get("master")), deadline)
        if found is None:
            raise errors.NetworkNotFoundError(
                "no network was named, and the master has no management interface", hint="name one: network="
            )
        return found

    def _vlans_of(self, network: Mapping[str, Any], deadline: Deadline) -> set[int]:
        found = {as_int(self.call("PIF.get_VLAN", pif, deadline=deadline)) for pif in network.get("PIFs", ())}
        return {tag for tag in found if tag is not None and tag >= 0}


def _refuse_model(spec: NicSpec) -> None:
    if spec.model not in _MODELS:
        raise errors.InvalidSpecError(
            f"an adapter cannot be a {spec.model!r} here", hint="all are Xen's own (netfront); leave model= out"
        )


def _find_network(networks: Networks, key: str) -> str:
    parts = ("uuid", "name_label", "bridge") if is_uuid(key) else ("name_label", "bridge", "uuid")
    for part in parts:
        found = [ref for ref, network in networks.items() if network.get(part) == key]
        if len(found) == 1:
            return found[0]
        if found:
            uuids = sorted(str(networks[ref].get("uuid")) for ref in found)
            raise errors.AmbiguousNameError(
                f"{len(found)} networks are called {key!r}: {', '.join(uuids)}",
                candidates=[(uuid, None, None) for uuid in uuids],
                hint="name it by its UUID",
            )
    known = ", ".join(sorted(str(network.get("name_label")) for network in networks.values()))
    raise errors.NetworkNotFoundError(f"there is no network {key!r}", hint=f"there are: {known}")
