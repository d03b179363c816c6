"""Snapshots, checkpoints and clones: no disk is left behind, and what is written on a domain stays."""

from __future__ import annotations

import pytest
from hvsdk.driver import PowerState, errors


def vdis(raw):
    """References of all disks in the pool."""
    return set(raw("VDI.get_all"))


def test_a_deleted_snapshot_takes_its_disks_with_it_and_no_other(domain, raw):
    before = vdis(raw)
    snapshot = domain.create_snapshot("one")
    assert vdis(raw) > before
    snapshot.delete()
    assert vdis(raw) == before


def test_a_deleted_checkpoint_takes_its_memory_with_it(domain, raw):
    domain.start()
    before = vdis(raw)
    snapshot = domain.create_snapshot("one", memory=True)
    assert domain.power_state is PowerState.RUNNING
    snapshot.delete()
    assert vdis(raw) == before


def test_a_snapshot_that_cannot_be_made_ready_is_removed(domain, raw, pool):
    before = vdis(raw)
    pool.fault("VM.set_name_description:error=INTERNAL_ERROR,no:1")
    with pytest.raises(errors.HvsdkError):
        domain.create_snapshot("one", description="d")
    assert domain.snapshots() == []
    assert vdis(raw) == before


def test_a_deletion_that_fails_half_way_can_be_repeated(domain, raw, pool):
    before = vdis(raw)
    snapshot = domain.create_snapshot("one")
    pool.fault("VM.destroy:error=INTERNAL_ERROR,no:1")
    with pytest.raises(errors.HvsdkError):
        snapshot.delete()
    assert [one.id for one in domain.snapshots()] == [snapshot.id]
    snapshot.delete()
    assert domain.snapshots() == []
    assert vdis(raw) == before


def test_listing_takes_two_calls_however_many_there_are(domain, pool):
    for name in ("one", "two", "three"):
        domain.create_snapshot(name)
    domain.snapshots()
    pool.reset_counts()
    assert [snapshot.name for snapshot in domain.snapshots()] == ["one", "two", "three"]
    assert sum(pool.counts().values()) == 2


def test_a_revert_brings_new_disks_and_keeps_what_is_written_on_the_domain(domain, raw):
    ref = raw("VM.get_by_uuid", domain.native_id)
    snapshot = domain.create_snapshot("one")
    domain.set_metadata({"team.owner": "me"})
    domain.set_autostart(True)
    raw("VM.add_to_blocked_operations", ref, "destroy", "keep me")
    old = {disk.volume for disk in domain.disks}
    domain.rename("other")
    snapshot.revert()
    info = domain.refresh().info
    assert (info.name, info.metadata["team.owner"], info.autostart) == ("other", "me", True)
    assert raw("VM.get_blocked_operations", ref) == {"destroy": "keep me"}
    assert not {disk.volume for disk in info.disks} & old
    raw("VM.set_blocked_operations", ref, {})


def test_a_revert_does_not_bring_back_a_fence_that_was_lifted(domain):
    domain.fence("moved")
    snapshot = domain.create_snapshot("while fenced")
    domain.unfence()
    snapshot.revert()
    assert domain.refresh().info.fenced is None
    domain.start()
    assert domain.power_state is PowerState.RUNNING


def test_a_checkpoint_is_reverted_to_and_runs(domain):
    domain.start()
    snapshot = domain.create_snapshot("one", memory=True)
    domain.power_off()
    snapshot.revert()
    assert domain.power_state is PowerState.RUNNING


def test_quiescing_is_refused_with_a_reason_where_the_product_gave_it_up(host, domain):
    if host.supports("snapshot_quiesce"):
        pytest.skip("this version has it")
    domain.start()
    with pytest.raises(errors.UnsupportedError, match="given it up"):
        domain.create_snapshot("one", quiesce=True)


@pytest.mark.parametrize("linked", [False, True])
def test_a_clone_has_new_identity_and_no_marks(domain, linked, raw):
    from hvsdk.models import Lineage

    domain.set_lineage(moved_from=Lineage(uuid="0a0b0c0d-0000-4000-8000-000000000001"))
    domain.set_metadata({"team.owner": "me"})
    copy = domain.clone(f"{domain.name} copy", linked=linked)
    try:
        assert copy.info.moved_from is None
        assert copy.info.metadata["team.owner"] == "me"
        assert copy.uuid != domain.uuid
        assert not {nic.mac for nic in copy.nics} & {nic.mac for nic in domain.nics}
        assert [disk.pool for disk in copy.disks] == [disk.pool for disk in domain.disks], "each stays in its SR"
    finally:
        copy.delete(disks="delete")


def test_a_clone_that_fails_at_the_end_is_removed(domain, raw, pool):
    domain.set_lineage()
    before, vms = vdis(raw), set(raw("VM.get_all"))
    pool.fault("VM.get_record:error=INTERNAL_ERROR,no:1")
    with pytest.raises(errors.HvsdkError):
        domain.clone("copy")
    assert vdis(raw) == before
    assert set(raw("VM.get_all")) == vms


@pytest.mark.parametrize(("state", "step"), [("paused", "unpause()"), ("shutoff", "start()")])
def test_what_memory_needs_is_told_in_our_words(domain, reach, state, step):
    reach(state)
    with pytest.raises(errors.PowerStateError) as refused:
        domain.create_snapshot("one", memory=True)
    assert f"is {state}" in str(refused.value)
    assert step in refused.value.hint
    assert "Halted" not in str(refused.value)
