"""XAPI's states in hvsdk's words."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from hvsdk.driver import PowerState

from hvsdk_xen._fields import Record, Records, Related, reference

__all__ = ["as_seen", "power_state", "unheard_hosts"]

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
_UNSEEN: Record = {"power_state": "", "current_operations": {}}


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


def unheard_hosts(hosts: Records, metrics: Records) -> frozenset[str]:
    """Return the references of the hosts that the pool no longer hears, by the records of their metrics."""
    related = Related({"host_metrics": metrics})
    return frozenset(
        ref for ref, host in hosts.items() if related.of("host_metrics", host, "metrics").get("live") is False
    )


def as_seen(vms: Iterable[Record], unheard: Collection[str]) -> Iterable[Record]:
    """Return VM records as they count.

    XAPI leaves a domain of a host that it no longer hears what it was, and what was under way on it too, until somebody
    declares that host dead. Whether it runs there nobody knows: such a record has no state any more.
    """
    if not unheard:
        return vms
    return [vm if reference(vm, "resident_on") not in unheard else {**vm, **_UNSEEN} for vm in vms]
