"""Guests that obey, ignore, crash, or have nothing to obey with, and what they tell of themselves."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hvsdk_simulators.xapi.actions import ACTIONS
from hvsdk_simulators.xapi.database import Object
from hvsdk_simulators.xapi.vm import Guest
from hvsdk_simulators.xapi.vm.guest import ABSENT
from vm_pool import Pool, refused


@pytest.fixture
def pool() -> Iterator[Pool]:
    with Pool() as made:
        yield made


def told(pool: Pool, vm: Object) -> Object | None:
    return pool.world.db.lookup("VM_guest_metrics", vm["guest_metrics"])


def test_the_tools_tell_of_the_guest_once_it_has_booted(pool: Pool) -> None:
    vm = pool.vm(guest=Guest(boot_seconds=0.0, hostname="web-1"))
    pool.call("VM.start", vm, False, False)
    pool.until(lambda: told(pool, vm) is not None)
    known = told(pool, vm)
    assert known is not None
    assert known["PV_drivers_version"]["major"] == "7"
    assert known["os_version"]["distro"] == "debian"
    assert known["networks"]["0/ip"].startswith("198.19.")
    assert known["other"]["data-hostname"] == "web-1"


def test_what_the_guest_told_stays_after_the_stop_and_goes_with_the_next_start(pool: Pool) -> None:
    vm = pool.vm("Running")
    pool.call("VM.hard_shutdown", vm)
    assert told(pool, vm) is not None
    pool.call("VM.start", vm, True, False)
    assert (vm["power_state"], told(pool, vm)) == ("Paused", None)


def test_a_guest_without_tools_tells_nothing(pool: Pool) -> None:
    vm = pool.vm("Running", guest=Guest(tools=ABSENT))
    assert told(pool, vm) is None
    with refused("VM_LACKS_FEATURE", vm.ref):
        pool.call("VM.clean_shutdown", vm)


def test_a_guest_without_tools_that_obeys_the_power_button_goes_down(pool: Pool) -> None:
    vm = pool.vm("Running", guest=Guest(tools=ABSENT, acpi=True))
    known = told(pool, vm)
    assert known is not None
    assert known["PV_drivers_version"] == {}
    assert {"clean_shutdown", "clean_reboot"} <= pool.allowed(vm)
    assert "suspend" not in pool.allowed(vm)
    pool.call("VM.clean_shutdown", vm)
    assert vm["power_state"] == "Halted"


def test_a_guest_that_ignores_the_request_lets_the_time_run_out(pool: Pool) -> None:
    vm = pool.vm("Running", guest=Guest(obeys_shutdown=False, shutdown_timeout=0.05))
    with refused("VM_SHUTDOWN_TIMEOUT", vm.ref, "0.05"):
        pool.call("VM.clean_shutdown", vm)
    assert vm["power_state"] == "Running"


def test_a_guest_that_does_not_hear_the_request_fails_it_early(pool: Pool) -> None:
    vm = pool.vm("Running", guest=Guest(acknowledges_shutdown=False, acknowledge_timeout=0.05))
    with refused("VM_FAILED_SHUTDOWN_ACKNOWLEDGMENT", vm.ref):
        pool.call("VM.clean_shutdown", vm)


def test_cutting_the_power_ends_a_request_that_waits(pool: Pool) -> None:
    vm = pool.vm("Running", guest=Guest(obeys_shutdown=False))
    call = pool.begin("VM.clean_shutdown", vm)
    pool.until(lambda: vm["current_operations"])
    pool.call("VM.hard_shutdown", vm)
    assert call.end()[0] == "TASK_CANCELLED"
    assert (vm["power_state"], vm["current_operations"]) == ("Halted", {})


def test_a_waiting_request_is_fulfilled_by_a_guest_that_stops_by_itself(pool: Pool) -> None:
    vm = pool.vm("Running", guest=Guest(obeys_shutdown=False))
    call = pool.begin("VM.clean_shutdown", vm)
    pool.until(lambda: vm["current_operations"])
    with pool.world.lock:
        ACTIONS["guest"](pool.world, vm["uuid"], stops=True)
    assert call.end() == []
    assert vm["power_state"] == "Halted"


@pytest.mark.parametrize(
    ("message", "action", "code"),
    [("VM.clean_shutdown", "restart", "VM_REBOOTED"), ("VM.clean_reboot", "destroy", "VM_HALTED")],
)
def test_a_guest_that_does_something_else_fails_the_request(pool: Pool, message: str, action: str, code: str) -> None:
    vm = pool.vm("Running", guest=Guest(obeys_shutdown=False), actions_after_shutdown=action)
    call = pool.begin(message, vm)
    pool.until(lambda: vm["current_operations"])
    with pool.world.lock:
        ACTIONS["guest"](pool.world, vm["uuid"], stops=True)
    assert call.end() == [code, vm.ref]


def test_shutdown_cuts_the_power_of_a_guest_that_does_not_go_down(pool: Pool) -> None:
    vm = pool.vm("Running", guest=Guest(obeys_shutdown=False, shutdown_timeout=0.05))
    pool.call("VM.shutdown", vm)
    assert vm["power_state"] == "Halted"


@pytest.mark.parametrize(
    ("action", "state", "dumps"),
    [
        ("destroy", "Halted", 0),
        ("restart", "Running", 0),
        ("preserve", "Paused", 0),
        ("coredump_and_destroy", "Halted", 1),
        ("coredump_and_restart", "Running", 1),
    ],
)
def test_a_crash_does_what_the_vm_says(pool: Pool, action: str, state: str, dumps: int) -> None:
    vm = pool.vm("Running", actions_after_crash=action)
    with pool.world.lock:
        ACTIONS["guest"](pool.world, vm["uuid"], crash=True)
    assert vm["power_state"] == state
    assert len(vm["crash_dumps"]) == dumps
    for ref in list(vm["crash_dumps"]):
        vdi = pool.world.db.get("crashdump", ref)["VDI"]
        pool.call("crashdump.destroy", pool.world.db.get("crashdump", ref))
        assert pool.world.db.lookup("VDI", vdi) is None


def test_a_guest_that_stops_by_itself_does_what_the_vm_says(pool: Pool) -> None:
    off, again = pool.vm("Running"), pool.vm("Running", actions_after_shutdown="restart")
    with pool.world.lock:
        for vm in (off, again):
            ACTIONS["guest"](pool.world, vm["uuid"], stops=True)
    assert (off["power_state"], again["power_state"]) == ("Halted", "Running")


def test_a_guest_that_reboots_by_itself_gets_a_new_domain(pool: Pool) -> None:
    vm = pool.vm("Running")
    domid = vm["domid"]
    with pool.world.lock:
        ACTIONS["guest"](pool.world, vm["uuid"], reboots=True)
    assert vm["power_state"] == "Running"
    assert vm["domid"] > domid


def test_a_guest_changes_by_what_the_control_door_says(pool: Pool) -> None:
    vm = pool.vm("Running")
    with pool.world.lock:
        ACTIONS["guest"](pool.world, vm["uuid"], tools=False)
    assert told(pool, vm) is None
    with pool.world.lock:
        ACTIONS["guest"](pool.world, vm["uuid"], tools=True, obeys_shutdown=False, shutdown_timeout=0.01)
    with refused("VM_SHUTDOWN_TIMEOUT", vm.ref):
        pool.call("VM.clean_shutdown", vm)
