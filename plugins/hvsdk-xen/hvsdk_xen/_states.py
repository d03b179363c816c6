"""XAPI's states in hvsdk's words."""

from __future__ import annotations

from typing import Any

from hvsdk.driver import PowerState

__all__ = ["power_state"]

_STATES = {
    "halted": PowerState.SHUTOFF,
    "running": PowerState.RUNNING,
    "paused": PowerState.PAUSED,
    "suspended": PowerState.SUSPENDED,
}
_EXACT = {word.capitalize(): state for word, state in _STATES.items()}
_CHANGING = frozenset(
    (
        *("start", "start_on", "resume", "resume_on", "suspend", "checkpoint", "pool_migrate", "migrate_send"),
        *("revert", "reverting", "import"),
    )
)
"""Operations during which the state is about to be another one, or is nobody's to rely on. A guest that was asked to shut
down or reboot is not among them: it runs until it obeys, which may be never."""


def power_state(told: Any, operations: Any) -> PowerState:
    """Return the power state.

    XAPI does not tell a crash: a crashed VM that it keeps is one that is paused.

    Args:
        told: The field `power_state`.
        operations: The field `current_operations`: what is under way, by task.
    """
    if operations and isinstance(operations, dict):
        for operation in operations.values():
            if isinstance(operation, str) and operation in _CHANGING:
                return PowerState.CHANGING
    if not isinstance(told, str):
        return PowerState.UNKNOWN
    return _EXACT.get(told) or _STATES.get(told.lower(), PowerState.UNKNOWN)
