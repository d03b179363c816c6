"""VMs sent from one pool to another, each in a process of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import hvsdk_simulators
import pytest
from pools_client import NULL, Place, arguments, refusal, send, wait


@pytest.fixture(scope="module")
def places() -> Iterator[tuple[Place, Place]]:
    """Two pools that do not know of each other."""
    with ExitStack() as stack:
        pools = [
            stack.enter_context(hvsdk_simulators.start("xapi", domains=1, hosts=hosts, seed=seed))
            for hosts, seed in ((2, 3), (1, 7))
        ]
        yield Place(pools[0]), Place(pools[1])


@pytest.fixture
def here(places: tuple[Place, Place]) -> Iterator[Place]:
    yield places[0]
    places[0].pool.clear_faults()


@pytest.fixture
def there(places: tuple[Place, Place]) -> Iterator[Place]:
    yield places[1]
    places[1].pool.clear_faults()


@pytest.mark.parametrize("state", ["Halted", "Running", "Suspended"])
def test_a_vm_is_there_with_its_disks_and_no_longer_here(here: Place, there: Place, state: str) -> None:
    vm = here.make(state, disks=2)
    old = here.disks(vm)
    before, digests, macs, boots = here.api("VM.get_record", vm), here.digests(vm), here.macs(vm), here.boots(vm)
    moved = send(here, there, vm)
    after = there.api("VM.get_record", moved)
    same = ("uuid", "name_label", "power_state", "other_config", "platform", "memory_static_max", "HVM_boot_params")
    assert {name: after[name] for name in same} == {name: before[name] for name in same}
    assert (there.digests(moved), there.macs(moved), there.boots(moved)) == (digests, macs, boots)
    assert (after["resident_on"] != NULL) is (state == "Running")
    assert [there.api("VDI.get_other_config", vdi) for vdi in there.disks(moved)] == 2 * [{"kept": "yes"}]
    assert here.api.refusal("VM.get_by_uuid", before["uuid"])[0] == "UUID_INVALID"
    assert [here.api.refusal("VDI.get_uuid", vdi)[0] for vdi in old] == 2 * ["HANDLE_INVALID"]
    if state == "Suspended":
        there.api("VM.resume", moved, False, False)
        assert there.boots(moved) == boots
    assert there.api("VM.get_current_operations", moved) == {}


def test_a_move_leaves_nothing_of_the_vm_behind(here: Place, there: Place) -> None:
    before = here.inventory()
    vm = here.make("Running")
    here.api("VM.snapshot", vm, "before", [])
    here.api("VM.checkpoint", vm, "with memory")
    send(here, there, vm)
    assert here.inventory() == before


def test_snapshots_go_along_and_can_be_returned_to(here: Place, there: Place) -> None:
    vm = here.make("Running")
    boots, digests = here.boots(vm), here.digests(vm)
    taken, held = here.api("VM.snapshot", vm, "before", []), here.api("VM.checkpoint", vm, "with memory")
    uuids = [here.api("VM.get_uuid", one) for one in (taken, held)]
    here.write(here.disks(vm)[0], "later", 0)
    moved = send(here, there, vm)
    snapshots = [there.api("VM.get_by_uuid", uuid) for uuid in uuids]
    assert set(there.api("VM.get_snapshots", moved)) == set(snapshots)
    assert there.api("VM.get_parent", moved) == snapshots[1]
    assert there.api("VM.get_parent", snapshots[1]) == snapshots[0]
    assert there.digests(snapshots[0]) == digests != there.digests(moved)
    there.api("VM.revert", snapshots[1])
    assert there.api("VM.get_power_state", moved) == "Suspended"
    there.api("VM.resume", moved, False, False)
    assert (there.digests(moved), there.boots(moved)) == (digests, boots)


def test_a_copy_is_another_vm_and_leaves_the_first(here: Place, there: Place) -> None:
    vm = here.make()
    before, macs = here.inventory(), here.macs(vm)
    copied = send(here, there, vm, copy="true")
    assert there.api("VM.get_uuid", copied) != here.api("VM.get_uuid", vm)
    assert there.digests(copied) == here.digests(vm)
    assert there.macs(copied) != macs
    assert here.inventory() == before
    there.api("VM.start", copied, False, False)


def test_only_a_vm_that_is_off_is_copied(here: Place, there: Place) -> None:
    vm = here.make("Running")
    assert refusal(here, there, vm, copy="true") == ["VM_BAD_POWER_STATE", vm, "halted", "running"]


def test_a_task_ends_with_the_reference_there(here: Place, there: Place) -> None:
    vm = here.make()
    uuid = here.api("VM.get_uuid", vm)
    task = here.api("Async.VM.migrate_send", *arguments(here, there, vm))
    wait(lambda: here.api("task.get_status", task) != "pending")
    assert here.api("task.get_result", task) == f"<value>{there.api('VM.get_by_uuid', uuid)}</value>"


def test_asking_whether_a_vm_can_move_changes_nothing(here: Place, there: Place) -> None:
    vm = here.make("Running")
    before = here.inventory(), there.inventory()
    here.api("VM.assert_can_migrate", *arguments(here, there, vm))
    assert (here.inventory(), there.inventory()) == before


def test_each_part_needs_a_place(here: Place, there: Place) -> None:
    vm = here.make()
    (disk,), (card,) = here.disks(vm), here.api("VM.get_VIFs", vm)
    _, destination, *_ = arguments(here, there, vm)
    for method in ("VM.assert_can_migrate", "VM.migrate_send"):
        told = here.api.refusal(method, vm, destination, False, {}, {card: there.network}, {})
        assert told == ["VDI_NOT_IN_MAP", disk]
        told = here.api.refusal(method, vm, destination, False, {disk: there.sr}, {}, {})
        assert told == ["VIF_NOT_IN_MAP", card]
        told = here.api.refusal(method, vm, destination, False, {disk: there.sr}, {card: here.network}, {})
        assert told == ["HANDLE_INVALID", "network", here.network]
        told = here.api.refusal(method, vm, destination, False, {disk: here.sr}, {card: there.network}, {})
        assert told == ["HANDLE_INVALID", "SR", here.sr]


def test_a_host_that_is_to_be_empty_takes_nothing(here: Place, there: Place) -> None:
    vm = here.make()
    there.api("host.disable", there.host)
    try:
        assert refusal(here, there, vm) == ["HOST_DISABLED", there.host]
    finally:
        there.api("host.enable", there.host)


def test_a_vm_is_in_a_pool_only_once(here: Place, there: Place) -> None:
    vm = here.make()
    moved = send(here, there, vm)
    uuid = there.api("VM.get_uuid", moved)
    back = send(there, here, moved, copy="true")
    assert here.api("VM.get_uuid", back) != uuid
    seed = here.api("VM.get_other_config", back)["mac_seed"]
    there.api("VM.add_to_other_config", there.make(), "was", seed)
    other = there.make()
    there.api("VM.remove_from_other_config", other, "mac_seed")
    there.api("VM.add_to_other_config", other, "mac_seed", seed)
    assert refusal(here, there, back) == ["DUPLICATE_MAC_SEED", seed]


def test_a_pool_of_an_older_version_takes_nothing(here: Place) -> None:
    vm = here.make()
    with hvsdk_simulators.start("xapi", domains=1, seed=9, api="2.15") as pool:
        old = Place(pool)
        assert refusal(here, old, vm) == ["VM_HOST_INCOMPATIBLE_VERSION_MIGRATE", old.host, vm]


def test_a_pool_that_is_gone_is_told_of(here: Place) -> None:
    vm = here.make()
    with hvsdk_simulators.start("xapi", domains=1, seed=9) as pool:
        sent = arguments(here, Place(pool), vm)
    before = here.inventory()
    for method in ("VM.assert_can_migrate", "VM.migrate_send"):
        assert here.api.refusal(method, *sent) == ["VM_MIGRATE_CONTACT_REMOTE_SERVICE_FAILED"]
    assert here.inventory() == before


def test_a_session_that_has_ended_there_is_told_of(here: Place, there: Place) -> None:
    vm = here.make()
    sent = arguments(here, there, vm)
    sent[1]["session_id"] = "OpaqueRef:ended"
    assert here.api.refusal("VM.migrate_send", *sent) == ["SESSION_INVALID", "OpaqueRef:ended"]


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("VDI.create:error=SR_FULL,1,0:1", "SR_FULL"),
        ("VDI.create:drop-after:1", "VM_MIGRATE_CONTACT_REMOTE_SERVICE_FAILED"),
        ("/services/SM:drop-before:1", "MIRROR_FAILED"),
        ("/services/SM:error=VDI_IO_ERROR,Device I/O errors:1", "MIRROR_FAILED"),
    ],
)
@pytest.mark.parametrize("state", ["Halted", "Running"])
def test_a_failure_half_way_leaves_both_pools_as_they_were(
    here: Place, there: Place, state: str, fault: str, code: str
) -> None:
    vm = here.make(state, disks=2)
    inside = here.digests(vm), here.boots(vm)
    before = here.inventory(), there.inventory()
    there.pool.fault(fault)
    assert refusal(here, there, vm)[0] == code
    assert (here.inventory(), there.inventory()) == before
    assert (here.digests(vm), here.boots(vm)) == inside
    assert here.api("VM.get_power_state", vm) == state
    assert here.api("VM.get_current_operations", vm) == {}
    send(here, there, vm)


def test_a_vm_that_arrived_though_the_answer_was_lost_is_there_only(here: Place, there: Place) -> None:
    vm = here.make("Running")
    uuid, boots = here.api("VM.get_uuid", vm), here.boots(vm)
    sent = arguments(here, there, vm)
    here.api("VM.assert_can_migrate", *sent)
    # The rehearsal of the move itself comes first.
    there.pool.fault("/services/xenops:slow=0:1")
    there.pool.fault("/services/xenops:drop-after:1")
    moved = here.api("VM.migrate_send", *sent)
    assert moved == there.api("VM.get_by_uuid", uuid)
    assert (there.api("VM.get_power_state", moved), there.boots(moved)) == ("Running", boots)
    assert here.api.refusal("VM.get_by_uuid", uuid)[0] == "UUID_INVALID"


def test_a_cancelled_move_leaves_both_pools_as_they_were(here: Place, there: Place) -> None:
    vm = here.make("Running")
    before = here.inventory(), there.inventory()
    there.pool.fault("/services/SM:freeze:1")
    task = here.api("Async.VM.migrate_send", *arguments(here, there, vm))
    wait(lambda: there.pool.counts().get("/services/SM"))
    wait(lambda: there.pool.act("vdis")["count"] > before[1]["disks"]["count"])
    here.api("task.cancel", task)
    wait(lambda: here.api("task.get_status", task) == "cancelled")
    assert (here.inventory(), there.inventory()) == before
    assert here.api("VM.get_power_state", vm) == "Running"


def test_what_the_guest_writes_meanwhile_goes_along(here: Place, there: Place) -> None:
    vm = here.make("Running", disks=2)
    first = here.disks(vm)[0]
    there.pool.reset_counts()
    there.pool.fault("/services/SM:slow=0.5:1")
    task = here.api("Async.VM.migrate_send", *arguments(here, there, vm))
    wait(lambda: there.pool.counts().get("/services/SM"))
    here.write(first, "written while it was on its way", 1 << 20)
    uuid, digests = here.api("VM.get_uuid", vm), here.digests(vm)
    wait(lambda: here.api("task.get_status", task) != "pending")
    assert there.digests(there.api("VM.get_by_uuid", uuid)) == digests


def test_a_device_that_comes_meanwhile_ends_the_move(here: Place, there: Place) -> None:
    vm = here.make()
    before = here.inventory()["disks"]["count"], there.inventory()
    there.pool.reset_counts()
    there.pool.fault("/services/SM:slow=0.5:1")
    task = here.api("Async.VM.migrate_send", *arguments(here, there, vm))
    wait(lambda: there.pool.counts().get("/services/SM"))
    here.connect(vm, 1)
    wait(lambda: here.api("task.get_status", task) != "pending")
    assert here.api("task.get_error_info", task)[0] == "VM_MIGRATE_FAILED"
    assert (here.inventory()["disks"]["count"], there.inventory()) == before


def test_a_vm_that_is_cut_off_meanwhile_stays(here: Place, there: Place) -> None:
    vm = here.make("Running")
    before = there.inventory()
    there.pool.reset_counts()
    there.pool.fault("/services/SM:slow=0.5:1")
    task = here.api("Async.VM.migrate_send", *arguments(here, there, vm))
    wait(lambda: there.pool.counts().get("/services/SM"))
    here.api("VM.hard_shutdown", vm)
    wait(lambda: here.api("task.get_status", task) != "pending")
    assert here.api("task.get_error_info", task)[0] == "VM_BAD_POWER_STATE"
    assert (here.api("VM.get_power_state", vm), there.inventory()) == ("Halted", before)


def test_a_medium_that_is_not_there_is_left_behind(here: Place, there: Place) -> None:
    vm = here.make()
    (library,) = [ref for ref, one in here.api("SR.get_all_records").items() if one["type"] == "iso" and one["VDIs"]][
        :1
    ]
    image = here.api("SR.get_VDIs", library)[0]
    drive: dict[str, Any] = {"VM": vm, "VDI": image, "userdevice": "3", "bootable": False, "mode": "RO", "type": "CD"}
    drive |= {"unpluggable": False, "empty": False, "other_config": {}}
    here.api("VBD.create", drive | {"qos_algorithm_type": "", "qos_algorithm_params": {}})
    moved = send(here, there, vm)
    drives = [there.api("VBD.get_record", vbd) for vbd in there.api("VM.get_VBDs", moved)]
    assert {one["userdevice"]: (one["type"], one["empty"]) for one in drives} == {
        "0": ("Disk", False),
        "3": ("CD", True),
    }
    assert here.api("VDI.get_uuid", image)


def test_a_tpm_goes_along(here: Place, there: Place) -> None:
    vm = here.make()
    here.api("VM.set_HVM_boot_params", vm, {"firmware": "uefi", "order": "cd"})
    here.api("VTPM.create", vm, False)
    moved = send(here, there, vm)
    assert len(there.api("VM.get_VTPMs", moved)) == 1
    there.api("VM.start", moved, False, False)


def test_pools_without_tls_and_of_an_old_version_send_vms_too() -> None:
    with ExitStack() as stack:
        pools = [
            stack.enter_context(hvsdk_simulators.start("xapi", domains=1, seed=seed, tls=False, api="2.4"))
            for seed in (3, 7)
        ]
        here, there = map(Place, pools)
        vm = here.make("Running")
        here.api("VM.checkpoint", vm, "with memory")
        digests = here.digests(vm)
        assert there.digests(send(here, there, vm)) == digests
