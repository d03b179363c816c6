"""The wire below the calls: connections, HTTP, handlers, and how late answers are."""

from __future__ import annotations

import base64
import http.client
import json
import os
import socket
import threading
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from hvsdk_simulators.xapi import endpoint
from hvsdk_simulators.xapi.pool import Pool
from wire_pool import Client, JsonClient, ask, call, control, listening

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


def test_a_pool_that_stops_leaves_no_thread_and_no_file() -> None:
    threads, files = set(threading.enumerate()), set(os.listdir("/proc/self/fd"))
    with listening() as pool:
        client = JsonClient(pool)
        client.login()
        waiting = threading.Thread(target=client.refusal, args=("event.from", ["PVS_site"], "", 600.0))
        waiting.start()
        viewer = socket.create_connection(("127.0.0.1", client.port), timeout=TIMEOUT)
        ref = client("VM.get_all")[0]
        client("task.create", "under way", "")
        assert client("VM.get_uuid", ref)
        reader = socket.create_connection(("127.0.0.1", next(iter(pool.world.storage.nbd_servers.values())).port))
        assert reader.recv(8) == b"NBDMAGIC"
    viewer.close()
    reader.close()
    waiting.join(TIMEOUT)
    for thread in set(threading.enumerate()) - threads:
        thread.join(TIMEOUT)
    assert set(threading.enumerate()) - threads == set()
    assert set(os.listdir("/proc/self/fd")) - files == set()


def test_each_answer_is_late_by_the_latency(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    with listening(latency=0.125) as late:
        monkeypatch.setattr(endpoint, "time", SimpleNamespace(sleep=slept.append))
        client = JsonClient(late)
        client.login()
        client("VM.get_all")
        client.refusal("VM.invent")
        ask(late, f"/host_rrd?session_id={client.session}")
    assert slept == [0.125] * 4
