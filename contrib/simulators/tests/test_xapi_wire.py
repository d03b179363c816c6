"""The wire below the calls: connections, TLS, HTTP, faults, and the process around them."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import signal
import socket
import ssl
import subprocess
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from hvsdk_simulators import ControlError, Running, start
from hvsdk_simulators.xapi.pool import Pool
from wire_pool import Client, JsonClient, control, listening

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


def fault(pool: Pool, spec: str) -> None:
    assert control(pool, "POST", "/faults", {"spec": spec})[0] == 200


def call(connection: http.client.HTTPConnection, method: str, *params: Any) -> http.client.HTTPResponse:
    body = json.dumps({"jsonrpc": "2.0", "method": method, "params": params, "id": 1})
    connection.request("POST", "/jsonrpc", body, {"Content-Type": "application/json"})
    return connection.getresponse()


# ---- HTTP ------------------------------------------------------------------------------------------------------


def test_one_connection_carries_many_calls(connection: http.client.HTTPConnection, client: JsonClient) -> None:
    sockets = set()
    for _ in range(5):
        response = call(connection, "VM.get_all", client.session)
        assert json.loads(response.read())["result"]
        sockets.add(connection.sock)
    assert len(sockets) == 1


def test_a_long_answer_comes_in_chunks_and_the_connection_goes_on(client: JsonClient) -> None:
    with listening(domains=150) as big:
        caller = JsonClient(big)
        caller.login()
        connection = http.client.HTTPConnection("127.0.0.1", caller.port, timeout=TIMEOUT)
        try:
            response = call(connection, "VM.get_all_records", caller.session)
            assert response.headers["Transfer-Encoding"] == "chunked"
            assert len(json.loads(response.read())["result"]) == big.world.db.count("VM")
            response = call(connection, "pool.get_all", caller.session)
            assert "Content-Length" in response.headers
            response.read()
        finally:
            connection.close()


def test_http_1_0_is_answered_without_chunks_and_the_connection_ends(client: JsonClient) -> None:
    body = json.dumps({"method": "VM.get_all_records", "params": [client.session], "id": 1}).encode()
    with socket.create_connection(("127.0.0.1", client.port), timeout=TIMEOUT) as plain:
        plain.sendall(b"POST /jsonrpc HTTP/1.0\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        answer = b"".join(iter(lambda: plain.recv(1 << 16), b""))
    head, _, text = answer.partition(b"\r\n\r\n")
    assert b"chunked" not in head
    assert json.loads(text)["result"]


@pytest.mark.parametrize("path", ["/", "/RPC2", "/jsonrpc", "/json"])
def test_what_cannot_be_read_is_an_error_of_http(connection: http.client.HTTPConnection, path: str) -> None:
    connection.request("POST", path, b"<no call>")
    response = connection.getresponse()
    assert response.status == 500
    assert response.headers["Connection"] == "close"
    assert b"<html>" in response.read()


def test_calls_that_are_too_long_are_refused(connection: http.client.HTTPConnection) -> None:
    connection.request("POST", "/jsonrpc", b" " * ((300 << 10) + 1))
    response = connection.getresponse()
    response.read()
    assert response.status == 413


def test_there_is_a_page_and_nothing_beside_it(connection: http.client.HTTPConnection) -> None:
    connection.request("GET", "/")
    response = connection.getresponse()
    assert (response.status, response.read()[:6]) == (200, b"<html>")
    connection.request("GET", "/nothing")
    response = connection.getresponse()
    response.read()
    assert response.status == 404


def test_servers_that_are_too_old_answer_json_with_xml() -> None:
    with listening(api=(2, 0)) as old:
        connection = http.client.HTTPConnection("127.0.0.1", Client(old).port, timeout=TIMEOUT)
        try:
            response = call(connection, "VM.get_all", "")
            assert response.headers.get_content_type() == "text/xml"
            response.read()
        finally:
            connection.close()
        assert Client(old).login().startswith("OpaqueRef:")


# ---- handlers --------------------------------------------------------------------------------------------------


def ask(pool: Pool, path: str, **headers: str) -> tuple[int, http.client.HTTPMessage, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", Client(pool).port, timeout=TIMEOUT)
    try:
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    finally:
        connection.close()


def test_a_handler_takes_a_session_from_the_query_a_cookie_or_a_password(pool: Pool, client: JsonClient) -> None:
    path = "/rrd_updates?start=0"
    basic = base64.b64encode(b"root:simulated").decode()
    before = pool.world.db.count("session")
    assert ask(pool, f"{path}&session_id={client.session}")[0] == 200
    assert ask(pool, path, Cookie=f"a=b; session_id={client.session}")[0] == 200
    assert ask(pool, path, Authorization=f"Basic {basic}")[0] == 200
    with pool.world.lock:
        ended = pool.world.lock.wait_for(lambda: pool.world.db.count("session") == before, TIMEOUT)
    assert ended, "the session of a password ends with the request"


@pytest.mark.parametrize("header", ["", "Basic !", "Basic cm9vdA==", "Basic cm9vdDp3cm9uZw==", "Bearer x"])
def test_who_is_not_known_is_told_so(pool: Pool, header: str) -> None:
    status, headers, _ = ask(pool, "/rrd_updates?start=0", **({"Authorization": header} if header else {}))
    assert status == 401
    assert headers["WWW-Authenticate"].startswith("Basic")
    assert ask(pool, "/rrd_updates?start=0&session_id=OpaqueRef:x")[0] == 401


def test_handlers_ask_for_a_role_too(pool: Pool) -> None:
    reader = JsonClient(pool)
    reader.login("read-only")
    vm = reader("VM.get_all")[0]
    assert ask(pool, f"/export?ref={vm}&session_id={reader.session}")[0] == 403
    assert ask(pool, f"/rrd_updates?start=0&session_id={reader.session}")[0] == 200


def status_in_the_end(pool: Pool, task: str) -> str:
    """The task ends a moment after the answer."""
    found = pool.world.db.get("task", task)
    with pool.world.lock:
        pool.world.lock.wait_for(lambda: found["status"] != "pending", TIMEOUT)
    return str(found["status"])


def test_the_answer_names_the_task_which_tells_how_it_ended(pool: Pool, client: JsonClient) -> None:
    path = f"/host_rrd?session_id={client.session}"
    made = ask(pool, path)[1]["task-id"]
    assert status_in_the_end(pool, made) == "success"
    own = client("task.create", "download", "of statistics")
    status, headers, _ = ask(pool, f"{path}&task_id={own}")
    assert (status, headers["task-id"]) == (200, own)
    assert status_in_the_end(pool, own) == "success"
    assert ask(pool, f"{path}&task_id=OpaqueRef:x")[0] == 500


def test_requests_and_their_bytes_are_counted(pool: Pool, client: JsonClient) -> None:
    body = ask(pool, f"/host_rrd?session_id={client.session}")[2]
    client("pool.get_all")
    client("pool_get_all")
    counts = control(pool, "GET", "/counts")[1]
    assert counts["/host_rrd"] == 1
    assert counts["pool.get_all"] == 2
    assert control(pool, "GET", "/bytes")[1] == {"/host_rrd": len(body)}


def test_a_connection_becomes_the_one_of_a_console(pool: Pool, client: JsonClient) -> None:
    here = pool.world.members[0].host.ref
    consoles = client("console.get_all_records").values()
    uuid = next(
        one["uuid"] for one in consoles if one["protocol"] == "rfb" and client("VM.get_resident_on", one["VM"]) == here
    )
    with socket.create_connection(("127.0.0.1", client.port), timeout=TIMEOUT) as plain:
        asked = f"CONNECT /console?uuid={uuid}&session_id={client.session} HTTP/1.1\r\nHost: a\r\n\r\n"
        plain.sendall(asked.encode())
        received = b""
        while b"RFB 003" not in received:
            data = plain.recv(4096)
            assert data, received
            received += data
    head, _, rest = received.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert rest.startswith(b"RFB 003")


# ---- faults ----------------------------------------------------------------------------------------------------


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


# ---- TLS and the process ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with start("xapi", domains=3, hosts=2, api="2.15", fault=["VM.get_all:error=A,b:1"]) as running:
        yield running


def shown_certificate(port: int, context: ssl.SSLContext) -> bytes:
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT) as plain, context.wrap_socket(plain) as secure:
        return secure.getpeercert(binary_form=True) or b""


def test_each_member_has_a_certificate_of_its_own(running: Running) -> None:
    told = [member["fingerprint"] for member in running.members]
    shown = [shown_certificate(member["port"], ssl.create_default_context()) for member in running.members]
    assert told == [f"sha256:{hashlib.sha256(one).hexdigest()}" for one in shown]
    assert len(set(told)) == 2
    assert running.fingerprint == told[0]


def test_the_start_line_leads_to_every_member(running: Running) -> None:
    for member in running.members:
        assert f"{member['address']}=127.0.0.1:{member['port']}" in running.url
    assert running.password not in running.url
    assert running.password not in repr(running)


def test_faults_of_the_command_line_are_there_from_the_beginning(running: Running) -> None:
    assert [one["spec"] for one in running.faults()] == ["VM.get_all:error=A,b:1"]


def test_the_control_door_says_why_it_refuses(running: Running) -> None:
    with pytest.raises(ControlError, match="not a fault"):
        running.fault("nonsense")
    with pytest.raises(ControlError, match="no action nonsense"):
        running.act("nonsense")


def test_old_servers_speak_tls_1_0_alone() -> None:
    with start("xapi", domains=0, tls_legacy=True) as old:
        port = old.members[0]["port"]
        with pytest.raises(ssl.SSLError):
            shown_certificate(port, ssl.create_default_context())
        context = ssl.create_default_context()
        context.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = ssl.TLSVersion.TLSv1
        assert shown_certificate(port, context)


def test_it_ends_with_its_input_or_when_it_is_told_to() -> None:
    command = [sys.executable, "-m", "hvsdk_simulators", "xapi", "--domains", "0", "--no-tls"]
    for end in (lambda process: process.stdin.close(), lambda process: process.send_signal(signal.SIGTERM)):
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert json.loads(process.stdout.readline())["fingerprint"] == ""
            end(process)
            assert process.wait(TIMEOUT) == 0


def test_what_cannot_be_started_is_said(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RuntimeError, match="did not start"):
        start("xapi", fault="VM.start:explode")
    assert "no such action: 'explode'" in capfd.readouterr().err
    with pytest.raises(RuntimeError, match="did not start"):
        start("xapi", api="two")
    assert "not an API version" in capfd.readouterr().err
