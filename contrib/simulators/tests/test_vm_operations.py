"""Which operations a VM takes in which state: what it lists is what its messages do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hvsdk_simulators.xapi.actions import ACTIONS
from hvsdk_simulators.xapi.database import Object
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.schema import ENUMS
from hvsdk_simulators.xapi.units import GIB
from hvsdk_simulators.xapi.vm import Guest
from hvsdk_simulators.xapi.vm.guest import ABSENT
from hvsdk_simulators.xapi.vm.states import ADVERTISED
from vm_pool import Pool, refused

MAKERS: dict[str, Callable[[Pool], Object]] = {
    "halted": lambda pool: pool.vm(HVM_boot_params={"order": "cd", "firmware": "uefi"}),
    "running": lambda pool: pool.vm("Running"),
    "running without tools": lambda pool: pool.vm("Running", guest=Guest(tools=ABSENT)),
    "running paravirtual": lambda pool: pool.vm("Running", paravirtual=True),
    "paused": lambda pool: pool.vm("Paused"),
    "suspended": lambda pool: pool.vm("Suspended"),
    "template": lambda pool: pool.vm(template=True),
    "default template": lambda pool: pool.vm(template=True, is_default_template=True),
    "snapshot": lambda pool: pool.call("VM.snapshot", pool.vm(), "before"),
    "checkpoint": lambda pool: pool.call("VM.checkpoint", pool.vm("Running"), "before"),
    "control domain": lambda pool: next(vm for vm in pool.world.db.all("VM") if vm["is_control_domain"]),
}


def destination(pool: Pool) -> dict[str, str]:
    made: dict[str, str] = pool.call("host.migrate_receive", pool.hosts[1], pool.network(), {})
    return made


DO: dict[str, Callable[[Pool, Object], Any]] = {
    "snapshot": lambda pool, vm: pool.call("VM.snapshot", vm, "made"),
    "clone": lambda pool, vm: pool.call("VM.clone", vm, "made"),
    "copy": lambda pool, vm: pool.call("VM.copy", vm, "made", None),
    "revert": lambda pool, vm: pool.call("VM.revert", vm),
    "checkpoint": lambda pool, vm: pool.call("VM.checkpoint", vm, "made"),
    "snapshot_with_quiesce": lambda pool, vm: pool.call("VM.snapshot_with_quiesce", vm, "made"),
    "provision": lambda pool, vm: pool.call("VM.provision", vm),
    "start": lambda pool, vm: pool.call("VM.start", vm, False, False),
    "start_on": lambda pool, vm: pool.call("VM.start_on", vm, pool.hosts[1], False, False),
    "pause": lambda pool, vm: pool.call("VM.pause", vm),
    "unpause": lambda pool, vm: pool.call("VM.unpause", vm),
    "clean_shutdown": lambda pool, vm: pool.call("VM.clean_shutdown", vm),
    "clean_reboot": lambda pool, vm: pool.call("VM.clean_reboot", vm),
    "hard_shutdown": lambda pool, vm: pool.call("VM.hard_shutdown", vm),
    "hard_reboot": lambda pool, vm: pool.call("VM.hard_reboot", vm),
    "shutdown": lambda pool, vm: pool.call("VM.shutdown", vm),
    "suspend": lambda pool, vm: pool.call("VM.suspend", vm),
    "resume": lambda pool, vm: pool.call("VM.resume", vm, False, False),
    "resume_on": lambda pool, vm: pool.call("VM.resume_on", vm, pool.hosts[1], False, False),
    "pool_migrate": lambda pool, vm: pool.call("VM.pool_migrate", vm, pool.hosts[1], {}),
    "migrate_send": lambda pool, vm: pool.call("VM.migrate_send", vm, destination(pool), True, {}, {}, {}),
    "changing_dynamic_range": lambda pool, vm: pool.call("VM.set_memory_dynamic_range", vm, GIB, GIB),
    "changing_static_range": lambda pool, vm: pool.call("VM.set_memory_static_range", vm, GIB, GIB),
    "changing_memory_limits": lambda pool, vm: pool.call("VM.set_memory_limits", vm, GIB, GIB, GIB, GIB),
    "changing_shadow_memory": lambda pool, vm: pool.call("VM.set_HVM_shadow_multiplier", vm, 1.5),
    "changing_shadow_memory_live": lambda pool, vm: pool.call("VM.set_shadow_multiplier_live", vm, 1.5),
    "changing_VCPUs": lambda pool, vm: pool.call("VM.set_VCPUs_max", vm, 4),
    "changing_VCPUs_live": lambda pool, vm: pool.call("VM.set_VCPUs_number_live", vm, 1),
    "changing_NVRAM": lambda pool, vm: pool.call("VM.set_NVRAM", vm, {}),
    "changing_memory_live": lambda pool, vm: pool.call("VM.set_memory_target_live", vm, GIB),
    "awaiting_memory_live": lambda pool, vm: pool.call("VM.wait_memory_target_live", vm),
    "make_into_template": lambda pool, vm: pool.call("VM.set_is_a_template", vm, True),
    "destroy": lambda pool, vm: pool.call("VM.destroy", vm),
    "get_boot_record": lambda pool, vm: pool.call("VM.get_boot_record", vm),
    "data_source_op": lambda pool, vm: pool.call("VM.get_data_sources", vm),
    "send_sysrq": lambda pool, vm: pool.call("VM.send_sysrq", vm, "b"),
    "send_trigger": lambda pool, vm: pool.call("VM.send_trigger", vm, "nmi"),
    "call_plugin": lambda pool, vm: pool.call("VM.call_plugin", vm, "none", "none", {}),
    "create_vtpm": lambda pool, vm: pool.call("VTPM.create", vm, False),
    "query_services": lambda pool, vm: pool.call("VM.query_services", vm),
    "sysprep": lambda pool, vm: pool.call("VM.sysprep", vm, "<unattend/>", 1.0),
}
"""How each operation is asked for. What is not here has a message in another package, or none."""

UNDONE = frozenset({"sysprep"})
"""What may begin and then fails, for no guest here can do it."""

REFUSALS = frozenset(
    {
        "OPERATION_BLOCKED",
        "VM_BAD_POWER_STATE",
        "VM_IS_TEMPLATE",
        "VM_IS_SNAPSHOT",
        "VM_LACKS_FEATURE",
        "VM_MISSING_PV_DRIVERS",
        "VM_CANNOT_DELETE_DEFAULT_TEMPLATE",
        "VM_SNAPSHOT_WITH_QUIESCE_NOT_SUPPORTED",
        "OPERATION_NOT_ALLOWED",
        "PROVISION_ONLY_ALLOWED_ON_TEMPLATE",
        "REVERT_ONLY_ALLOWED_ON_SNAPSHOT",
        "NOT_SYSTEM_DOMAIN",
    }
)
"""What an operation is answered that may not begin; other failures come from what it does."""


@pytest.fixture
def pool() -> Iterator[Pool]:
    with Pool() as made:
        yield made


def test_every_listed_operation_is_tried_here() -> None:
    elsewhere = {"export", "metadata_export"}
    assert {name for name, _ in ADVERTISED} - elsewhere <= DO.keys()
    assert DO.keys() <= set(ENUMS["vm_operations"])


@pytest.mark.parametrize("api", [(2, 0), (2, 15), (2, 23)])
@pytest.mark.parametrize("made", MAKERS)
def test_what_is_allowed_is_what_can_be_done(made: str, api: tuple[int, int]) -> None:
    with Pool(api=api) as pool:
        for op in [name for name, since in ADVERTISED if name in DO and since <= api]:
            vm = MAKERS[made](pool)
            listed = op in pool.allowed(vm)
            code = outcome(pool, vm, op)
            assert (code not in REFUSALS) == listed, f"{op} on {made}: {code}"
            if made != "control domain" and op not in UNDONE:
                assert listed == (code == ""), f"{op} on {made}: {code}"


def outcome(pool: Pool, vm: Object, op: str) -> str:
    try:
        DO[op](pool, vm)
    except Failure as failure:
        return failure.code
    return ""


@pytest.mark.parametrize("made", ["halted", "running", "paused", "suspended", "template", "snapshot", "checkpoint"])
def test_a_blocked_operation_is_refused_in_every_state_before_all_else(pool: Pool, made: str) -> None:
    vm = MAKERS[made](pool)
    before = dict(vm.fields)
    for op in DO:
        pool.call("VM.set_blocked_operations", vm, {op: "held by us"})
        assert op not in pool.allowed(vm)
        with refused("OPERATION_BLOCKED", vm.ref, "held by us"):
            DO[op](pool, vm)
        with refused("OPERATION_BLOCKED", vm.ref, "held by us"):
            pool.call("VM.assert_operation_valid", vm, op)
    pool.call("VM.set_blocked_operations", vm, {})
    assert dict(vm.fields) == before


@pytest.mark.parametrize(
    ("made", "op", "expected", "actual"),
    [
        ("running", "start", "halted", "running"),
        ("paused", "start", "halted", "paused"),
        ("halted", "clean_shutdown", "running", "halted"),
        ("halted", "hard_shutdown", "paused, suspended, running", "halted"),
        ("suspended", "hard_reboot", "paused, running", "suspended"),
        ("halted", "resume", "suspended", "halted"),
        ("running", "destroy", "halted, suspended", "running"),
        ("running", "clone", "halted", "running"),
        ("suspended", "pool_migrate", "running", "suspended"),
    ],
)
def test_a_wrong_power_state_names_the_right_ones(pool: Pool, made: str, op: str, expected: str, actual: str) -> None:
    vm = MAKERS[made](pool)
    with refused("VM_BAD_POWER_STATE", vm.ref, expected, actual):
        DO[op](pool, vm)


def test_templates_and_snapshots_name_the_operation_that_they_refuse(pool: Pool) -> None:
    template, snapshot = MAKERS["template"](pool), MAKERS["snapshot"](pool)
    with refused("VM_IS_TEMPLATE", template.ref, "start"):
        DO["start"](pool, template)
    with refused("VM_IS_SNAPSHOT", snapshot.ref, "start"):
        DO["start"](pool, snapshot)
    default = MAKERS["default template"](pool)
    with refused("VM_CANNOT_DELETE_DEFAULT_TEMPLATE", default.ref):
        DO["destroy"](pool, default)


def test_an_operation_under_way_is_shown_and_keeps_others_out(pool: Pool) -> None:
    vm = pool.vm("Running", guest=Guest(obeys_shutdown=False))
    call = pool.begin("VM.clean_shutdown", vm)
    pool.until(lambda: vm["current_operations"])
    assert vm["current_operations"] == {call.task.ref: "clean_shutdown"}
    assert pool.allowed(vm) == {"hard_shutdown", "hard_reboot"}
    with refused("OTHER_OPERATION_IN_PROGRESS", "VM.clean_shutdown", vm.ref):
        DO["suspend"](pool, vm)
    call.cancel()
    assert call.end() == ["TASK_CANCELLED", call.task.ref]
    assert vm["current_operations"] == {}
    assert vm["power_state"] == "Running"


def test_newer_servers_name_the_object_and_the_task_that_is_in_the_way() -> None:
    with Pool(api=(2, 23)) as pool:
        vm = pool.vm("Running", guest=Guest(obeys_shutdown=False))
        call = pool.begin("VM.clean_shutdown", vm)
        pool.until(lambda: vm["current_operations"])
        with refused("OTHER_OPERATION_IN_PROGRESS", "VM", vm.ref, "clean_shutdown", call.task.ref):
            DO["suspend"](pool, vm)
        call.cancel()
        call.end()


@pytest.mark.parametrize("api", [(2, 0), (2, 15), (2, 23)])
def test_old_servers_list_no_operations_that_came_later(api: tuple[int, int]) -> None:
    since = dict(ADVERTISED)
    with Pool(api=api) as pool:
        listed = set().union(*(pool.allowed(make(pool)) for make in MAKERS.values()))
    assert listed
    assert all(since[op] <= api for op in listed)


def test_old_servers_miss_drivers_where_new_ones_miss_features() -> None:
    with Pool(api=(2, 0)) as pool:
        vm = MAKERS["running without tools"](pool)
        with refused("VM_MISSING_PV_DRIVERS", vm.ref):
            DO["clean_shutdown"](pool, vm)


def test_an_operation_is_held_under_way_until_it_is_taken_back(pool: Pool) -> None:
    vm = pool.vm("Running")
    with pool.world.lock:
        task = ACTIONS["operation"](pool.world, vm["uuid"], "pool_migrate")
    assert vm["current_operations"] == {task: "pool_migrate"}
    assert pool.world.db.get("task", task)["status"] == "pending"
    with refused("OTHER_OPERATION_IN_PROGRESS"):
        pool.call("VM.pause", vm)
    with pool.world.lock:
        ACTIONS["operation"](pool.world, vm["uuid"], "pool_migrate", on=False)
    assert vm["current_operations"] == {}
    assert pool.world.db.get("task", task)["status"] == "success"
    pool.call("VM.pause", vm)


def test_an_operation_that_the_vm_does_not_allow_is_not_held(pool: Pool) -> None:
    vm = pool.vm()
    with pool.world.lock, refused("VM_BAD_POWER_STATE"):
        ACTIONS["operation"](pool.world, vm["uuid"], "suspend")
    assert vm["current_operations"] == {}
