"""The control door tells what a pool has counted, and disturbs it."""

from __future__ import annotations

import http.client
import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from hvsdk_simulators.xapi.pool import Pool
from wire_pool import Client, control, listening


@pytest.fixture
def pool() -> Iterator[Pool]:
    with listening(domains=3) as pool:
        yield pool


@pytest.fixture
def client(pool: Pool) -> Client:
    client = Client(pool)
    client.login()
    return client


def test_calls_are_counted_by_their_usual_names_since_the_last_reset(pool: Pool, client: Client) -> None:
    assert control(pool, "POST", "/counts/reset") == (200, None)
    client("VM.get_all")
    client("VM_get_all")
    client.refusal("VM.invent")
    assert control(pool, "GET", "/counts") == (200, {"VM.get_all": 2, "VM.invent": 1})
    control(pool, "POST", "/counts/reset")
    assert control(pool, "GET", "/counts") == (200, {})


def test_the_control_door_is_not_counted(pool: Pool) -> None:
    control(pool, "GET", "/sessions")
    assert control(pool, "GET", "/counts")[1] == {}


def test_live_sessions_and_tasks_are_told(pool: Pool, client: Client) -> None:
    _, sessions = control(pool, "GET", "/sessions")
    assert [(one["ref"], one["originator"], one["local"]) for one in sessions] == [(client.session, "test", False)]
    task = client("task.create", "mine", "")
    assert [(one["ref"], one["status"]) for one in control(pool, "GET", "/tasks")[1]] == [(task, "pending")]
    client("session.logout")
    assert control(pool, "GET", "/sessions") == (200, [])


def test_bytes_are_told_by_handler_and_direction(pool: Pool, client: Client) -> None:
    assert control(pool, "GET", "/bytes") == control(pool, "GET", "/bytes/received") == (200, {})
    sr = client("pool.get_default_SR", client("pool.get_all")[0])
    connection = http.client.HTTPConnection("127.0.0.1", client.port, timeout=30)
    connection.request("PUT", f"/import_raw_vdi?sr_id={sr}&session_id={client.session}", b"x" * 5000)
    connection.getresponse().read()
    connection.close()
    assert control(pool, "GET", "/bytes/received") == (200, {"/import_raw_vdi": 5000})
    assert control(pool, "GET", "/bytes") == (200, {})
    control(pool, "POST", "/counts/reset")
    assert control(pool, "GET", "/bytes/received") == (200, {})


def test_faults_are_set_shown_and_cleared(pool: Pool, client: Client) -> None:
    spec = "VM.get_all:error=INTERNAL_ERROR,no:1"
    assert control(pool, "POST", "/faults", {"spec": spec}) == (200, {"spec": spec, "left": 1, "taken": 0})
    assert client.refusal("VM.get_all") == ["INTERNAL_ERROR", "no"]
    assert client("VM.get_all")
    assert control(pool, "GET", "/faults")[1] == [{"spec": spec, "left": 0, "taken": 1}]
    assert control(pool, "DELETE", "/faults") == (200, None)
    assert control(pool, "GET", "/faults") == (200, [])


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "text"),
    [
        ("POST", "/faults", {"spec": "VM.start:explode"}, 400, "no such action"),
        ("POST", "/faults", {}, 400, "spec"),
        ("POST", "/faults", ["x"], 400, "not a JSON object"),
        ("POST", "/actions/invent", {}, 404, "there are .*lose-events"),
        ("POST", "/actions/lose-events", {"more": 1}, 400, "more"),
        ("POST", "/actions/vanish-task", {"task": "OpaqueRef:no"}, 400, "HANDLE_INVALID task OpaqueRef:no"),
        ("POST", "/actions/guest", {"vm": "nobody"}, 400, "guest: UUID_INVALID VM nobody"),
        ("GET", "/nothing", None, 404, "GET /nothing"),
        ("DELETE", "/counts", None, 404, "DELETE /counts"),
    ],
)
def test_nonsense_is_refused_with_a_reason(
    pool: Pool, method: str, path: str, body: object, status: int, text: str
) -> None:
    have, answer = control(pool, method, path, body)
    assert have == status
    assert re.search(text, answer["error"])


def test_a_body_that_is_no_json_is_refused(pool: Pool) -> None:
    connection = http.client.HTTPConnection(urlsplit(pool.control.url).netloc, timeout=30)
    connection.request("POST", "/faults", b"{not json")
    response = connection.getresponse()
    assert (response.status, b"not JSON" in response.read()) == (400, True)
    connection.close()


def test_expired_sessions_are_gone_for_all_or_for_one_originator(pool: Pool, client: Client) -> None:
    other = Client(pool)
    other.login(originator="other")
    assert control(pool, "POST", "/actions/expire-sessions", {"originator": "other"}) == (200, 1)
    assert other.refusal("VM.get_all") == ["SESSION_INVALID", other.session]
    assert client("VM.get_all")
    assert control(pool, "POST", "/actions/expire-sessions") == (200, 1)
    assert client.refusal("VM.get_all") == ["SESSION_INVALID", client.session]


def test_lost_events_make_tokens_too_old(pool: Pool, client: Client) -> None:
    token = client("event.from", ["vm"], "", 0.0)["token"]
    control(pool, "POST", "/actions/lose-events")
    assert client.refusal("event.from", ["vm"], token, 0.0) == ["EVENTS_LOST"]
    token = client("event.from", ["vm"], "", 0.0)["token"]
    assert client("event.from", ["vm"], token, 0.0)["events"] == []


def test_a_vanished_task_is_a_bad_handle(pool: Pool, client: Client) -> None:
    task = client("task.create", "mine", "")
    assert control(pool, "POST", "/actions/vanish-task", {"task": task}) == (200, [task])
    assert client.refusal("task.get_record", task) == ["HANDLE_INVALID", "task", task]


def test_nothing_but_the_vms_outlives_a_restart_of_the_toolstack(pool: Pool, client: Client) -> None:
    running = {ref for ref, vm in client("VM.get_all_records").items() if vm["power_state"] == "Running"}
    token = client("event.from", ["vm"], "", 0.0)["token"]
    task = client("task.create", "mine", "")
    assert control(pool, "POST", "/actions/restart-toolstack") == (200, None)
    assert client.refusal("VM.get_all") == ["SESSION_INVALID", client.session]
    client.login()
    assert client.refusal("task.get_status", task) == ["HANDLE_INVALID", "task", task]
    assert client.refusal("event.from", ["vm"], token, 0.0) == ["EVENTS_LOST"]
    assert {ref for ref, vm in client("VM.get_all_records").items() if vm["power_state"] == "Running"} == running
