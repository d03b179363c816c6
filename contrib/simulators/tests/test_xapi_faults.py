"""Faults meet calls and requests on the wire: each leaves done or undone what it says."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from hvsdk_simulators.xapi import endpoint, exchanges
from hvsdk_simulators.xapi.pool import Pool
from wire_pool import JsonClient, ask, call, control, fault, listening

TIMEOUT = 20


@pytest.fixture(scope="module")
def shared() -> Iterator[Pool]:
    with listening() as pool:
        yield pool


@pytest.fixture
def pool(shared: Pool) -> Iterator[Pool]:
    control(shared, "DELETE", "/faults")
    control(shared, "POST", "/counts/reset")
    yield shared
    control(shared, "DELETE", "/faults")


@pytest.fixture
def client(pool: Pool) -> JsonClient:
    made = JsonClient(pool)
    made.login()
    return made


@pytest.fixture
def connection(client: JsonClient) -> Iterator[http.client.HTTPConnection]:
    made = http.client.HTTPConnection("127.0.0.1", client.port, timeout=TIMEOUT)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("action", "done", "error"),
    [
        ("drop-before", False, http.client.RemoteDisconnected),
        ("drop-after", True, http.client.RemoteDisconnected),
        ("half-answer", True, http.client.IncompleteRead),
    ],
)
def test_a_connection_breaks_before_or_after_the_work(
    pool: Pool, client: JsonClient, action: str, done: bool, error: type[Exception]
) -> None:
    vm = client("VM.get_all")[0]
    client("VM.set_name_description", vm, "before")
    fault(pool, f"VM.set_name_description:{action}:1")
    with pytest.raises(error):
        client("VM.set_name_description", vm, "after")
    assert client("VM.get_name_description", vm) == ("after" if done else "before")


def test_an_error_is_made_up_and_nothing_done(pool: Pool, client: JsonClient) -> None:
    vm = client("VM.get_all")[0]
    client("VM.set_name_description", vm, "before")
    fault(pool, "VM.set_*:error=VM_BAD_POWER_STATE,x,halted,running:1")
    refused = client.refusal("VM.set_name_description", vm, "after")
    assert refused == ["VM_BAD_POWER_STATE", "x", "halted", "running"]
    assert client("VM.get_name_description", vm) == "before"


def test_an_error_of_http_is_made_up(pool: Pool, client: JsonClient, connection: http.client.HTTPConnection) -> None:
    fault(pool, "VM.get_all:http-500:1")
    response = call(connection, "VM.get_all", client.session)
    response.read()
    assert response.status == 500


def test_a_session_ends_under_a_call(pool: Pool, client: JsonClient) -> None:
    fault(pool, "VM.get_all:session-expired:1")
    assert client.refusal("VM.get_all") == ["SESSION_INVALID", client.session]


def test_a_task_vanishes_and_its_work_goes_on(pool: Pool, client: JsonClient) -> None:
    vm = client("VM.get_all")[0]
    fault(pool, "Async.VM.*:task-vanish:1")
    task = client("Async.VM.assert_operation_valid", vm, "clone")
    assert client.refusal("task.get_status", task) == ["HANDLE_INVALID", "task", task]


def test_events_are_lost(pool: Pool, client: JsonClient) -> None:
    token = client("event.from", ["pool"], "", 0.0)["token"]
    fault(pool, "event.from:events-lost:1")
    assert client.refusal("event.from", ["pool"], token, 0.0) == ["EVENTS_LOST"]


def test_a_frozen_call_ends_when_its_caller_hangs_up_and_others_are_answered(
    pool: Pool, client: JsonClient, connection: http.client.HTTPConnection
) -> None:
    fault(pool, "VM.get_all:freeze:1")
    connection.timeout = 0.3
    with pytest.raises(TimeoutError):
        call(connection, "VM.get_all", client.session)
    assert client("VM.get_all")


def test_an_answer_trickles_and_is_whole_in_the_end(pool: Pool, client: JsonClient) -> None:
    fault(pool, "pool.get_all:trickle:1")
    assert client("pool.get_all") == [pool.world.pool.ref]


def test_a_download_breaks_off_in_the_middle(pool: Pool, client: JsonClient) -> None:
    fault(pool, "/host_rrd:half-answer:1")
    with pytest.raises(http.client.IncompleteRead):
        ask(pool, f"/host_rrd?session_id={client.session}")
    fault(pool, "/host_rrd:drop-after:1")
    with pytest.raises(http.client.RemoteDisconnected):
        ask(pool, f"/host_rrd?session_id={client.session}")


def test_the_caller_hears_of_a_master_that_changes() -> None:
    with listening() as pool:
        client = JsonClient(pool)
        client.login()
        fault(pool, "VM.get_all:master-change:1")
        assert client.refusal("VM.get_all") == ["HOST_IS_SLAVE", pool.world.members[1].address]


def test_a_slow_call_is_done_later(pool: Pool, client: JsonClient, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    clock = SimpleNamespace(sleep=slept.append)
    monkeypatch.setattr(endpoint, "time", clock)
    monkeypatch.setattr(exchanges, "time", clock)
    fault(pool, "VM.get_all:slow=0.5:1")
    fault(pool, "/host_rrd:slow=0.75:1")
    for _ in range(2):
        assert client("VM.get_all")
        assert ask(pool, f"/host_rrd?session_id={client.session}")[0] == 200
    assert [seconds for seconds in slept if seconds] == [0.5, 0.75]


def test_a_request_meets_the_faults_that_calls_meet(pool: Pool, client: JsonClient) -> None:
    path = f"/host_rrd?session_id={client.session}"
    fault(pool, "/host_rrd:drop-before:1")
    with pytest.raises(http.client.RemoteDisconnected):
        ask(pool, path)
    fault(pool, "/host_rrd:http-500:1")
    assert ask(pool, path)[0] == 500
    fault(pool, "/host_rrd:error=HOST_OFFLINE,x:1")
    task = client("task.create", "download", "")
    assert ask(pool, f"{path}&task_id={task}")[0] == 500
    assert client("task.get_error_info", task) == ["HOST_OFFLINE", "x"]
