"""Memory of a domain that is kept, with its handle."""

from __future__ import annotations

import gc
import tempfile
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import hvsdk
from hvsdk_bench._inventory import write_node
from hvsdk_bench._measure import Row

KIB = 1024


def rows(domains: int) -> Iterator[Row]:
    """Measure what a second listing adds while it is kept: the first one has filled every cache."""
    with tempfile.TemporaryDirectory(prefix="hvsdk-bench-", dir="/tmp") as work:
        uri = write_node(Path(work, "node.xml"), domains)
        with hvsdk.connect(uri) as host:
            yield from kept_rows(host, f"{domains:,} domains", "2 disks and 2 adapters")


def kept_rows(host: hvsdk.Host, where: str, devices: str) -> Iterator[Row]:
    """Measure summaries and full listings of one host."""
    for full, target, what in ((False, 1.0, "summary"), (True, 3.0, f"full, {devices}")):
        name = f"KiB for each domain kept, handle included, {where}: {what}"
        yield Row(name=name, ratio=_kept(host, full=full) / KIB, target=target)


def _kept(host: hvsdk.Host, *, full: bool) -> float:
    host.domains(full=full)
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        kept = host.domains(full=full)
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return (after - before) / len(kept)
