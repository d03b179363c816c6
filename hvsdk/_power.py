"""The state table: what each verb means in each power state, in one place.

`docs/power-states.md` shows the same table; the conformance kit checks it on every backend.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

import attrs

from hvsdk.enums import PowerState

__all__ = ["NOT_SUSPENDED", "RULES", "Rule", "Verdict", "advice", "state_words"]

RUNNING, PAUSED, SUSPENDED, SHUTOFF, CRASHED, CHANGING, UNKNOWN = PowerState


class Verdict(Enum):
    """What a state means for a verb."""

    GO = auto()
    """The verb is allowed."""
    DONE = auto()
    """The domain is already where the verb leads."""
    WAIT = auto()
    """Something is under way; look again."""
    ERROR = auto()


@attrs.frozen(kw_only=True)
class Rule:
    """One column of the table.

    Attributes:
        allowed: States from which the verb works.
        done: States in which there is nothing to do.
        goal: The state that the verb waits for; `None` where there is none to wait for.
    """

    allowed: frozenset[PowerState]
    done: frozenset[PowerState] = frozenset()
    goal: PowerState | None = None

    def judge(self, state: PowerState) -> Verdict:
        """Return what `state` means for the verb."""
        if state in self.done:
            return Verdict.DONE
        if state in self.allowed:
            return Verdict.GO
        return Verdict.WAIT if state is CHANGING else Verdict.ERROR


def _rule(*allowed: PowerState, done: PowerState | None = None, goal: PowerState | None = None) -> Rule:
    return Rule(allowed=frozenset(allowed), done=frozenset() if done is None else frozenset({done}), goal=goal)


RULES: Final[dict[str, Rule]] = {
    "start": _rule(SHUTOFF, SUSPENDED, done=RUNNING, goal=RUNNING),
    "shutdown": _rule(RUNNING, done=SHUTOFF, goal=SHUTOFF),
    "power_off": _rule(RUNNING, PAUSED, CRASHED, done=SHUTOFF, goal=SHUTOFF),
    "reboot": _rule(RUNNING),
    "reset": _rule(RUNNING, CRASHED, goal=RUNNING),
    "pause": _rule(RUNNING, done=PAUSED, goal=PAUSED),
    "unpause": _rule(PAUSED, done=RUNNING, goal=RUNNING),
    "suspend": _rule(RUNNING, done=SUSPENDED, goal=SUSPENDED),
    "resume": _rule(SUSPENDED, done=RUNNING, goal=RUNNING),
    "delete": _rule(SHUTOFF),
}
"""The table's columns."""

DISCARDING: Final = _rule(RUNNING, PAUSED, CRASHED, SUSPENDED, done=SHUTOFF, goal=SHUTOFF)
"""`power_off(discard_memory=True)`."""

_ANY = (RUNNING, PAUSED, SHUTOFF, CRASHED)
NOT_SUSPENDED: Final = _rule(*_ANY)
"""Snapshots, clones, hardware: the saved memory must fit the domain it returns to."""
AT_REST: Final = _rule(SHUTOFF, SUSPENDED)
"""Reading the disks as they are."""

RULES.update(
    dict.fromkeys(
        (
            "create_snapshot",
            "clone",
            "reconfigure",
            "resize_disk",
            "attach_disk",
            "detach_disk",
            "attach_nic",
            "detach_nic",
        ),
        NOT_SUSPENDED,
    )
)
RULES["open_disk"] = AT_REST
VARIANT_RULES: Final[dict[str, Rule]] = {"snapshot_memory": _rule(RUNNING), "clone_linked": NOT_SUSPENDED}
"""What a verb's variant needs beyond the verb."""
RULES["revert_snapshot"] = _rule(*_ANY, SUSPENDED)
RULES["migrate"] = _rule(RUNNING, PAUSED, SHUTOFF)

_ADVICE: Final[dict[tuple[str, PowerState], str]] = {
    ("start", PAUSED): "unpause() lets it go on",
    ("start", CRASHED): "power_off() it first, or reset() it",
    ("shutdown", PAUSED): "unpause() it first, or shutdown(then='power_off')",
    ("shutdown", CRASHED): "no guest is left to ask: power_off(), or shutdown(then='power_off')",
    ("shutdown", SUSPENDED): "resume() it first, or power_off(discard_memory=True)",
    ("power_off", SUSPENDED): "it would lose its saved memory: power_off(discard_memory=True) if that is meant",
    ("reboot", SHUTOFF): "start() it",
    ("reset", SHUTOFF): "start() it",
    ("reboot", PAUSED): "unpause() it first",
    ("reset", PAUSED): "unpause() it first",
    ("reboot", CRASHED): "reset() it",
    ("unpause", SHUTOFF): "start() it",
    ("resume", SHUTOFF): "nothing is saved: start() it",
    ("resume", PAUSED): "unpause() it",
    ("unpause", SUSPENDED): "resume() it",
    ("delete", RUNNING): "shutdown() or power_off() it first",
    ("delete", PAUSED): "power_off() it first",
    ("delete", CRASHED): "power_off() it first",
    ("delete", SUSPENDED): "power_off(discard_memory=True) it first, or resume() and shutdown()",
    ("snapshot_memory", PAUSED): "unpause() it first, or make a snapshot without memory",
    ("snapshot_memory", SHUTOFF): "start() it first, or make a snapshot without memory",
    ("snapshot_memory", CRASHED): "reset() it first, or make a snapshot without memory",
    ("open_disk", RUNNING): "shut it down, or read a snapshot: open_disk(disk, snapshot=…)",
    ("open_disk", PAUSED): "power_off() it, or read a snapshot: open_disk(disk, snapshot=…)",
    ("open_disk", CRASHED): "power_off() it first",
}


def state_words(state: PowerState) -> str:
    """Return what a domain is, for a message: the state, where that says something of itself."""
    return "in an unknown state" if state is UNKNOWN else str(state)


def advice(verb: str, state: PowerState) -> str:
    """Return what to do about a verb that `state` does not allow."""
    special = _ADVICE.get((verb, state))
    if special is not None:
        return special
    if state is UNKNOWN:
        return "the product cannot see the domain now: its host or its storage may be away"
    if state is SUSPENDED:
        return "resume() it first"
    if state is SHUTOFF:
        return "start() it first"
    return "bring it to a state that allows it first"
