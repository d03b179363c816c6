"""Snapshots, checkpoints and the way back to them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hvsdk_simulators.xapi.database import NULL, Object
from hvsdk_simulators.xapi.vm import Guest
from vm_pool import Pool, refused


@pytest.fixture
def pool() -> Iterator[Pool]:
    with Pool() as made:
        yield made


def test_a_snapshot_is_a_record_of_its_own_with_disks_of_its_own(pool: Pool) -> None:
    vm = pool.vm("Running", disks=2)
    taken = pool.call("VM.snapshot", vm, "before")
    assert (taken["is_a_snapshot"], taken["is_a_template"], taken["power_state"]) == (True, True, "Halted")
    assert taken["snapshot_of"] == vm.ref
    assert vm["snapshots"] == [taken.ref]
    assert vm["parent"] == taken.ref
    assert taken["snapshot_info"] == {
        "power-state-at-snapshot": "Running",
        "disk-snapshot-type": "crash_consistent",
    }
    originals = [disk.ref for disk in pool.disks(vm)]
    assert [disk["snapshot_of"] for disk in pool.disks(taken)] == originals
    assert all(disk["is_a_snapshot"] for disk in pool.disks(taken))
    macs = [pool.world.db.get("VIF", ref)["MAC"] for ref in taken["VIFs"]]
    assert macs == [pool.world.db.get("VIF", ref)["MAC"] for ref in vm["VIFs"]]


def test_disks_named_to_be_ignored_are_not_in_the_snapshot(pool: Pool) -> None:
    vm = pool.vm(disks=2)
    taken = pool.call("VM.snapshot", vm, "before", [pool.disks(vm)[1]])
    assert [disk["snapshot_of"] for disk in pool.disks(taken)] == [pool.disks(vm)[0].ref]


def test_a_checkpoint_holds_the_memory_and_the_vm_runs_on(pool: Pool) -> None:
    vm = pool.vm("Running")
    host = vm["resident_on"]
    taken = pool.call("VM.checkpoint", vm, "with memory")
    assert taken["power_state"] == "Suspended"
    assert pool.world.db.get("VDI", taken["suspend_VDI"])["type"] == "suspend"
    assert (vm["power_state"], vm["resident_on"], vm["suspend_VDI"]) == ("Running", host, NULL)


def test_a_checkpoint_of_a_suspended_vm_copies_its_memory(pool: Pool) -> None:
    vm = pool.vm("Suspended")
    taken = pool.call("VM.checkpoint", vm, "with memory")
    assert taken["power_state"] == "Suspended"
    assert taken["suspend_VDI"] not in (NULL, vm["suspend_VDI"])


def test_a_checkpoint_of_a_paused_vm_has_no_memory(pool: Pool) -> None:
    taken = pool.call("VM.checkpoint", pool.vm("Paused"), "without")
    assert (taken["power_state"], taken["suspend_VDI"]) == ("Halted", NULL)


def test_a_checkpoint_fails_with_the_guest_that_does_not_save_its_memory(pool: Pool) -> None:
    vm = pool.vm("Running", guest=Guest(acknowledges_suspend=False, acknowledge_timeout=0.01))
    disks = pool.disk_count()
    with refused("VM_CHECKPOINT_SUSPEND_FAILED", vm.ref):
        pool.call("VM.checkpoint", vm, "never")
    assert (vm["power_state"], pool.disk_count()) == ("Running", disks)


def test_a_vm_whose_power_is_cut_during_its_checkpoint_stays_off(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    vm = pool.vm("Running")
    clone = pool.world.storage.clone_vdi

    def cut(vdi: Object, *, snapshot: bool) -> Object:
        pool.call("VM.hard_shutdown", vm)
        made: Object = clone(vdi, snapshot=snapshot)
        return made

    monkeypatch.setattr(pool.world.storage, "clone_vdi", cut)
    with refused("VM_CHECKPOINT_RESUME_FAILED", vm.ref):
        pool.call("VM.checkpoint", vm, "with memory")
    assert (vm["power_state"], vm["current_operations"]) == ("Halted", {})


def test_reverting_keeps_the_vm_and_replaces_its_disks(pool: Pool) -> None:
    vm = pool.vm("Running")
    old = pool.disks(vm)[0]
    taken = pool.call("VM.snapshot", vm, "before")
    pool.world.db.update(vm, name_label="renamed", other_config={"later": "1"}, tags=["later"])
    pool.call("VM.revert", taken)
    new = pool.disks(vm)[0]
    assert (new["uuid"], new.ref) != (old["uuid"], old.ref)
    assert pool.world.db.lookup("VDI", old.ref) is None
    assert (vm["power_state"], vm["name_label"], vm["tags"]) == ("Halted", "web", ["later"])
    assert "later" not in vm["other_config"]
    assert pool.disks(taken)[0]["snapshot_of"] == new.ref
    assert (vm["parent"], vm["snapshots"]) == (taken.ref, [taken.ref])


def test_reverting_brings_the_content_back(pool: Pool) -> None:
    vm = pool.vm()
    disk = pool.world.storage.disk(pool.disks(vm)[0])
    disk.write(0, b"before")
    taken = pool.call("VM.snapshot", vm, "before")
    disk.write(0, b"after!")
    pool.call("VM.revert", taken)
    assert pool.world.storage.disk(pool.disks(vm)[0]).read(0, 6) == b"before"


def test_a_disk_that_the_snapshot_does_not_know_is_only_detached(pool: Pool) -> None:
    vm = pool.vm(disks=2)
    left_out = pool.disks(vm)[1]
    taken = pool.call("VM.snapshot", vm, "before", [left_out])
    pool.call("VM.revert", taken)
    assert len(pool.disks(vm)) == 1
    assert pool.world.db.get("VDI", left_out.ref)["VBDs"] == []


def test_reverting_to_a_checkpoint_leaves_the_vm_suspended_with_a_copy_of_the_memory(pool: Pool) -> None:
    vm = pool.vm("Running")
    taken = pool.call("VM.checkpoint", vm, "with memory")
    pool.call("VM.revert", taken)
    assert vm["power_state"] == "Suspended"
    assert vm["suspend_VDI"] not in (NULL, taken["suspend_VDI"])
    pool.call("VM.resume", vm, False, False)
    assert vm["power_state"] == "Running"
    assert pool.world.db.lookup("VDI", taken["suspend_VDI"]) is not None


def test_reverting_brings_blocked_operations_back_as_they_were(pool: Pool) -> None:
    vm = pool.vm(blocked_operations={"start": "held"})
    taken = pool.call("VM.snapshot", vm, "before")
    assert taken["blocked_operations"] == {}
    pool.call("VM.set_blocked_operations", vm, {})
    pool.call("VM.revert", taken)
    assert vm["blocked_operations"] == {"start": "held"}


@pytest.mark.parametrize(("op", "message"), [("revert", "VM.revert"), ("destroy", "VM.destroy")])
def test_a_blocked_snapshot_is_neither_reverted_to_nor_destroyed(pool: Pool, op: str, message: str) -> None:
    vm = pool.vm()
    taken = pool.call("VM.snapshot", vm, "before")
    pool.call("VM.add_to_blocked_operations", taken, op, "held")
    with refused("OPERATION_BLOCKED", taken.ref, "held"):
        pool.call(message, taken)
    pool.call("VM.remove_from_blocked_operations", taken, op)
    pool.call(message, taken)


def test_a_vm_that_blocks_reverting_is_not_reverted(pool: Pool) -> None:
    vm = pool.vm(blocked_operations={"reverting": "held"})
    taken = pool.call("VM.snapshot", vm, "before")
    with refused("OPERATION_BLOCKED", vm.ref, "held"):
        pool.call("VM.revert", taken)
    assert taken["current_operations"] == {}


def test_destroying_a_snapshot_leaves_its_disks_and_its_children(pool: Pool) -> None:
    vm = pool.vm()
    first = pool.call("VM.snapshot", vm, "first")
    second = pool.call("VM.snapshot", vm, "second")
    disks = pool.disks(first)
    pool.call("VM.destroy", first)
    assert all(pool.world.db.lookup("VDI", disk.ref) for disk in disks)
    assert second["parent"] == NULL
    assert vm["snapshots"] == [second.ref]


def test_a_snapshot_outlives_its_vm_and_makes_it_again(pool: Pool) -> None:
    vm = pool.vm()
    uuid, gone = vm["uuid"], vm.ref
    taken = pool.call("VM.snapshot", vm, "before")
    pool.call("VM.destroy", vm)
    assert taken["snapshot_of"] == gone
    pool.call("VM.revert", taken)
    made = pool.world.db.find("VM", uuid)
    assert made.ref != gone
    assert (made["is_a_template"], made["is_a_snapshot"], made["name_label"]) == (False, False, "web")
    assert taken["snapshot_of"] == made.ref
    assert len(pool.disks(made)) == 1


def test_a_clone_of_a_snapshot_is_a_template_until_it_is_provisioned(pool: Pool) -> None:
    taken = pool.call("VM.snapshot", pool.vm(), "before")
    made = pool.call("VM.clone", taken, "from the snapshot")
    assert (made["is_a_template"], made["is_a_snapshot"]) == (True, False)
    pool.call("VM.provision", made)
    assert not made["is_a_template"]
    pool.call("VM.start", made, False, False)


def test_a_clone_of_a_checkpoint_is_suspended_with_memory_of_its_own(pool: Pool) -> None:
    taken = pool.call("VM.checkpoint", pool.vm("Running"), "with memory")
    made = pool.call("VM.clone", taken, "from the checkpoint")
    assert (made["power_state"], made["is_a_template"]) == ("Suspended", True)
    assert made["suspend_VDI"] not in (NULL, taken["suspend_VDI"])
    pool.call("VM.set_is_a_template", made, False)
    pool.call("VM.resume", made, False, False)
    assert pool.world.db.lookup("VDI", taken["suspend_VDI"]) is not None


def test_quiescing_went_with_api_2_14(pool: Pool) -> None:
    vm = pool.vm("Running", guest=Guest(boot_seconds=0.0, quiesces=True))
    with refused("VM_SNAPSHOT_WITH_QUIESCE_NOT_SUPPORTED", vm.ref):
        pool.call("VM.snapshot_with_quiesce", vm, "never")
    with Pool(api=(2, 0)) as old:
        vm = old.vm("Running", guest=Guest(boot_seconds=0.0, quiesces=True))
        taken = old.call("VM.snapshot_with_quiesce", vm, "quiet")
        assert taken["snapshot_info"]["disk-snapshot-type"] == "quiesced"


def test_a_snapshot_that_is_cancelled_leaves_no_disks(pool: Pool) -> None:
    vm = pool.vm(disks=3)
    count = pool.disk_count()
    task = pool.world.db.create("task", status="cancelling")
    with refused("TASK_CANCELLED", task.ref):
        pool.call("VM.snapshot", vm, "never", task=task)
    assert (pool.disk_count(), vm["snapshots"], vm["current_operations"]) == (count, [], {})


def test_disks_that_reset_on_boot_are_not_snapshotted(pool: Pool) -> None:
    vm = pool.vm()
    pool.world.db.update(pool.disks(vm)[0], on_boot="reset")
    with refused("VDI_ON_BOOT_MODE_INCOMPATIBLE_WITH_OPERATION"):
        pool.call("VM.snapshot", vm, "never")
