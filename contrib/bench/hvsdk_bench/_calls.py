"""What the core adds to one call of a driver: the door and its worker."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator

import hvsdk
from hvsdk_bench._measure import Row

CALLS = 500
MICRO = 1e6


def rows(runs: int) -> Iterator[Row]:
    """Measure a call that takes no time of its own."""
    with hvsdk.connect("fake://demo?domains=1") as host:
        host.info()
        seconds = statistics.median(_each(host.info) for _ in range(runs))
        yield Row(
            name="microseconds for one driver call through the worker: host.info() of fake://",
            ratio=seconds * MICRO,
            target=100.0,
            ours_s=seconds,
            runs=runs,
        )


def _each(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    for _ in range(CALLS):
        call()
    return (time.perf_counter() - began) / CALLS
