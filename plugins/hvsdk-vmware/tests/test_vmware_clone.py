"""Clones: whole or not at all, somebody else, and no original that loses what they lie on."""

from __future__ import annotations

import time
import traceback

import hvsdk
import pytest
from hvsdk.driver import PowerState, errors
from hvsdk_simulators import Running
from pyVmomi import vim, vmodl
from vmware_disks import MIB, PIECES, disk_of, expected, same, whole, write
from vmware_support import Raw, domain_calls, finished, opened, soon

from hvsdk_vmware._driver import VmwareDriver
from hvsdk_vmware._ground import GROUND


def names(raw: Raw) -> list[str]:
    return [vm.name for vm in raw.all(vim.VirtualMachine)]


def card_of(raw: Raw, native_id: str) -> vim.vm.device.VirtualEthernetCard:
    devices = raw.vm(native_id).config.hardware.device
    return next(one for one in devices if isinstance(one, vim.vm.device.VirtualEthernetCard))


def test_a_clone_has_an_identity_of_its_own(spare: hvsdk.Domain) -> None:
    copy = spare.clone(spare.name + "-copy")
    assert copy.power_state is PowerState.SHUTOFF
    assert copy.uuid not in (None, spare.uuid)
    assert copy.nics[0].mac not in (None, spare.nics[0].mac)
    assert copy.disks[0].source != spare.disks[0].source
    assert copy.folder == spare.refresh().folder
    assert spare.snapshots() == copy.snapshots() == []


def test_a_mac_that_was_chosen_by_hand_is_not_copied(raw: Raw, spare: hvsdk.Domain) -> None:
    card = card_of(raw, spare.native_id)
    card.addressType, card.macAddress = "manual", "00:50:56:00:00:01"
    change = vim.vm.device.VirtualDeviceSpec(operation="edit", device=card)
    raw.done(raw.vm(spare.native_id).ReconfigVM_Task(vim.vm.ConfigSpec(deviceChange=[change])))
    copy = spare.clone(spare.name + "-copy")
    assert copy.nics[0].mac not in (None, "00:50:56:00:00:01")
    assert spare.refresh().nics[0].mac == "00:50:56:00:00:01"
    assert copy.nics[0].network == spare.nics[0].network


def test_a_domain_that_runs_is_cloned_and_runs_on(raw: Raw, spare: hvsdk.Domain) -> None:
    raw.reach(spare.native_id, "running")
    copy = spare.clone(spare.name + "-copy")
    assert copy.power_state is PowerState.SHUTOFF
    assert spare.refresh().power_state is PowerState.RUNNING


def test_a_suspended_domain_is_not_cloned(raw: Raw, spare: hvsdk.Domain) -> None:
    raw.reach(spare.native_id, "suspended")
    with pytest.raises(errors.PowerStateError):
        spare.clone(spare.name + "-copy")
    assert names(raw).count(spare.name + "-copy") == 0


def test_a_template_makes_domains(raw: Raw, spare: hvsdk.Domain) -> None:
    raw.vm(spare.native_id).MarkAsTemplate()
    copy = spare.clone(spare.name + "-copy")
    assert not copy.is_template
    copy.start()


def test_marks_of_the_original_are_not_copied_and_labels_are(raw: Raw, spare: hvsdk.Domain) -> None:
    spare.set_notes("copied")
    spare.set_metadata({"team": "a"})
    spare.set_tags({"web"})
    spare.fence("moved")
    copy = spare.clone(spare.name + "-copy").refresh()
    assert copy.fenced is None
    assert not copy.is_template
    assert copy.metadata == {"team": "a"}
    assert (copy.notes, copy.tags) == ("copied", {"web"})
    assert not any("fence" in one.key for one in raw.vm(copy.native_id).config.extraConfig)


@pytest.mark.parametrize("name", ["a/b", "100%", "%2f", "back\\slash", "<x>&amp;\"'", "ünï😀"], ids=repr)
def test_a_name_is_kept_as_it_was_given(spare: hvsdk.Domain, name: str) -> None:
    assert spare.clone(f"{spare.name}-{name}").refresh().name == f"{spare.name}-{name}"


def test_a_name_that_is_taken_leaves_nothing(raw: Raw, spare: hvsdk.Domain) -> None:
    for linked in (False, True):
        before = sorted(names(raw))
        with pytest.raises(errors.AlreadyExistsError):
            spare.clone(spare.name, linked=linked)
        assert sorted(names(raw)) == before
        assert spare.snapshots() == []


def test_a_clone_that_fails_leaves_nothing(center: Running, raw: Raw, spare: hvsdk.Domain) -> None:
    for linked in (False, True):
        center.fault("CloneVM_Task:task-error=NoDiskSpace,it is full:1")
        with pytest.raises(errors.InsufficientResourcesError, match="full"):
            spare.clone(spare.name + "-copy", linked=linked)
        assert spare.name + "-copy" not in names(raw)
        assert spare.snapshots() == []


@pytest.mark.parametrize("linked", [False, True], ids=["full", "linked"])
def test_a_clone_whose_answer_is_lost_is_removed_again(
    center: Running, driver: VmwareDriver, raw: Raw, spare: hvsdk.Domain, linked: bool
) -> None:
    center.fault("CloneVM_Task:drop-after:1")
    with pytest.raises((ConnectionError, errors.HvsdkError)):
        finished(driver.clone(spare.native_id, spare.name + "-copy", linked=linked, deadline=soon()))
    assert spare.name + "-copy" not in names(raw)
    assert spare.snapshots() == []


def test_a_linked_clone_whose_snapshot_is_lost_leaves_none(center: Running, raw: Raw, spare: hvsdk.Domain) -> None:
    center.fault("CreateSnapshot_Task:drop-after:1")
    with pytest.raises(errors.OperationFailedError, match="removed again"):
        spare.clone(spare.name + "-copy", linked=True)
    assert spare.name + "-copy" not in names(raw)
    assert spare.snapshots() == []


def test_a_linked_clone_that_may_have_left_a_snapshot_tells(center: Running, spare: hvsdk.Domain) -> None:
    center.fault("CreateSnapshot_Task:drop-before:1")
    with pytest.raises(errors.OutcomeUnknownError) as caught:
        spare.clone(spare.name + "-copy", linked=True)
    assert "not known whether it was made" in "".join(traceback.format_exception(caught.value))
    assert spare.snapshots() == []


@pytest.mark.parametrize("linked", [False, True], ids=["full", "linked"])
def test_a_clone_that_is_given_up_is_taken_back(
    center: Running, driver: VmwareDriver, raw: Raw, spare: hvsdk.Domain, linked: bool
) -> None:
    center.reset_counts()
    center.fault("CloneVM_Task:slow=0.5:1")
    task = driver.clone(spare.native_id, spare.name + "-copy", linked=linked, deadline=soon())
    while not center.counts().get("CloneVM_Task"):
        time.sleep(0.02)
    task.cancel()  # while it is being asked for: no task of vSphere's is known yet
    with pytest.raises((errors.CancelledError, vmodl.fault.RequestCanceled)):
        finished(task)
    assert spare.name + "-copy" not in names(raw)
    assert spare.snapshots() == []


def test_a_linked_clone_lies_on_a_snapshot_that_stays(raw: Raw, spare: hvsdk.Domain) -> None:
    copy = spare.clone(spare.name + "-copy", linked=True)
    (ground,) = spare.snapshots()
    assert ground.name == GROUND
    assert copy.snapshots() == []
    disk = next(
        one for one in raw.vm(copy.native_id).config.hardware.device if isinstance(one, vim.vm.device.VirtualDisk)
    )
    assert disk.backing.parent is not None


def test_the_ground_of_a_linked_clone_is_not_removed(raw: Raw, spare: hvsdk.Domain) -> None:
    mine = spare.create_snapshot("mine")
    copy = spare.clone(spare.name + "-copy/1", linked=True)
    ground = spare.snapshot(GROUND)
    for delete in (ground.delete, lambda: mine.delete(children=True)):
        with pytest.raises(errors.BusyError, match="-copy/1"):
            delete()
    assert [one.id for one in spare.snapshots()] == [mine.id, ground.id]
    raw.remove_vm(copy.native_id)
    ground.delete()
    assert [one.id for one in spare.snapshots()] == [mine.id]


def test_other_snapshots_are_removed_without_looking_at_all_domains(center: Running, spare: hvsdk.Domain) -> None:
    snapshot = spare.create_snapshot("mine")
    calls = domain_calls(center, snapshot.delete)
    assert calls["RetrievePropertiesEx"] <= 6, calls


def test_a_linked_clone_of_a_template_runs(raw: Raw, spare: hvsdk.Domain) -> None:
    spare.create_snapshot("mine")
    raw.vm(spare.native_id).MarkAsTemplate()
    with pytest.raises(errors.HvsdkError, match="template"):
        spare.clone(spare.name + "-copy", linked=True)
    assert spare.name + "-copy" not in names(raw)


def test_a_clone_takes_few_calls(center: Running, spare: hvsdk.Domain) -> None:
    with opened(center) as driver:
        calls = domain_calls(
            center,
            lambda: finished(driver.clone(spare.native_id, spare.name + "-copy", linked=False, deadline=soon())),
        )
    assert calls["CloneVM_Task"] == 1
    assert calls["RetrievePropertiesEx"] <= 4, calls


def test_the_disk_of_a_linked_clone_tells_what_it_lies_on(host: hvsdk.Host, spare: hvsdk.Domain) -> None:
    copy = spare.clone(spare.name + "-copy", linked=True)
    volumes = {one.id: one for pool in host.storage_pools() for one in pool.volumes()}
    source = copy.disks[0].source
    assert source is not None
    assert volumes[source].backing == copy.disks[0].details["vmware.backing"]


@pytest.mark.parametrize("linked", [False, True], ids=["full", "linked"])
def test_a_clone_has_the_bytes_of_its_original(
    center: Running, driver: VmwareDriver, spare: hvsdk.Domain, linked: bool
) -> None:
    write(center, spare.native_id, PIECES)
    copy = spare.clone(spare.name + "-copy", linked=linked)
    write(center, spare.native_id, {MIB: b"later"})
    reader = driver.open_disk(copy.native_id, disk_of(driver, copy.native_id), snapshot_id=None, deadline=soon())
    same(whole(reader), expected())
    reader.close()
