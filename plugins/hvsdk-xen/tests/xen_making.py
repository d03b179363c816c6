"""What the tests of making share: everything that a pool has, to compare with what it has afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import hvsdk
from hvsdk_simulators import Running
from xen_support import Raw

MIB = 1 << 20
GIB = 1 << 30
GOLDEN = "Golden image Debian 12"
"""A template with a disk, a drive and an adapter."""
KINDS = ("VM", "VDI", "VBD", "VIF", "task")


def everything(raw: Raw) -> dict[str, set[str]]:
    """Return the UUIDs of all that can be left behind."""
    return {kind: {record["uuid"] for record in raw(f"{kind}.get_all_records").values()} for kind in KINDS}


@contextmanager
def nothing_new(raw: Raw) -> Iterator[None]:
    """Check that what happens inside leaves nothing, and takes nothing away."""
    before = everything(raw)
    yield
    after = everything(raw)
    for kind in KINDS:
        assert after[kind] == before[kind], (
            f"{kind}: left {after[kind] - before[kind]}, lost {before[kind] - after[kind]}"
        )


def calls(pool: Running, action: Callable[[], object]) -> dict[str, int]:
    """Return the calls that an action makes."""
    pool.reset_counts()
    action()
    return pool.counts()


def record_of(raw: Raw, domain: hvsdk.Domain) -> dict[str, object]:
    """Return the record of a domain's VM."""
    found: dict[str, object] = raw("VM.get_record", raw("VM.get_by_uuid", domain.native_id))
    return found


def drives_of(raw: Raw, domain: hvsdk.Domain) -> dict[str, dict[str, object]]:
    """Return the records of a domain's drives by their number."""
    vbds = [raw("VBD.get_record", ref) for ref in record_of(raw, domain)["VBDs"]]
    return {vbd["userdevice"]: vbd for vbd in vbds}
