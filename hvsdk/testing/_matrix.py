"""What a run of the kit found, by capability."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Self

import attrs

from hvsdk._display import neutralise
from hvsdk.capability import Capability

if TYPE_CHECKING:
    from hvsdk._host import Host

__all__ = ["Matrix", "Row"]

OUTCOMES = ("passed", "failed", "skipped", "known")


@attrs.define(kw_only=True)
class Row:
    """One capability: whether the host has it, and what its tests said."""

    capability: str
    reason: str | None
    """Why the host does not have it; `None` where it does."""
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    known: int = 0

    @property
    def state(self) -> str:
        """`yes`, `no`, `failed` or `not checked`."""
        if self.failed:
            return "failed"
        if self.reason is not None:
            return "no"
        return "yes" if self.passed else "not checked"


class Matrix:
    """Rows by capability, and the tests that failed or could not be run."""

    def __init__(self, about: dict[str, str | None], rows: Iterable[Row]) -> None:
        self.about = about
        self.rows = {row.capability: row for row in rows}
        self.tests: dict[str, str] = {}
        """Outcome of each test; the worst of its phases."""
        self.failures: dict[str, str] = {}
        self.unchecked: dict[str, str] = {}
        self._concerned: dict[str, list[str]] = {}

    @classmethod
    def begin(cls, host: Host) -> Self:
        """Ask a host what it is and can do."""
        info = host.info()
        about = {"url": host.url, "backend": host.backend, "product": info.product, "version": info.version}
        return cls(about, [Row(capability=item.value, reason=host.why_not(item)) for item in Capability])

    def count(self, report: Any) -> None:
        """Take one phase (set-up, call, clean-up) of one test into account."""
        from hvsdk.testing.conformance._helpers import CONCERNS

        name = report.nodeid.rpartition("::")[2]
        outcome = "known" if hasattr(report, "wasxfail") and report.outcome == "skipped" else report.outcome
        if report.when != "call" and outcome == "passed":
            return
        for key, noted in report.user_properties:
            if key == CONCERNS:
                self._concerned[name] = sorted(set(noted))
        if self.tests.get(name) != "failed":
            self._move(name, outcome)
        if outcome == "failed":
            self.failures[name] = _last_line(report.longreprtext)
        elif outcome == "skipped" and "NOT CHECKED" in str(report.longrepr):
            self.unchecked[name] = str(report.longrepr[2]).partition("NOT CHECKED: ")[2]

    def _move(self, name: str, outcome: str) -> None:
        before = self.tests.get(name)
        self.tests[name] = outcome
        for capability in self._concerned.get(name, ()):
            row = self.rows[capability]
            if before is not None:
                setattr(row, before, getattr(row, before) - 1)
            setattr(row, outcome, getattr(row, outcome) + 1)

    def totals(self) -> dict[str, int]:
        """Return how many tests ended how."""
        found = list(self.tests.values())
        return {outcome: found.count(outcome) for outcome in OUTCOMES}

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        rows = [{**attrs.asdict(row), "state": row.state} for row in self.rows.values()]
        return {
            **self.about,
            "totals": self.totals(),
            "capabilities": rows,
            "failures": self.failures,
            "not_checked": self.unchecked,
        }

    def text(self) -> str:
        """Return a table for people."""
        lines = [f"{neutralise(str(self.about['product']))} {self.about['version'] or ''} at {self.about['url']}", ""]
        lines.append(f"{'capability':22} {'state':12}" + "".join(f"{outcome:>9}" for outcome in OUTCOMES))
        for row in self.rows.values():
            counts = "".join(f"{getattr(row, outcome) or '':>9}" for outcome in OUTCOMES)
            lines.append(f"{row.capability:22} {row.state:12}{counts}".rstrip())
        lines += _section("failed:", self.failures)
        reasons = sorted(set(self.unchecked.values()))
        lines += _section("not checked:", dict.fromkeys(reasons, ""))
        totals = ", ".join(f"{count} {outcome}" for outcome, count in self.totals().items() if count)
        return "\n".join([*lines, "", totals or "no test ran"])

    def markdown(self) -> str:
        """Return a table for the documentation."""
        lines = [f"| capability | {self.about['backend']} | passed | failed | skipped | known |"]
        lines.append("|---|---|--:|--:|--:|--:|")
        for row in self.rows.values():
            counts = " | ".join(str(getattr(row, outcome) or "") for outcome in OUTCOMES)
            lines.append(f"| `{row.capability}` | {row.state} | {counts} |")
        return "\n".join(lines)


def _section(title: str, entries: dict[str, str]) -> list[str]:
    if not entries:
        return []
    shown = [f"  {neutralise(name)}" + (f": {neutralise(text)}" if text else "") for name, text in entries.items()]
    return ["", title, *shown]


def _last_line(text: str) -> str:
    """Return the line of a failure that says what was wrong."""
    lines = [line[1:].strip() for line in text.splitlines() if line.startswith("E ")]
    return (lines or text.strip().splitlines() or [""])[0]
