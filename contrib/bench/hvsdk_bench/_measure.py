"""Two ways to do the same thing, measured by turns."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the result.

    Attributes:
        ratio: `ours_s / theirs_s` where lower is better, the other way round where higher is; where there is nothing to
            compare with, the figure itself in the unit that the name tells.
        runs: How often each side ran; the seconds are medians.
    """

    name: str
    ratio: float
    target: float
    better: Literal["lower", "higher"] = "lower"
    ours_s: float | None = None
    theirs_s: float | None = None
    runs: int = 1

    @property
    def met(self) -> bool:
        """Whether the target is reached."""
        return self.ratio <= self.target if self.better == "lower" else self.ratio >= self.target

    def to_dict(self) -> dict[str, Any]:
        """Return the row as JSON values."""
        return asdict(self)


def compare(
    name: str,
    ours: Callable[[], object],
    theirs: Callable[[], object],
    *,
    target: float,
    runs: int,
    better: Literal["lower", "higher"] = "lower",
    before: Callable[[], object] = lambda: None,
) -> Row:
    """Measure both sides by turns, after one run of each that does not count.

    Args:
        before: What has to be made ready for each run of ours; it is not measured.
    """
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(runs + 1):
        before()
        times[0].append(_seconds(ours))
        times[1].append(_seconds(theirs))
    ours_s, theirs_s = (statistics.median(side[1:]) for side in times)
    ratio = ours_s / theirs_s if better == "lower" else theirs_s / ours_s
    return Row(name=name, ratio=ratio, target=target, better=better, ours_s=ours_s, theirs_s=theirs_s, runs=runs)


def _seconds(call: Callable[[], object]) -> float:
    gc.collect()
    began = time.perf_counter()
    result = call()
    seconds = time.perf_counter() - began
    del result  # what it takes to give the result up is not measured, on neither side
    return seconds
