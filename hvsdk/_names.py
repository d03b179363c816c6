"""Names of verbs and capabilities as people write them, and what they may have meant."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from hvsdk.capability import Capability
from hvsdk.errors import InvalidSpecError

__all__ = ["READS", "capability_named", "did_you_mean"]

_VERBS = {
    **{capability.value: capability for capability in Capability},
    "snapshots": Capability.LIST_SNAPSHOTS,
    "revert": Capability.REVERT_SNAPSHOT,
}
READS = frozenset(
    {"list_snapshots", "changed_blocks", "console", "screenshot", "stats", "open_disk", "list_networks", "list_nodes"}
    | {"list_storage_pools", "list_volumes", "watch", "native", "guest_info", "disk_random_read", "disk_read_snapshot"}
    | {"duplicate_names", "multiprocess"}
)
"""Capabilities that change nothing."""
NEAR = 3
LONGEST = 100
"""Characters beyond which nobody mistyped a name."""
MANY = 1_000
"""More names than this are not compared: that would take longer than the question itself."""


def capability_named(name: Any) -> Capability:
    """Return a capability by its name or its verb's.

    Raises:
        InvalidSpecError: There is none; the nearest names are in the hint.
    """
    found = _VERBS.get(name) if isinstance(name, str) else None
    if found is None:
        hint = did_you_mean(name, _VERBS) or f"there are: {', '.join(sorted(_VERBS))}"
        raise InvalidSpecError(f"there is no verb or capability {name!r}", hint=hint)
    return found


def did_you_mean(name: Any, names: Collection[str]) -> str | None:
    """Return a hint with the names nearest to one that is not among them, or `None` where none is near."""
    if not isinstance(name, str) or len(name) > LONGEST or len(names) > MANY:
        return None
    from difflib import get_close_matches

    near = get_close_matches(name, set(names), NEAR)
    return f"did you mean {' or '.join(map(repr, near))}?" if near else None
