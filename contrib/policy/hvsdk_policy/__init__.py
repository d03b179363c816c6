"""A policy: rules in a TOML file that refuse operations before they begin."""

from __future__ import annotations

import os
import threading
import tomllib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

from hvsdk import errors, hookimpl
from hvsdk.driver import Operation

__all__ = ["Policy", "hvsdk_before_operation"]

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_KEYS = {"tags", "verbs", "outside", "days", "refuse", "unless_marks"}


class Policy:
    """Rules, and what this process has changed so far.

    Args:
        rules: As `tomllib` reads them.
        now: Tells the time, in UTC.

    Raises:
        ValueError: A rule makes no sense.
    """

    def __init__(self, rules: Mapping[str, Any], now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._rules = [_checked(rule) for rule in rules.get("rule", [])]
        self._most = rules.get("limits", {}).get("domains")
        self._now = now
        self._touched: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Policy:
        """Read a file."""
        return cls(tomllib.loads(Path(path).read_text("utf-8")))

    @hookimpl
    def hvsdk_before_operation(self, operation: Operation) -> None:
        """Refuse what a rule forbids.

        Raises:
            VetoError: It does.
        """
        if not operation.changes:
            return
        for rule in self._rules:
            if self._forbids(rule, operation):
                raise errors.VetoError(rule["refuse"])
        self._count(operation)

    def _forbids(self, rule: Mapping[str, Any], operation: Operation) -> bool:
        verbs = rule.get("verbs", ["*"])
        if "*" not in verbs and operation.verb not in verbs:
            return False
        if any(operation.marks.get(mark) for mark in rule.get("unless_marks", ())):
            return False
        if "tags" in rule and operation.native_id is not None:
            known = operation.domain_tags
            if known is not None and not known & set(rule["tags"]):
                return False
        elif "tags" in rule:
            return False  # it is about no domain
        return "outside" not in rule or not _within(rule, self._now())

    def _count(self, operation: Operation) -> None:
        if self._most is None or operation.native_id is None:
            return
        with self._lock:
            self._touched.add((operation.host, operation.native_id))
            if len(self._touched) > self._most:
                raise errors.VetoError(f"this process has changed {self._most} domains, which is all that it may")


def _checked(rule: Mapping[str, Any]) -> Mapping[str, Any]:
    unknown = set(rule) - _KEYS
    if unknown:
        raise ValueError(f"a rule has no {', '.join(sorted(unknown))}; it has {', '.join(sorted(_KEYS))}")
    if not isinstance(rule.get("refuse"), str):
        raise ValueError("a rule says with refuse = what whoever is refused is told")
    if not set(rule.get("days", ())) <= set(_DAYS):
        raise ValueError(f"days are {', '.join(_DAYS)}")
    if "outside" in rule:
        _window(rule["outside"])
    return rule


def _window(text: str) -> tuple[time, time]:
    begin, _, end = text.partition("-")
    return time.fromisoformat(begin.strip()), time.fromisoformat(end.strip())


def _within(rule: Mapping[str, Any], now: datetime) -> bool:
    """Whether a moment lies in a rule's window; one that goes over midnight belongs to the day on which it begins."""
    begin, end = _window(rule["outside"])
    days = rule.get("days", _DAYS)
    clock = now.time()
    if begin <= end:
        return begin <= clock < end and _DAYS[now.weekday()] in days
    if clock >= begin:
        return _DAYS[now.weekday()] in days
    return clock < end and _DAYS[(now - timedelta(days=1)).weekday()] in days


_loaded: dict[str, Policy] = {}


@hookimpl
def hvsdk_before_operation(operation: Operation) -> None:
    """Ask the policy that the environment names; one that cannot be read refuses everything."""
    path = os.environ.get("HVSDK_POLICY")
    if not path:
        return
    policy = _loaded.get(path)
    if policy is None:
        policy = _loaded[path] = Policy.load(path)
    policy.hvsdk_before_operation(operation)
