"""Snapshots: the kind that was asked for, by any name, or none."""

from __future__ import annotations

from xml.etree import ElementTree

import hvsdk
import pytest
from hvsdk.driver import Capability, PowerState, errors
from hvsdk_simulators import Running
from pyVmomi import vim
from vmware_support import Raw, domain_calls, finished, opened, soon

from hvsdk_vmware._driver import VmwareDriver
from hvsdk_vmware._left_out import DEVICES, refuse_left_out

HOSTILE = ["a/b", "50% of it", "%2f", "back\\slash", '<a href="x">&amp;\'', "two\nlines", "ünï😀", "../../etc"]


def disk_of(raw: Raw, native_id: str) -> vim.vm.device.VirtualDisk:
    devices = raw.vm(native_id).config.hardware.device
    return next(one for one in devices if isinstance(one, vim.vm.device.VirtualDisk))


def set_mode(raw: Raw, native_id: str, mode: str) -> None:
    disk = disk_of(raw, native_id)
    disk.backing.diskMode = mode
    change = vim.vm.device.VirtualDeviceSpec(operation="edit", device=disk)
    raw.done(raw.vm(native_id).ReconfigVM_Task(vim.vm.ConfigSpec(deviceChange=[change])))


@pytest.mark.parametrize("name", HOSTILE, ids=repr)
def test_a_name_is_kept_as_it_was_given(spare: hvsdk.Domain, name: str) -> None:
    made = spare.create_snapshot(name, description=name)
    (listed,) = spare.snapshots()
    assert (listed.name, listed.description) == (name, name)
    assert listed.info == made.info


def test_names_are_escaped_as_vsphere_does_it(spare: hvsdk.Domain, raw: Raw) -> None:
    spare.create_snapshot("8/23/2026 100%")
    assert raw.vm(spare.native_id).snapshot.rootSnapshotList[0].name == "8%2f23%2f2026 100%25"


def test_a_name_that_is_too_long_is_refused_before_anything_is_made(spare: hvsdk.Domain) -> None:
    with pytest.raises(errors.InvalidSpecError, match="80"):
        spare.create_snapshot("x" * 81)
    with pytest.raises(errors.InvalidSpecError):
        spare.create_snapshot("/" * 40)
    assert spare.snapshots() == []


def test_two_snapshots_may_have_one_name_and_are_told_apart_by_id(spare: hvsdk.Domain) -> None:
    first, second = spare.create_snapshot("same"), spare.create_snapshot("same")
    with pytest.raises(errors.AmbiguousNameError):
        spare.snapshot("same")
    assert spare.snapshot(second.id).parent == first.id


def test_a_tree_is_listed_in_one_call(center: Running, spare: hvsdk.Domain) -> None:
    for name in ("one", "two", "three"):
        spare.create_snapshot(name)
    with opened(center) as driver:
        calls = domain_calls(center, lambda: driver.list_snapshots(spare.native_id, deadline=soon()))
    assert calls == {"RetrievePropertiesEx": 1}


def test_quiescing_is_refused_where_vsphere_would_leave_it_out(center: Running, raw: Raw, spare: hvsdk.Domain) -> None:
    with pytest.raises(errors.PowerStateError, match="running"):
        spare.create_snapshot("quiet", quiesce=True)
    center.act("guest", vm=spare.native_id, tools=False)
    raw.reach(spare.native_id, "running")

    def ask() -> None:
        with pytest.raises(errors.GuestAgentError, match="not installed"):
            spare.create_snapshot("quiet", quiesce=True)

    assert "CreateSnapshot_Task" not in domain_calls(center, ask)
    assert spare.snapshots() == []


def test_quiescing_works_with_tools(raw: Raw, spare: hvsdk.Domain) -> None:
    raw.reach(spare.native_id, "running")
    assert spare.create_snapshot("quiet", quiesce=True).quiesced is True
    assert spare.create_snapshot("loud").quiesced is False


def test_memory_is_not_added_to_a_snapshot_of_a_suspended_domain(
    driver: VmwareDriver, raw: Raw, spare: hvsdk.Domain
) -> None:
    raw.reach(spare.native_id, "suspended")
    with pytest.raises(errors.PowerStateError, match="suspended"):
        spare.create_snapshot("disks")
    with pytest.raises(errors.PowerStateError, match="keep its memory"):
        driver.create_snapshot(spare.native_id, "disks", memory=False, quiesce=False, description="", deadline=soon())
    assert spare.snapshots() == []


@pytest.mark.parametrize("mode", ["independent_persistent", "independent_nonpersistent"])
def test_disks_that_would_be_left_out_are_named(raw: Raw, spare: hvsdk.Domain, mode: str) -> None:
    set_mode(raw, spare.native_id, mode)
    label = disk_of(raw, spare.native_id).deviceInfo.label
    with pytest.raises(errors.UnsupportedError, match="independent") as caught:
        spare.create_snapshot("not whole")  # the handle does not know of it yet
    assert label in caught.value.message
    for verb in ("create_snapshot", "clone_linked"):
        assert label in (spare.why_not(verb) or "")
    assert spare.why_not("clone") is None
    assert spare.snapshots() == []


def test_raw_devices_in_physical_mode_would_be_left_out_and_virtual_ones_not() -> None:
    def devices(mode: str) -> ElementTree.Element:
        xsi = 'xmlns="urn:vim25" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
        return ElementTree.fromstring(
            f'<val {xsi}><VirtualDevice xsi:type="VirtualDisk"><key>2000</key><deviceInfo><label>Raw &lt;1&gt;</label>'
            f"</deviceInfo><backing><compatibilityMode>{mode}</compatibilityMode><diskMode>persistent</diskMode>"
            "</backing></VirtualDevice></val>"
        )

    refuse_left_out({DEVICES: devices("virtualMode")}, Capability.CREATE_SNAPSHOT)
    with pytest.raises(errors.UnsupportedError, match="Raw <1>"):
        refuse_left_out({DEVICES: devices("physicalMode")}, Capability.CREATE_SNAPSHOT)


def test_a_snapshot_that_cannot_be_read_is_removed_again(
    center: Running, driver: VmwareDriver, spare: hvsdk.Domain
) -> None:
    center.fault("CreateSnapshot_Task:task-slow=0.3:1")
    task = driver.create_snapshot(spare.native_id, "x", memory=False, quiesce=False, description="", deadline=soon())
    task.poll()
    center.fault("RetrievePropertiesEx:error=NoPermission:1")
    with pytest.raises(vim.fault.NoPermission):
        finished(task)
    assert spare.snapshots() == []


def test_a_snapshot_that_fails_says_why(center: Running, spare: hvsdk.Domain) -> None:
    center.fault("CreateSnapshot_Task:task-error=TooManySnapshotLevels,32 levels:1")
    with pytest.raises(errors.InsufficientResourcesError, match="32 levels"):
        spare.create_snapshot("x")
    center.fault("CreateSnapshot_Task:task-error=MemorySnapshotOnIndependentDisk,no:1")
    with pytest.raises(errors.UnsupportedError):
        spare.create_snapshot("x")
    assert spare.snapshots() == []


def test_a_snapshot_whose_answer_is_lost_is_not_said_to_have_failed(center: Running, spare: hvsdk.Domain) -> None:
    center.fault("CreateSnapshot_Task:drop-after:1")
    with pytest.raises(errors.OutcomeUnknownError):
        spare.create_snapshot("x")


def test_a_deleted_snapshot_leaves_those_made_on_it(spare: hvsdk.Domain) -> None:
    first, second, third = (spare.create_snapshot(name) for name in ("one", "two", "three"))
    second.delete()
    assert [(one.id, one.parent) for one in spare.snapshots()] == [(first.id, None), (third.id, first.id)]
    first.delete(children=True)
    assert spare.snapshots() == []
    assert spare.refresh().power_state is PowerState.SHUTOFF


def test_only_snapshots_of_the_domain_are_touched(
    driver: VmwareDriver, host: hvsdk.Host, raw: Raw, spare: hvsdk.Domain
) -> None:
    other = host.domain(raw.make_vm(spare.name + "-other"))
    theirs = other.create_snapshot("theirs")
    for snapshot_id in (theirs.id, "snapshot-999999", "vm-1", "<x>&", ""):
        with pytest.raises(errors.SnapshotNotFoundError):
            driver.delete_snapshot(spare.native_id, snapshot_id, children=False, deadline=soon())
        with pytest.raises(errors.SnapshotNotFoundError):
            driver.revert_snapshot(spare.native_id, snapshot_id, deadline=soon())
    assert [one.id for one in other.snapshots()] == [theirs.id]


def test_snapshots_of_a_domain_that_is_gone_are_not_found(driver: VmwareDriver) -> None:
    with pytest.raises(errors.DomainNotFoundError):
        driver.list_snapshots("vm-999999", deadline=soon())


def test_disks_that_a_removal_leaves_unmerged_are_merged(center: Running, raw: Raw, spare: hvsdk.Domain) -> None:
    snapshot = spare.create_snapshot("one")
    center.act("unmerged", vm=spare.native_id)
    assert spare.refresh().details["vmware.consolidation_needed"]
    snapshot.delete()
    assert not raw.vm(spare.native_id).runtime.consolidationNeeded


def test_disks_that_cannot_be_merged_are_told(center: Running, spare: hvsdk.Domain) -> None:
    snapshot = spare.create_snapshot("one")
    center.act("unmerged", vm=spare.native_id)
    center.fault("ConsolidateVMDisks_Task:task-error=FileLocked,a backup holds it:1")
    with pytest.raises(errors.OperationFailedError, match="is gone, but its disks could not be merged") as caught:
        snapshot.delete()
    assert "ConsolidateVMDisks_Task" in (caught.value.hint or "")
    assert spare.snapshots() == []
    assert spare.refresh().details["vmware.consolidation_needed"]
