"""A fenced domain neither runs, nor changes, nor is lost, whichever way is tried; nor do its snapshots."""

from __future__ import annotations

import pytest
from hvsdk.driver import PowerState, errors

from hvsdk_xen._fence import BLOCKED, READING, TO_REST, operations_to_block

EVERY = frozenset(BLOCKED) | READING | TO_REST


def test_every_operation_of_the_data_model_is_either_blocked_or_known_to_be_harmless(reference):
    enums = {enum["name"]: enum for cls in reference for enum in cls["enums"]}
    assert {value["name"] for value in enums["vm_operations"]["values"]} == EVERY


@pytest.mark.parametrize("at_rest", [False, True])
def test_a_version_is_told_only_of_operations_that_it_knows(at_rest):
    old, new = (operations_to_block(api, at_rest=at_rest) for api in ((2, 0), (2, 23)))
    assert new - old == {"call_plugin", "changing_NVRAM", "create_vtpm", "sysprep"}
    assert old <= new
    assert bool(TO_REST & new) is at_rest
    assert not READING & new


@pytest.fixture
def fenced(domain):
    """A domain that is off, fenced, with a snapshot from before and one from after."""
    domain.create_snapshot("before")
    domain.fence("moved to kvm-7")
    domain.create_snapshot("after")
    return domain


def test_no_operation_but_those_that_read_or_bring_to_rest_goes_through(fenced, raw):
    allowed = READING | TO_REST
    ref = raw("VM.get_by_uuid", fenced.native_id)
    for operation in sorted(EVERY & raw.operations):
        code = raw.refused("VM.assert_operation_valid", ref, operation)
        assert (code == "OPERATION_BLOCKED") is (operation not in allowed), (operation, code)


def test_no_operation_but_those_that_read_goes_through_on_its_snapshots(fenced, raw):
    refs = raw("VM.get_snapshots", raw("VM.get_by_uuid", fenced.native_id))
    assert len(refs) == 2
    for ref in refs:
        for operation in sorted(EVERY & raw.operations):
            code = raw.refused("VM.assert_operation_valid", ref, operation)
            assert (code == "OPERATION_BLOCKED") is (operation not in READING), (operation, code)


def test_another_client_neither_starts_copies_reverts_nor_destroys_it(fenced, raw):
    ref = raw("VM.get_by_uuid", fenced.native_id)
    snapshots = raw("VM.get_snapshots", ref)
    for method, *arguments in (
        ("VM.start", ref, False, True),
        ("VM.clone", ref, "copy"),
        ("VM.copy", ref, "copy", "OpaqueRef:NULL"),
        ("VM.destroy", ref),
        *(("VM.revert", snapshot) for snapshot in snapshots),
        *(("VM.clone", snapshot, "copy") for snapshot in snapshots),
        *(("VM.destroy", snapshot) for snapshot in snapshots),
    ):
        assert raw.refused(method, *arguments) == "OPERATION_BLOCKED", method
    assert raw("VM.get_power_state", ref) == "Halted"


def test_the_reason_is_what_another_client_reads(fenced, raw):
    ref = raw("VM.get_by_uuid", fenced.native_id)
    assert set(raw("VM.get_blocked_operations", ref).values()) == {"HVSDK_FENCED: moved to kvm-7"}


def test_hvsdk_says_why_it_does_not_start(fenced):
    with pytest.raises(errors.PermissionDeniedError, match="moved to kvm-7"):
        fenced.start(timeout=5)
    assert fenced.refresh().power_state is PowerState.SHUTOFF


def test_what_was_blocked_before_stays_blocked(domain, raw):
    ref = raw("VM.get_by_uuid", domain.native_id)
    raw("VM.add_to_blocked_operations", ref, "destroy", "keep me")
    raw("VM.add_to_blocked_operations", ref, "export", "secret")
    domain.fence("moved")
    assert raw("VM.get_blocked_operations", ref)["destroy"] == "keep me"
    domain.unfence()
    assert raw("VM.get_blocked_operations", ref) == {"destroy": "keep me", "export": "secret"}
    raw("VM.set_blocked_operations", ref, {})


def test_unfencing_frees_the_snapshots_too(fenced, raw):
    fenced.unfence()
    ref = raw("VM.get_by_uuid", fenced.native_id)
    for one in (ref, *raw("VM.get_snapshots", ref)):
        assert raw("VM.get_blocked_operations", one) == {}
    fenced.start()
    assert fenced.power_state is PowerState.RUNNING


def test_a_running_domain_that_is_fenced_can_still_be_switched_off(domain, raw):
    domain.start()
    domain.fence("moving")
    domain.power_off()
    assert domain.power_state is PowerState.SHUTOFF
    with pytest.raises(errors.PermissionDeniedError):
        domain.start(timeout=5)


def test_the_saved_memory_of_a_fenced_domain_is_not_thrown_away(domain):
    domain.start()
    domain.suspend()
    domain.fence("moved")
    with pytest.raises(errors.PermissionDeniedError):
        domain.power_off(discard_memory=True, timeout=5)
    assert domain.refresh().power_state is PowerState.SUSPENDED


def test_fencing_again_blocks_what_was_made_since(fenced, raw):
    ref = raw("VM.get_by_uuid", fenced.native_id)
    stranger = raw("VM.snapshot", ref, "by somebody else")
    assert raw("VM.get_blocked_operations", stranger) == {}
    fenced.fence("again")
    assert set(raw("VM.get_blocked_operations", stranger)) >= {"clone", "copy", "revert"}
    assert fenced.info.fenced.reason == "moved to kvm-7"


def test_a_fence_that_fails_half_way_is_undone(domain, raw, pool):
    domain.create_snapshot("one")
    ref = raw("VM.get_by_uuid", domain.native_id)
    pool.fault("VM.add_to_other_config:error=INTERNAL_ERROR,no:1")
    with pytest.raises(errors.HvsdkError):
        domain.fence("moved")
    for one in (ref, *raw("VM.get_snapshots", ref)):
        assert raw("VM.get_blocked_operations", one) == {}
    assert domain.refresh().info.fenced is None
