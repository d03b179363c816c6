"""Appliances, snapshot schedules, recovery and the policies that are gone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hvsdk_simulators.xapi.database import Object
from hvsdk_simulators.xapi.messages import MESSAGES
from hvsdk_simulators.xapi.vm import Guest
from hvsdk_simulators.xapi.vm.appliance import allowed_operations
from vm_pool import Pool, refused


@pytest.fixture
def pool() -> Iterator[Pool]:
    with Pool() as made:
        yield made


@pytest.fixture
def session(pool: Pool) -> Object:
    return pool.world.db.create("session")


def appliance_of(pool: Pool, *vms: Object) -> Object:
    made = pool.world.db.create("VM_appliance", name_label="shop")
    for order, vm in enumerate(vms):
        pool.call("VM.set_order", vm, order)
        pool.call("VM.set_appliance", vm, made)
    return made


def schedule_of(pool: Pool, *vms: Object, **fields: object) -> Object:
    made = pool.world.db.create("VMSS", name_label="nightly", frequency="daily", **fields)
    for vm in vms:
        pool.call("VM.set_snapshot_schedule", vm, made)
    return made


def test_an_appliance_starts_and_stops_its_vms_together(pool: Pool) -> None:
    vms = [pool.vm(), pool.vm()]
    shop = appliance_of(pool, *vms)
    assert allowed_operations(pool.world, shop) == ["start"]
    pool.call("VM_appliance.start", shop, False)
    assert {vm["power_state"] for vm in vms} == {"Running"}
    assert vms[0]["domid"] < vms[1]["domid"] or vms[0]["resident_on"] != vms[1]["resident_on"]
    assert allowed_operations(pool.world, shop) == ["clean_shutdown", "hard_shutdown", "shutdown"]
    pool.call("VM_appliance.hard_shutdown", shop)
    assert {vm["power_state"] for vm in vms} == {"Halted"}


def test_an_appliance_says_when_one_of_its_vms_did_not_follow(pool: Pool) -> None:
    stubborn = pool.vm("Running", guest=Guest(boot_seconds=0.0, obeys_shutdown=False, shutdown_timeout=0.01))
    obedient = pool.vm("Running")
    shop = appliance_of(pool, stubborn, obedient)
    with refused("OPERATION_PARTIALLY_FAILED", "clean_shutdown"):
        pool.call("VM_appliance.clean_shutdown", shop)
    assert (stubborn["power_state"], obedient["power_state"]) == ("Running", "Halted")
    pool.call("VM_appliance.shutdown", shop)
    assert stubborn["power_state"] == "Halted"


def test_a_member_of_an_appliance_or_schedule_is_made_no_template(pool: Pool) -> None:
    vm, scheduled = pool.vm(), pool.vm()
    shop, nightly = appliance_of(pool, vm), schedule_of(pool, scheduled)
    with refused("VM_IS_PART_OF_AN_APPLIANCE", vm.ref, shop.ref):
        pool.call("VM.set_is_a_template", vm, True)
    with refused("VM_ASSIGNED_TO_SNAPSHOT_SCHEDULE", scheduled.ref, nightly.ref):
        pool.call("VM.set_is_a_template", scheduled, True)
    with refused("OPERATION_NOT_ALLOWED"):
        pool.call("VM.set_appliance", pool.vm(template=True), shop)


def test_a_schedule_takes_snapshots_of_its_vms(pool: Pool) -> None:
    vms = [pool.vm(), pool.vm("Running")]
    nightly = schedule_of(pool, *vms)
    pool.call("VMSS.snapshot_now", nightly)
    for vm in vms:
        (ref,) = vm["snapshots"]
        assert pool.world.db.get("VM", ref)["is_vmss_snapshot"]
    pool.call("VMSS.set_type", nightly, "checkpoint")
    with refused("VM_BAD_POWER_STATE", vms[0].ref):
        pool.call("VMSS.snapshot_now", nightly)


def test_a_schedule_takes_only_times_that_there_are(pool: Pool) -> None:
    nightly = schedule_of(pool)
    pool.call("VMSS.set_schedule", nightly, {"hour": "23", "min": "30"})
    for wrong in ({"hour": "24", "min": "0"}, {"hour": "1", "min": "x"}, {"hour": "1"}, {"hour": "1", "colour": "2"}):
        with refused("INVALID_VALUE"):
            pool.call("VMSS.set_schedule", nightly, wrong)
    assert nightly["schedule"] == {"hour": "23", "min": "30"}
    pool.call("VMSS.set_frequency", nightly, "weekly")
    assert nightly["schedule"] == {"hour": "23", "min": "30", "days": "Monday"}
    with refused("INVALID_VALUE", "retained_snapshots", "11"):
        pool.call("VMSS.set_retained_snapshots", nightly, 11)


def test_a_schedule_with_vms_is_not_deleted(pool: Pool) -> None:
    vm = pool.vm()
    nightly = schedule_of(pool, vm)
    with refused("VMSS_HAS_VM"):
        pool.call("VMSS.destroy", nightly)
    pool.call("VM.set_snapshot_schedule", vm, None)
    pool.call("VMSS.destroy", nightly)


def test_a_vm_that_is_there_is_recovered_by_force_only(pool: Pool, session: Object) -> None:
    vm = pool.vm()
    assert pool.call("VM.get_SRs_required_for_recovery", vm, session) == [pool.shared]
    pool.call("VM.assert_can_be_recovered", vm, session)
    with refused("VM_TO_IMPORT_IS_NOT_NEWER_VERSION", vm.ref, "0", "0"):
        pool.call("VM.recover", vm, session, False)
    pool.call("VM.recover", vm, session, True)


def test_recovery_needs_the_storage_and_goes_by_the_appliance(pool: Pool, session: Object) -> None:
    vm = pool.vm()
    shop = appliance_of(pool, vm)
    with refused("VM_IS_PART_OF_AN_APPLIANCE", vm.ref, shop.ref):
        pool.call("VM.assert_can_be_recovered", vm, session)
    assert pool.call("VM_appliance.get_SRs_required_for_recovery", shop, session) == [pool.shared]
    for ref in pool.shared["PBDs"]:
        pool.world.db.update(pool.world.db.get("PBD", ref), currently_attached=False)
    with refused("VM_REQUIRES_SR", vm.ref, pool.shared.ref):
        pool.call("VM_appliance.recover", shop, session, True)


def test_all_messages_of_protection_policies_are_gone(pool: Pool) -> None:
    names = [name for name in MESSAGES if name.startswith("VMPP.")]
    assert len(names) == 22
    for name in names:
        with refused("MESSAGE_REMOVED"):
            pool.call(name, *([None] * len(MESSAGES[name].params)))
