"""Tasks tell how a call goes that nobody waits for, can be cancelled, and go when they are told to or after a while."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from hvsdk_simulators.xapi.pool import Pool
from wire_pool import Client, control, listening

_STRAY = "OpaqueRef:00000000-0000-4000-8000-000000000000"


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with listening() as pool:
        yield pool


@pytest.fixture
def client(pool: Pool) -> Iterator[Client]:
    client = Client(pool)
    client.login()
    yield client
    for task in control(pool, "POST", "/actions/vanish-task")[1]:
        assert task.startswith("OpaqueRef:")


def _finished(client: Client, task: str) -> Any:
    """Return the record of a task when it has ended."""
    token, deadline = "", time.monotonic() + 20
    while time.monotonic() < deadline:
        batch = client("event.from", [f"task/{task}"], token, 5.0)
        token = batch["token"]
        for event in batch["events"]:
            if event["snapshot"]["status"] not in ("pending", "cancelling"):
                return event["snapshot"]
    raise AssertionError(f"{task} did not end")


@pytest.fixture
def stubborn(pool: Pool, client: Client) -> str:
    """A running VM whose guest does not go down when it is asked."""
    ref, record = next(
        (ref, vm)
        for ref, vm in client("VM.get_all_records").items()
        if vm["power_state"] == "Running" and not vm["is_control_domain"]
    )
    control(pool, "POST", "/actions/guest", {"vm": record["uuid"], "tools": True, "obeys_shutdown": False})
    return str(ref)


def test_a_call_that_succeeds_leaves_its_result_as_xml(client: Client) -> None:
    template = next(ref for ref, one in client("VM.get_all_records").items() if one["is_a_template"])
    record = _finished(client, client("Async.VM.clone", template, "copy"))
    assert (record["status"], record["progress"], record["error_info"]) == ("success", 1.0, [])
    assert record["result"].startswith("<value>OpaqueRef:")
    made = record["result"].removeprefix("<value>").removesuffix("</value>")
    assert client("VM.get_name_label", made) == "copy"
    assert record["finished"].value >= record["created"].value
    assert record["name_label"] == "Async.VM.clone"
    client("VM.destroy", made)


def test_a_call_that_fails_leaves_its_error(client: Client) -> None:
    vm = next(ref for ref, one in client("VM.get_all_records").items() if one["power_state"] == "Halted")
    record = _finished(client, client("Async.VM.pause", vm))
    assert record["status"] == "failure"
    assert record["error_info"][0] in ("VM_BAD_POWER_STATE", "VM_IS_TEMPLATE")
    assert record["allowed_operations"] == []


def test_what_is_wrong_with_a_call_is_told_before_there_is_a_task(client: Client) -> None:
    before = client("task.get_all")
    assert client.refusal("Async.VM.start", _STRAY, False, False) == ["HANDLE_INVALID", "VM", _STRAY]
    assert client.refusal("Async.VM.start", _STRAY)[0] == "MESSAGE_PARAMETER_COUNT_MISMATCH"
    assert client("task.get_all") == before


def _begin_shutdown(client: Client, vm: str) -> str:
    """Ask a guest that does not obey to shut down, and return the task once its work has begun."""
    task = str(client("Async.VM.clean_shutdown", vm))
    token = ""
    end = time.monotonic() + 30
    while task not in client("VM.get_current_operations", vm):
        assert time.monotonic() < end, "the shutdown did not begin"
        token = client("event.from", [f"vm/{vm}"], token, 1.0)["token"]
    return task


def test_a_cancelled_call_ends_as_cancelled_and_changes_nothing(client: Client, stubborn: str) -> None:
    task = _begin_shutdown(client, stubborn)
    assert client("task.get_allowed_operations", task) == ["cancel"]
    client("task.cancel", task)
    record = _finished(client, task)
    assert (record["status"], record["error_info"]) == ("cancelled", ["TASK_CANCELLED", task])
    assert client("VM.get_power_state", stubborn) == "Running"
    assert client("VM.get_current_operations", stubborn) == {}


def test_cancelling_what_has_ended_changes_nothing(client: Client) -> None:
    task = client("task.create", "mine", "")
    client("task.set_status", task, "success")
    client("task.cancel", task)
    assert client("task.get_status", task) == "success"


def test_a_task_that_is_destroyed_under_way_goes_when_it_ends(client: Client, stubborn: str) -> None:
    task = _begin_shutdown(client, stubborn)
    client("task.destroy", task)
    assert client("task.get_status", task) == "pending"
    token = client("event.from", [f"task/{task}"], "", 0.0)["token"]
    client("task.cancel", task)
    operations: list[str] = []
    while "del" not in operations:
        batch = client("event.from", [f"task/{task}"], token, 20.0)
        token = batch["token"]
        operations += [event["operation"] for event in batch["events"]]
    assert client.refusal("task.get_status", task) == ["HANDLE_INVALID", "task", task]


def test_a_destroyed_task_is_gone_and_its_session_forgets_it(client: Client) -> None:
    task = client("task.create", "mine", "what it is for")
    assert client("session.get_tasks", client.session) == [task]
    client("task.set_status", task, "failure")
    client("task.destroy", task)
    assert client.refusal("task.destroy", task) == ["HANDLE_INVALID", "task", task]
    assert client("session.get_tasks", client.session) == []


def test_finished_tasks_go_after_a_while() -> None:
    with listening(domains=1, task_seconds=0.05) as pool:
        client = Client(pool)
        client.login()
        task = client("task.create", "mine", "")
        token = client("event.from", [f"task/{task}"], "", 0.0)["token"]
        client("task.set_status", task, "success")
        operations: list[str] = []
        while "del" not in operations:
            batch = client("event.from", [f"task/{task}"], token, 20.0)
            token = batch["token"]
            operations += [event["operation"] for event in batch["events"]]
        assert client("task.get_all") == []


def test_who_made_a_task_says_how_far_it_is(client: Client) -> None:
    task = client("task.create", "mine", "what it is for")
    client("task.set_progress", task, 0.5)
    client("task.set_result", task, "text")
    client("task.set_error_info", task, ["CODE", "parameter"])
    client("task.set_other_config", task, {"key": "value"})
    record = client("task.get_record", task)
    assert (record["progress"], record["result"], record["error_info"]) == (0.5, "text", ["CODE", "parameter"])
    assert (record["other_config"], record["name_description"]) == ({"key": "value"}, "what it is for")
    client("task.set_status", task, "success")
    assert client("task.get_status", task) == "success"


def test_tasks_of_others_need_a_role(client: Client, pool: Pool) -> None:
    task = client("task.create", "root's", "")
    other, operator = Client(pool), Client(pool)
    other.login("vm-operator")
    operator.login("pool-operator")
    for method, *more in (("task.cancel",), ("task.destroy",), ("task.set_progress", 0.1)):
        assert other.refusal(method, task, *more)[:2] == ["RBAC_PERMISSION_DENIED", "task.destroy/any"]
    own = other("task.create", "own", "")
    other("task.cancel", own)
    operator("task.cancel", task)
    assert client("task.get_status", task) == "cancelling"


def test_a_task_outlives_the_session_that_began_it(client: Client, pool: Pool, stubborn: str) -> None:
    task = _begin_shutdown(client, stubborn)
    other = Client(pool)
    other.login()
    client("session.logout")
    assert other("task.get_status", task) == "pending"
    other("task.cancel", task)
    assert _finished(other, task)["status"] == "cancelled"


def test_the_work_of_a_vanished_task_goes_on(client: Client, pool: Pool, stubborn: str) -> None:
    task = _begin_shutdown(client, stubborn)
    assert control(pool, "POST", "/actions/vanish-task", {"task": task}) == (200, [task])
    assert list(client("VM.get_current_operations", stubborn).values()) == ["clean_shutdown"]
    control(pool, "POST", "/actions/guest", {"vm": client("VM.get_uuid", stubborn), "stops": True})
