"""vSphere's states in hvsdk's words."""

from __future__ import annotations

from hvsdk.driver import PowerState

__all__ = ["STATES", "power_state"]

STATES = {
    "poweredOn": PowerState.RUNNING,
    "poweredOff": PowerState.SHUTOFF,
    "suspended": PowerState.SUSPENDED,
}


def power_state(told: str | None, connection: str | None) -> PowerState:
    """Return the power state.

    vSphere has no state for a domain whose vCPUs are stopped, tells no crash, and shows one that migrates as running.

    Args:
        told: `runtime.powerState`.
        connection: `runtime.connectionState`: what is not `connected` vSphere only remembers.
    """
    if connection is not None and connection != "connected":
        return PowerState.UNKNOWN
    return STATES.get(told or "", PowerState.UNKNOWN)
