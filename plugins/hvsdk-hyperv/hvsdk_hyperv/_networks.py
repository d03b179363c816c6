"""Networks: the virtual switches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hvsdk.driver import Deadline, Network, frozen

from hvsdk_hyperv._session import HyperVSession

__all__ = ["NetworkReads", "network"]


class NetworkReads(HyperVSession):
    """`list_networks`."""

    def list_networks(self, *, deadline: Deadline) -> Iterable[Network]:
        """Return the virtual switches. VLANs belong to adapters here, not to networks."""
        return [network(record) for record in self.call("networks.list", deadline=deadline)]


def network(record: Mapping[str, Any]) -> Network:
    """Return the record of a switch."""
    details = {
        "hyperv.type": record["type"],
        "hyperv.interface": record["interface"],
        "hyperv.notes": record["notes"],
        "hyperv.host_is_on_it": record["host_is_on_it"],
        "hyperv.teaming": record["teaming"] or None,
    }
    return Network(
        id=record["id"],
        name=record["name"],
        active=True,
        details=frozen({key: value for key, value in details.items() if value is not None}),
    )
