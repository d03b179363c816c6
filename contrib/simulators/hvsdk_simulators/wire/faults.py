"""Faults that a server makes on purpose: which calls they meet, what happens to them, and how often.

A fault is written `METHOD:ACTION[:TIMES]`: `VM.start:drop-after:1`, `Async.VM.*:slow=0.5`,
`/export_raw_vdi:half-answer`, `VM.get_record:error=HANDLE_INVALID,VM,OpaqueRef:NULL:1`.
"""

from __future__ import annotations

import math
import re
import threading
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any

from attrs import define, frozen

__all__ = ["Action", "Fault", "FaultSyntaxError", "Faults", "Rule", "parse"]


class Action(StrEnum):
    """What happens to a call."""

    DROP_BEFORE = "drop-before"
    """The connection is cut, and nothing is done."""
    DROP_AFTER = "drop-after"
    """It is done, and the connection is cut instead of an answer."""
    HALF_ANSWER = "half-answer"
    """It is done, and the connection is cut in the middle of the answer."""
    HTTP_500 = "http-500"
    """Nothing is done, the answer is an error of HTTP."""
    SLOW = "slow"
    """It is done some seconds later."""
    TRICKLE = "trickle"
    """It is done, and the answer comes byte by byte."""
    FREEZE = "freeze"
    """Nothing is done, and no answer comes."""
    SESSION_EXPIRED = "session-expired"
    """The session of the call ends before it is done."""
    EVENTS_LOST = "events-lost"
    """Every token given out so far is too old."""
    TASK_VANISH = "task-vanish"
    """The task that the call makes is gone as soon as the caller knows its reference; the work goes on."""
    MASTER_CHANGE = "master-change"
    """Another member becomes the master before it is done."""
    UNAUTHORIZED = "unauthorized"
    """Nothing is done, the answer is 401."""
    SHELL_GONE = "shell-gone"
    """The remote shells end before it is done."""
    PROCESS_GONE = "process-gone"
    """What runs in the remote shells is killed before it is done."""
    GARBAGE = "garbage"
    """Something else writes to the standard output before it is done."""
    PROGRESS = "progress"
    """Records of progress come on the standard error before it is done."""
    ERROR = "error"
    """Nothing is done, the answer is an error of the product."""


class FaultSyntaxError(ValueError):
    """A text does not say a fault."""


@frozen
class Fault:
    """What happens to one call."""

    action: Action
    seconds: float = 0.0
    """For `slow`."""
    details: tuple[str, ...] = ()
    """Code and parameters, for `error`."""


@define
class Rule:
    """A fault for all calls that a pattern fits."""

    spec: str
    pattern: str
    """With `*`, `?` and `[…]`, over names of methods and paths of HTTP."""
    fault: Fault
    left: int | None = None
    """How often it still happens; None for always."""
    taken: int = 0
    """How often it has happened."""

    def show(self) -> dict[str, Any]:
        """Return it as JSON can say it."""
        return {"spec": self.spec, "left": self.left, "taken": self.taken}


_SPEC = re.compile(r"(?P<pattern>[^:]+):(?P<action>[a-z0-9-]+)(?:=(?P<argument>.*?))?(?::(?P<times>\d+))?", re.DOTALL)


def parse(spec: str) -> Rule:
    """Read a fault.

    The number at the end is always how often: an error whose last parameter ends in a colon and digits needs one, too.

    Raises:
        FaultSyntaxError: It is not one.
    """
    found = _SPEC.fullmatch(spec)
    if found is None:
        raise FaultSyntaxError(f"not a fault: {spec!r}; it is written METHOD:ACTION[:TIMES], as VM.start:drop-before:1")
    try:
        action = Action(found["action"])
    except ValueError:
        known = ", ".join(Action)
        raise FaultSyntaxError(f"no such action: {found['action']!r} in {spec!r}; there are {known}") from None
    times = int(found["times"]) if found["times"] else None
    if times == 0:
        raise FaultSyntaxError(f"a fault that happens no time: {spec!r}")
    return Rule(spec, found["pattern"], _fault(spec, action, found["argument"]), times)


def _fault(spec: str, action: Action, argument: str | None) -> Fault:
    if action is Action.SLOW:
        return Fault(action, seconds=_seconds(spec, argument))
    if action is Action.ERROR:
        if not argument or argument.startswith(","):
            raise FaultSyntaxError(f"an error needs its code: {spec!r}; it is written error=CODE,parameter,…")
        return Fault(action, details=tuple(argument.split(",")))
    if argument is not None:
        raise FaultSyntaxError(f"{action} takes nothing after it: {spec!r}")
    return Fault(action)


def _seconds(spec: str, text: str | None) -> float:
    try:
        seconds = float(text or "")
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise FaultSyntaxError(f"slow needs seconds: {spec!r}; it is written slow=0.5")
    return seconds


class Faults:
    """The faults that a server makes now. All threads may use it."""

    def __init__(self, *specs: str) -> None:
        """Take faults as they are written.

        Raises:
            FaultSyntaxError: One is not a fault.
        """
        self._rules = [parse(spec) for spec in specs]
        self._lock = threading.Lock()

    def add(self, spec: str) -> Rule:
        """Take one more; those that are there already come first.

        Raises:
            FaultSyntaxError: It is not a fault.
        """
        rule = parse(spec)
        with self._lock:
            self._rules.append(rule)
        return rule

    def take(self, name: str) -> Fault | None:
        """Return what happens to a call, and count it: ask once for each call."""
        with self._lock:
            rule = next((one for one in self._rules if one.left != 0 and fnmatchcase(name, one.pattern)), None)
            if rule is None:
                return None
            rule.taken += 1
            if rule.left is not None:
                rule.left -= 1
            return rule.fault

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._rules.clear()

    def show(self) -> list[dict[str, Any]]:
        """Return all, the spent ones with how often they happened."""
        with self._lock:
            return [rule.show() for rule in self._rules]
