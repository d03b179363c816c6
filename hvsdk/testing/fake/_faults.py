"""What goes wrong, and when: the rules behind `fault=` and `FakeControl.fail`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hvsdk._driver.base import Driver
from hvsdk.errors import InvalidSpecError
from hvsdk.testing.fake._options import seconds as parse_seconds

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["KINDS", "TASK_KINDS", "VERBS", "Faults", "Rule"]

KINDS = {
    "drop-before": "the connection breaks and nothing was done",
    "drop-after": "it is done, and the connection breaks before the answer",
    "slow": "it takes some seconds more, and is done",
    "trickle": "the answer comes so slowly that time is up; nothing was done",
    "hang": "no answer ever, whatever the time limit, and nothing was done",
    "hang-after": "it is done, and no answer ever comes",
    "expired-session": "the session is not known any more, and nothing was done",
    "refused-login": "the credentials are refused, for the verb open",
    "task-fails-late": "it goes well until the last step, then fails and is undone",
    "task-stalls": "it makes no progress any more until it is cancelled",
}
"""The ways in which a call can go wrong. An error code of `_errors.CODES` is one too: the product refuses with it."""

TASK_KINDS = ("task-fails-late", "task-stalls")

_LOCAL = frozenset({"host_limits", "native"})
"""Methods that the fake answers without a round trip."""
VERBS = (
    frozenset(
        name
        for name, method in vars(Driver).items()
        if "deadline" in getattr(getattr(method, "__code__", None), "co_varnames", ())
    )
    - _LOCAL
) | {"poll", "cancel", "extents", "read", "write", "zero", "flush"}
"""What a fault can hit: the driver's methods that go to the world, and those of its tasks, readers and writers."""


class Rule:
    """One thing that goes wrong, a number of times."""

    __slots__ = ("after", "kind", "native_id", "seconds", "times", "verb")

    def __init__(
        self,
        verb: str,
        kind: str,
        times: int = 1,
        *,
        after: int = 0,
        seconds: float = 1.0,
        native_id: str | None = None,
    ) -> None:
        if verb != "*" and verb not in VERBS:
            raise InvalidSpecError(f"no verb {verb!r} can go wrong; there are {', '.join(sorted(VERBS))} and * for any")
        if kind not in KINDS and not (kind.isupper() and kind.isascii()):
            raise InvalidSpecError(f"no fault {kind!r}; there are {', '.join(KINDS)} and the product's ERROR_CODES")
        self.verb: str = verb
        self.kind: str = kind
        self.times: int = times
        self.after: int = after
        self.seconds: float = seconds
        self.native_id: str | None = native_id

    def __repr__(self) -> str:
        return f"<Rule {self.verb}:{self.kind} x{self.times}>"

    def fits(self, verb: str, native_id: str | None) -> bool:
        """Return whether it concerns this call."""
        return self.verb in ("*", verb) and self.native_id in (None, native_id)


class Faults:
    """The rules that are left, oldest first."""

    def __init__(self, text: str = "") -> None:
        self.rules: list[Rule] = [_parse(part) for part in text.split(",") if part.strip()]

    def take(self, verb: str, native_id: str | None) -> Rule | None:
        """Use up one time of the first rule for a call, if there is one."""
        return self._take(verb, native_id, lambda rule: rule.kind not in TASK_KINDS)

    def take_task(self, verb: str, native_id: str | None) -> Rule | None:
        """Use up one time of the first rule for a call's task, if there is one."""
        return self._take(verb, native_id, lambda rule: rule.kind in TASK_KINDS)

    def _take(self, verb: str, native_id: str | None, wanted: Callable[[Rule], bool]) -> Rule | None:
        for rule in self.rules:
            if wanted(rule) and rule.fits(verb, native_id):
                if rule.after > 0:
                    rule.after -= 1
                    continue
                rule.times -= 1
                if rule.times <= 0:
                    self.rules.remove(rule)
                return rule
        return None


def _parse(text: str) -> Rule:
    verb, colon, rest = text.strip().partition(":")
    rest, _, times = rest.partition("*")
    kind, _, delay = rest.partition("=")
    if not verb or not colon or not kind or (times and not times.isdigit()):
        raise InvalidSpecError(f"{text.strip()!r} is no fault", hint="write verb:kind, start:drop-after, *:slow=0.2*3")
    return Rule(verb, kind, int(times or 1), seconds=parse_seconds(delay) if delay else 1.0)
