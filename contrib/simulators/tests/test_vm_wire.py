"""VMs as the product's own Python binding sees them, over TLS."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import hvsdk_simulators
import pytest
import XenAPI
from hvsdk_simulators import Running
from hvsdk_simulators.xapi.schema import ENUMS

NULL = "OpaqueRef:NULL"
BY_OPERATION: dict[str, tuple[Any, ...]] = {
    "snapshot": ("snapshot", "made", []),
    "clone": ("clone", "made"),
    "copy": ("copy", "made", NULL),
    "revert": ("revert",),
    "checkpoint": ("checkpoint", "made"),
    "provision": ("provision",),
    "start": ("start", False, False),
    "pause": ("pause",),
    "unpause": ("unpause",),
    "clean_shutdown": ("clean_shutdown",),
    "clean_reboot": ("clean_reboot",),
    "hard_shutdown": ("hard_shutdown",),
    "hard_reboot": ("hard_reboot",),
    "suspend": ("suspend",),
    "resume": ("resume", False, False),
    "shutdown": ("shutdown",),
    "make_into_template": ("set_is_a_template", True),
    "destroy": ("destroy",),
    "changing_VCPUs": ("set_VCPUs_max", "2"),
    "changing_memory_limits": ("set_memory_limits", "1", "1", "1", "1"),
}


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with hvsdk_simulators.start("xapi", domains=0, hosts=2) as started:
        yield started


@pytest.fixture
def api(running: Running) -> Iterator[Any]:
    session = XenAPI.Session(f"https://127.0.0.1:{running.members[0]['port']}", ignore_ssl=True)
    session.xenapi.login_with_password(running.username, running.password, "1.0", "tests")
    yield session.xenapi
    session.xenapi.session.logout()
    session("close")()


@pytest.fixture
def vm(api: Any) -> str:
    """A halted VM with a disk, made of a template as people do."""
    (template,) = api.VM.get_by_name_label("Debian Bookworm 12")
    made: str = api.VM.clone(template, "web")
    api.VM.provision(made)
    return made


@contextmanager
def refused(*details: str) -> Iterator[None]:
    with pytest.raises(XenAPI.Failure) as caught:
        yield
    assert caught.value.details[: len(details)] == list(details)


def booted(api: Any, vm: str) -> None:
    until(lambda: api.VM.get_guest_metrics(vm) != NULL)


def until(predicate: Any) -> None:
    for _ in range(1500):
        if predicate():
            return
        time.sleep(0.02)
    raise AssertionError("it did not become so")


def test_a_vm_goes_through_its_states(api: Any, vm: str) -> None:
    api.VM.start(vm, True, False)
    with refused("VM_BAD_POWER_STATE", vm, "halted", "paused"):
        api.VM.start(vm, False, False)
    api.VM.unpause(vm)
    booted(api, vm)
    assert "clean_shutdown" in api.VM.get_allowed_operations(vm)
    api.VM.suspend(vm)
    assert api.VM.get_record(vm)["suspend_VDI"] != NULL
    api.VM.resume(vm, False, False)
    booted(api, vm)
    api.VM.clean_shutdown(vm)
    assert api.VM.get_power_state(vm) == "Halted"


def test_a_request_that_the_guest_ignores_is_cancelled_by_its_task(api: Any, vm: str, running: Running) -> None:
    api.VM.start(vm, False, False)
    booted(api, vm)
    running.act("guest", vm=api.VM.get_uuid(vm), obeys_shutdown=False)
    task = api.Async.VM.clean_shutdown(vm)
    until(lambda: api.VM.get_current_operations(vm) == {task: "clean_shutdown"})
    with refused("OTHER_OPERATION_IN_PROGRESS", "VM.clean_shutdown", vm):
        api.VM.pause(vm)
    api.task.cancel(task)
    until(lambda: api.task.get_status(task) == "cancelled")
    assert api.VM.get_current_operations(vm) == {}
    api.task.destroy(task)
    api.VM.hard_shutdown(vm)


def test_blocked_operations_hold_for_the_vm_and_its_snapshots(api: Any, vm: str) -> None:
    taken = api.VM.snapshot(vm, "before", [])
    everything = dict.fromkeys(ENUMS["vm_operations"], "held")
    for ref in (vm, taken):
        api.VM.set_blocked_operations(ref, everything)
        assert api.VM.get_allowed_operations(ref) == []
        for name, *arguments in BY_OPERATION.values():
            with refused("OPERATION_BLOCKED", ref, "held"):
                getattr(api.VM, name)(ref, *arguments)
        api.VM.set_blocked_operations(ref, {})
    assert "revert" in api.VM.get_allowed_operations(taken)
    assert "start" in api.VM.get_allowed_operations(vm)


def test_reverting_changes_the_disks_and_not_the_vm(api: Any, vm: str) -> None:
    disk = disk_of(api, vm)
    taken = api.VM.snapshot(vm, "before", [])
    api.VM.set_name_description(vm, "changed")
    api.VM.revert(taken)
    assert api.VM.get_name_description(vm) != "changed"
    assert disk_of(api, vm) != disk
    with refused("HANDLE_INVALID", "VDI", disk):
        api.VDI.get_uuid(disk)


def test_a_running_vm_moves_with_and_without_its_disk(api: Any, vm: str) -> None:
    api.VM.start(vm, False, False)
    booted(api, vm)
    here, disk = api.VM.get_resident_on(vm), disk_of(api, vm)
    (there,) = set(api.host.get_all()) - {here}
    api.VM.pool_migrate(vm, there, {"live": "true"})
    assert api.VM.get_resident_on(vm) == there
    place = api.VDI.get_SR(disk)
    kinds = ("nfs", "lvmoiscsi", "smb")
    sr = next(ref for ref, one in api.SR.get_all_records().items() if one["type"] in kinds and ref != place)
    network = api.PIF.get_network(api.host.get_management_interface(here))
    arguments: tuple[Any, ...] = (vm, api.host.migrate_receive(here, network, {}), True, {disk: sr}, {}, {})
    api.VM.assert_can_migrate(*arguments)
    assert api.VM.migrate_send(*arguments) == vm
    assert api.VM.get_resident_on(vm) == here
    assert api.VDI.get_SR(disk_of(api, vm)) == sr
    api.VM.hard_shutdown(vm)


def disk_of(api: Any, vm: str) -> str:
    vbds = [api.VBD.get_record(ref) for ref in api.VM.get_VBDs(vm)]
    (disk,) = [vbd["VDI"] for vbd in vbds if vbd["type"] == "Disk"]
    return str(disk)
