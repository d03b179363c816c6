"""The words for states and kinds. Members are strings: `PowerState.RUNNING == "running"`."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["EventKind", "PowerState"]


class PowerState(StrEnum):
    """What a domain is doing, in one word that means the same on every backend."""

    RUNNING = "running"
    PAUSED = "paused"
    """Its vCPUs are stopped and its memory is still there."""
    SUSPENDED = "suspended"
    """Its memory is on disk; `resume` or `start` restores it."""
    SHUTOFF = "shutoff"
    CRASHED = "crashed"
    """The guest or its process died, where the product tells."""
    CHANGING = "changing"
    """A migration, save or the like is under way."""
    UNKNOWN = "unknown"
    """The product cannot see the domain."""


class EventKind(StrEnum):
    """What an `Event` tells."""

    STARTED = "started"
    STOPPED = "stopped"
    PAUSED = "paused"
    RESUMED = "resumed"
    SUSPENDED = "suspended"
    CRASHED = "crashed"
    DEFINED = "defined"
    REMOVED = "removed"
    CHANGED = "changed"
    MIGRATED = "migrated"
    HOST_LOST = "host-lost"
    HOST_BACK = "host-back"
