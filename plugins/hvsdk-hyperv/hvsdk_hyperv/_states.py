"""Hyper-V's states of a virtual machine, by name: numbers above 32782 moved between versions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from hvsdk.driver import PowerState

__all__ = ["power_state"]

_STATES: Final[Mapping[str, PowerState]] = {
    "Running": PowerState.RUNNING,
    "RunningCritical": PowerState.RUNNING,
    "Off": PowerState.SHUTOFF,
    "Hibernated": PowerState.SHUTOFF,
    "Paused": PowerState.PAUSED,
    "PausedCritical": PowerState.PAUSED,
    "Saved": PowerState.SUSPENDED,
    "FastSaved": PowerState.SUSPENDED,
    "OffCritical": PowerState.UNKNOWN,
    "SavedCritical": PowerState.UNKNOWN,
    "FastSavedCritical": PowerState.UNKNOWN,
    "Stopping": PowerState.CHANGING,
    "Starting": PowerState.CHANGING,
    "Reset": PowerState.CHANGING,
    "Saving": PowerState.CHANGING,
    "Pausing": PowerState.CHANGING,
    "Resuming": PowerState.CHANGING,
    "FastSaving": PowerState.CHANGING,
    "ForceShutdown": PowerState.CHANGING,
    "ForceReboot": PowerState.CHANGING,
    "ComponentServicing": PowerState.CHANGING,
}
_CRITICAL: Final = "Critical"


def power_state(state: str) -> PowerState:
    """Return our state for the name of a VMState.

    A guest that hibernated by itself is off to the host. A VM whose storage is gone is seen no more when it was off or
    saved (`OffCritical`), and is what it was while it runs or is paused. What is done beside, such as merging disks
    after a checkpoint was deleted, is no state: it may take hours.
    """
    found = _STATES.get(state)
    if found is None and state.endswith(_CRITICAL):
        found = _STATES.get(state.removesuffix(_CRITICAL))
    return PowerState.UNKNOWN if found is None else found
