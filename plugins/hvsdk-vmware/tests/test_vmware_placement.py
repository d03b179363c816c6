"""Where a new domain goes."""

from __future__ import annotations

from xml.etree.ElementTree import Element

import pytest
from hvsdk.driver import DiskSpec

from hvsdk_vmware._create import _store_of
from hvsdk_vmware._fields import Found
from hvsdk_vmware._placement import unused_memory

GIB = 1 << 30


def host(size: int, used_mib: int | None) -> Found:
    told = {"summary.hardware.memorySize": size, "summary.quickStats.overallMemoryUsage": used_mib}
    values: dict[str, Element] = {}
    for path, value in told.items():
        if value is not None:
            values[path] = Element("val")
            values[path].text = str(value)
    return Found("HostSystem", "host-1", values)


def test_a_large_host_that_uses_more_can_have_more_unused_memory() -> None:
    small, large = host(64 * GIB, 10 << 10), host(1024 * GIB, 100 << 10)
    assert unused_memory(small) == 54 * GIB
    assert unused_memory(large) == 924 * GIB


def test_a_host_that_tells_no_use_has_all_of_its_memory_unused() -> None:
    assert unused_memory(host(GIB, None)) == GIB


@pytest.mark.parametrize(
    ("disk", "store"),
    [
        (DiskSpec(source="[ds%2f1] a/b.vmdk"), "ds/1"),
        (DiskSpec(source="ds1/iso/a.iso", device="cdrom"), "ds1"),
        (DiskSpec(source="a/b.vmdk", pool="ds2"), None),
        (DiskSpec(source="b", pool="ds2"), None),
        (DiskSpec(size=GIB), None),
    ],
)
def test_the_host_has_to_see_what_a_source_names(disk: DiskSpec, store: str | None) -> None:
    assert _store_of(disk) == store
