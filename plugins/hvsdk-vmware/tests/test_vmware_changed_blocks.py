"""What differs on a disk between two snapshots."""

from __future__ import annotations

import base64

import hvsdk
import pytest
from hvsdk.driver import Extent, errors
from hvsdk_simulators import Running
from pyVmomi import vim
from vmware_support import Raw, domain_calls, soon

from hvsdk_vmware._changed_blocks import merged
from hvsdk_vmware._driver import VmwareDriver

GRAIN = 64 << 10


def write(center: Running, domain: hvsdk.Domain, offset: int) -> None:
    content = base64.b64encode(b"changed " * 10).decode()
    center.act("disk", vm=domain.native_id, disk=0, write=content, offset=offset)


@pytest.fixture
def tracked(raw: Raw, spare: hvsdk.Domain) -> hvsdk.Domain:
    """A domain whose changes are tracked."""
    raw.done(raw.vm(spare.native_id).ReconfigVM_Task(vim.vm.ConfigSpec(changeTrackingEnabled=True)))
    return spare.refresh()


def test_what_was_written_in_between_is_told_and_nothing_else(center: Running, tracked: hvsdk.Domain) -> None:
    write(center, tracked, 0)
    old = tracked.create_snapshot("old")
    write(center, tracked, 1 << 20)
    write(center, tracked, (16 << 20) - 100)
    new = tracked.create_snapshot("new")
    write(center, tracked, 5 << 20)
    assert new.changed_blocks(old, tracked.disks[0]) == [
        Extent(offset=1 << 20, length=GRAIN),
        Extent(offset=(16 << 20) - GRAIN, length=GRAIN),
    ]


def test_a_disk_is_asked_for_part_by_part(center: Running, tracked: hvsdk.Domain) -> None:
    old, new = tracked.create_snapshot("old"), tracked.create_snapshot("new")
    calls = domain_calls(center, lambda: new.changed_blocks(old, tracked.disks[0]))
    assert calls["QueryChangedDiskAreas"] == 2
    assert calls["RetrievePropertiesEx"] <= 4, calls


def test_without_tracking_it_is_said_how_to_switch_it_on(spare: hvsdk.Domain) -> None:
    old, new = spare.create_snapshot("old"), spare.create_snapshot("new")
    with pytest.raises(errors.UnsupportedError) as caught:
        new.changed_blocks(old, spare.disks[0])
    assert "vmware.change_tracking" in (caught.value.hint or "")


def test_a_tracking_that_does_not_reach_back_is_told(center: Running, tracked: hvsdk.Domain) -> None:
    old, new = tracked.create_snapshot("old"), tracked.create_snapshot("new")
    for fault in ("FileFault", "InvalidArgument"):
        center.fault(f"QueryChangedDiskAreas:error={fault},no:1")
        with pytest.raises(errors.UnsupportedError, match="reach back") as caught:
            new.changed_blocks(old, tracked.disks[0])
        assert "compare all of it" in (caught.value.hint or "")


def test_snapshots_are_compared_from_the_earlier_to_the_later(
    driver: VmwareDriver, raw: Raw, host: hvsdk.Host, tracked: hvsdk.Domain
) -> None:
    old, new = tracked.create_snapshot("old"), tracked.create_snapshot("new")
    disk, domain = tracked.disks[0].id, tracked.native_id
    with pytest.raises(errors.InvalidSpecError):
        old.changed_blocks(new, disk)
    with pytest.raises(errors.InvalidSpecError, match="later"):
        driver.changed_blocks(domain, disk, old.id, new.id, deadline=soon())
    with pytest.raises(errors.SnapshotNotFoundError):
        driver.changed_blocks(domain, disk, new.id, "snapshot-999999", deadline=soon())
    for wrong in ("9999", "x", "", "<&>"):
        with pytest.raises(errors.DiskNotFoundError):
            driver.changed_blocks(domain, wrong, new.id, old.id, deadline=soon())


def test_areas_are_merged_ordered_and_cut_at_the_end() -> None:
    areas = [(200, 10), (0, 10), (10, 5), (12, 8), (90, 50), (205, 100), (400, 5), (300, 0)]
    found = [(one.offset, one.length) for one in merged(areas, 250)]
    assert found == [(0, 20), (90, 50), (200, 50)]
    assert list(merged([], 100)) == []
    assert [(one.offset, one.length) for one in merged([(0, 10**18)], 100)] == [(0, 100)]
    assert [(one.offset, one.length) for one in merged([(5, 5)], 100)] == [(5, 5)]
