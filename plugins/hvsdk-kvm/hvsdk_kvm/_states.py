"""libvirt's states in hvsdk's words."""

from __future__ import annotations

from typing import cast

import libvirt
from hvsdk.driver import PowerState

__all__ = ["domain_state", "power_state"]

_STATES = {
    libvirt.VIR_DOMAIN_RUNNING: PowerState.RUNNING,
    libvirt.VIR_DOMAIN_BLOCKED: PowerState.RUNNING,
    libvirt.VIR_DOMAIN_PAUSED: PowerState.PAUSED,
    libvirt.VIR_DOMAIN_PMSUSPENDED: PowerState.PAUSED,
    libvirt.VIR_DOMAIN_SHUTDOWN: PowerState.CHANGING,
    libvirt.VIR_DOMAIN_SHUTOFF: PowerState.SHUTOFF,
    libvirt.VIR_DOMAIN_CRASHED: PowerState.CRASHED,
}
_PAUSED_REASONS = {
    libvirt.VIR_DOMAIN_PAUSED_MIGRATION: PowerState.CHANGING,
    libvirt.VIR_DOMAIN_PAUSED_SAVE: PowerState.CHANGING,
    libvirt.VIR_DOMAIN_PAUSED_DUMP: PowerState.CHANGING,
    libvirt.VIR_DOMAIN_PAUSED_SHUTTING_DOWN: PowerState.CHANGING,
    libvirt.VIR_DOMAIN_PAUSED_SNAPSHOT: PowerState.CHANGING,
    libvirt.VIR_DOMAIN_PAUSED_STARTING_UP: PowerState.CHANGING,
    libvirt.VIR_DOMAIN_PAUSED_POSTCOPY: PowerState.CHANGING,
    libvirt.VIR_DOMAIN_PAUSED_CRASHED: PowerState.CRASHED,
}


def power_state(state: int | None, reason: int | None, saved: bool, *, xen: bool = False) -> PowerState:
    """Return the power state.

    Args:
        saved: Whether it has a managed-save image. A shut-off domain's reason alone proves none.
        xen: Whether it is a domain of Xen, where "no state" is one that waits for the CPU.
    """
    if state == libvirt.VIR_DOMAIN_PAUSED:
        return _PAUSED_REASONS.get(reason or 0, PowerState.PAUSED)
    if state == libvirt.VIR_DOMAIN_SHUTOFF and saved:
        return PowerState.SUSPENDED
    if state == libvirt.VIR_DOMAIN_NOSTATE and xen:
        return PowerState.RUNNING
    return _STATES.get(state or 0, PowerState.UNKNOWN)


def domain_state(domain: libvirt.virDomain) -> tuple[int, int]:
    """Return libvirt's numbers of a domain's state and its reason; the binding declares them as a text."""
    state, reason = cast("tuple[int, int]", domain.state())
    return state, reason
