"""Going back to a snapshot: the state that it promises, and what is written on the domain stays."""

from __future__ import annotations

import hvsdk
import pytest
from hvsdk.driver import PowerState, errors
from hvsdk_simulators import Running
from pyVmomi import vim
from vmware_support import Raw, domain_calls


def test_labels_stay_as_they_are_now(raw: Raw, spare: hvsdk.Domain) -> None:
    spare.set_notes("before")
    spare.set_tags({"before", "both"})
    spare.set_metadata({"gone.later": "x", "changed": "old"})
    snapshot = spare.create_snapshot("one")
    spare.rename(spare.name + "/renamed 100%")
    spare.set_notes("after <b>&amp;</b>\nsecond line")
    spare.set_tags({"both", 'aft"er'})
    spare.set_metadata({"gone.later": None, "changed": "new", "added": ""})
    before = spare.refresh().info
    snapshot.revert()
    after = spare.refresh().info
    for label in ("name", "notes", "tags", "metadata"):
        assert getattr(after, label) == getattr(before, label), label
    assert after.metadata == {"changed": "new", "added": ""}


def test_what_is_as_it_was_is_not_written_again(center: Running, spare: hvsdk.Domain) -> None:
    spare.set_metadata({"key": "value"})
    snapshot = spare.create_snapshot("one")
    calls = domain_calls(center, snapshot.revert)
    assert "ReconfigVM_Task" not in calls
    assert "Rename_Task" not in calls
    assert calls["RevertToSnapshot_Task"] == 1


def test_all_labels_are_one_change(center: Running, spare: hvsdk.Domain) -> None:
    snapshot = spare.create_snapshot("one")
    spare.set_notes("n")
    spare.set_tags({"t"})
    spare.set_metadata({"m": "m"})
    assert domain_calls(center, snapshot.revert)["ReconfigVM_Task"] == 1


def test_entries_of_others_are_rolled_back(raw: Raw, spare: hvsdk.Domain) -> None:
    def write(value: str) -> None:
        spec = vim.vm.ConfigSpec(extraConfig=[vim.option.OptionValue(key="guestinfo.theirs", value=value)])
        raw.done(raw.vm(spare.native_id).ReconfigVM_Task(spec))

    write("old")
    snapshot = spare.create_snapshot("one")
    write("new")
    snapshot.revert()
    entries = {one.key: one.value for one in raw.vm(spare.native_id).config.extraConfig}
    assert entries["guestinfo.theirs"] == "old"


def test_memory_that_somebody_kept_of_a_suspended_domain_runs_on(raw: Raw, spare: hvsdk.Domain) -> None:
    raw.reach(spare.native_id, "suspended")
    raw.done(raw.vm(spare.native_id).CreateSnapshot_Task("theirs", "", True, False))
    (snapshot,) = spare.snapshots()
    assert snapshot.has_memory
    raw.reach(spare.native_id, "running")
    snapshot.revert()
    assert spare.refresh().power_state is PowerState.RUNNING


def test_a_revert_whose_labels_cannot_be_written_says_that_it_is_done(center: Running, spare: hvsdk.Domain) -> None:
    snapshot = spare.create_snapshot("one")
    spare.set_notes("after")
    center.fault("ReconfigVM_Task:task-error=NoPermission,not you:1")
    with pytest.raises(errors.PermissionDeniedError, match="not you") as caught:
        snapshot.revert()
    told = (
        str(caught.value)
        + str(getattr(caught.value, "__notes__", ()))
        + str(getattr(caught.value.__cause__, "__notes__", ()))
    )
    assert "the revert itself is done" in told


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_revert_whose_answer_is_lost_keeps_what_is_written_on_the_domain(
    center: Running, spare: hvsdk.Domain, when: str
) -> None:
    snapshot = spare.create_snapshot("one")
    spare.set_notes("after")
    spare.set_metadata({"team": "a"})
    center.fault(f"RevertToSnapshot_Task:drop-{when}:1")
    with pytest.raises(errors.OutcomeUnknownError):
        snapshot.revert()
    assert spare.refresh().notes == "after"
    assert spare.metadata == {"team": "a"}


def test_a_revert_that_is_refused_changes_nothing(center: Running, spare: hvsdk.Domain) -> None:
    snapshot = spare.create_snapshot("one")
    spare.set_notes("after")
    center.fault("RevertToSnapshot_Task:task-error=InsufficientMemoryResourcesFault,no room:1")
    with pytest.raises(errors.InsufficientResourcesError):
        snapshot.revert()
    assert spare.refresh().notes == "after"


def test_a_template_is_not_reverted(raw: Raw, spare: hvsdk.Domain) -> None:
    snapshot = spare.create_snapshot("one")
    raw.vm(spare.native_id).MarkAsTemplate()
    with pytest.raises(errors.UnsupportedError, match="template"):
        snapshot.revert()
    assert "template" in (spare.why_not("revert_snapshot") or "")
