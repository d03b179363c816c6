"""Answers as they come over the wire: packed, cut short, too long, or none at all."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from hvsdk.connections import Endpoint, Pool, UnreachableError
from hvsdk.driver import Deadline, errors
from hvsdk_simulators import Running
from pyVmomi import vim, vmodl
from vmware_support import connect, opened, soon

from hvsdk_vmware import _answer
from hvsdk_vmware._answer import Answer, AnswerError, exchange
from hvsdk_vmware._login import greet
from hvsdk_vmware._stub import Stub

BODY = b"<envelope>" + b"x" * 5000 + b"</envelope>"


@pytest.fixture
def serve() -> Iterator[Callable[..., Pool]]:
    """Starts a server that answers everything alike: `serve(body, status=200, headers={})` returns a way there."""
    servers: list[ThreadingHTTPServer] = []

    def start(body: bytes, *, status: int = 200, headers: dict[str, str] | None = None, cut: int = 0) -> Pool:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body[: len(body) - cut])
                self.close_connection = cut > 0

            def log_message(self, format: str, *arguments: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return Pool(Endpoint("127.0.0.1", server.server_address[1]))

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def ask(pool: Pool) -> Answer:
    try:
        with pool.lend(soon()) as connection:
            connection.begin()
            return exchange(connection, "/sdk", b"<ask/>", {})
    finally:
        pool.close()


def test_a_plain_answer_is_read(serve: Callable[..., Pool]) -> None:
    assert ask(serve(BODY)).body == BODY


def test_a_packed_answer_is_unpacked(serve: Callable[..., Pool]) -> None:
    assert ask(serve(gzip.compress(BODY), headers={"Content-Encoding": "gzip"})).body == BODY


@pytest.mark.parametrize("headers", [{}, {"Content-Encoding": "gzip"}])
def test_an_answer_that_is_cut_short_is_none(serve: Callable[..., Pool], headers: dict[str, str]) -> None:
    body = gzip.compress(BODY) if headers else BODY
    with pytest.raises(http.client.IncompleteRead):
        ask(serve(body, headers=headers, cut=5))


def test_what_is_packed_otherwise_or_not_at_all_is_no_answer(serve: Callable[..., Pool]) -> None:
    for encoding in ("br", "gzip"):
        with pytest.raises(AnswerError, match="pack"):
            ask(serve(BODY, headers={"Content-Encoding": encoding}))


@pytest.mark.parametrize("packed", [False, True])
def test_an_answer_without_an_end_is_given_up(
    serve: Callable[..., Pool], monkeypatch: pytest.MonkeyPatch, packed: bool
) -> None:
    monkeypatch.setattr(_answer, "ANSWER_LIMIT", 1000)
    body = gzip.compress(BODY) if packed else BODY
    with pytest.raises(AnswerError, match="more than 1000 bytes"):
        ask(serve(body, headers={"Content-Encoding": "gzip"} if packed else {}))


@pytest.mark.parametrize("status", [404, 500, 503, 302])
def test_errors_of_http_are_no_answers(serve: Callable[..., Pool], status: int) -> None:
    with pytest.raises(AnswerError, match=str(status)):
        ask(serve(b"<html>sorry</html>", status=status))


@pytest.mark.parametrize("body", [b"", b"<html>", b"not xml", b"<a/>", b"<Envelope><Fault/></Envelope>"])
def test_what_is_no_soap_is_no_answer(serve: Callable[..., Pool], body: bytes) -> None:
    pool = serve(body)
    with pytest.raises(AnswerError):
        greet(Stub(pool, 20.0))
    pool.close()


BOMB = "<!DOCTYPE a [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;&a;'>]><a>&b;</a>"


@pytest.mark.parametrize(
    "body",
    [
        BOMB.encode(),
        b"<?xml version='1.0'?><!-- -->\n" + BOMB.encode(),
        BOMB.encode("utf-16"),
        BOMB.encode("utf-16-le"),
        b"<?xml version='1.0' encoding='cp037'?>" + BOMB.encode("cp037"),
    ],
)
def test_entities_are_not_followed(serve: Callable[..., Pool], body: bytes) -> None:
    with pytest.raises(AnswerError, match="no SOAP"):
        ask(serve(body))


def test_a_byte_order_mark_and_the_name_of_the_encoding_do_no_harm(serve: Callable[..., Pool]) -> None:
    body = b'<?xml version="1.0" encoding="UTF-8"?>' + BODY
    assert ask(serve(body)).body == body
    assert ask(serve(b"\xef\xbb\xbf" + BODY)).body == b"\xef\xbb\xbf" + BODY


def test_a_fault_that_says_nothing_is_a_failure(serve: Callable[..., Pool]) -> None:
    envelope = b'<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Fault/></e:Envelope>'
    pool = serve(envelope, status=500)
    with pytest.raises(vmodl.RuntimeFault):
        greet(Stub(pool, 20.0))
    pool.close()


@pytest.mark.parametrize("host", ["a" * 300, "..", "xn--\udc80"])
def test_names_that_are_none_are_unreachable(host: str) -> None:
    pool = Pool(Endpoint(host, 1))
    with pytest.raises(UnreachableError), pool.lend(soon()) as connection:
        connection.begin()


def test_an_address_that_says_nothing_leaves_time_for_the_next(
    serve: Callable[..., Pool], monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = serve(BODY)
    with contextlib.ExitStack() as stack:
        silent = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):  # the kernel takes no more than one, and lets others wait
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(silent.getsockname())
        addresses = [silent.getsockname(), ("127.0.0.1", pool.endpoint.port)]
        places = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", address) for address in addresses]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *where, **how: places)
        deadline = Deadline(3)
        with pool.lend(deadline) as connection:
            connection.begin()
            assert not deadline.expired
            assert exchange(connection, "/sdk", b"<ask/>", {}).body == BODY
        pool.close()


def test_no_time_is_a_time_out() -> None:
    pool = Pool(Endpoint("127.0.0.1", 1))
    with pytest.raises(TimeoutError), pool.lend(Deadline(0)) as connection:
        connection.begin()


def test_texts_that_xml_cannot_hold_are_refused_before_anything_is_sent(center: Running) -> None:
    with opened(center) as driver:
        center.reset_counts()
        spec = vim.vm.ConfigSpec(extraConfig=[vim.option.OptionValue(key="a", value="b\x01")])
        with pytest.raises(errors.InvalidSpecError):
            driver.call(driver.vm("vm-1").ReconfigVM_Task, spec, deadline=soon())
        assert "ReconfigVM_Task" not in center.counts()


def test_an_answer_that_breaks_off_is_read_again(center: Running) -> None:
    with connect(center) as host:
        center.fault("RetrievePropertiesEx:half-answer:1")
        assert host.domains()


def test_the_operation_is_named_in_the_header() -> None:
    from hvsdk.driver import Operation, current_operation

    stub = Stub(Pool(Endpoint("127.0.0.1", 1)), 1.0)
    token = current_operation.set(Operation(id="0815", verb="start", actor="eve <x>", marks={"ticket": "OPS-1"}))
    try:
        info = vim.ServiceInstance.RetrieveContent.info  # type: ignore[attr-defined]
        body = stub.write(vim.ServiceInstance("ServiceInstance", stub), info, ())
    finally:
        current_operation.reset(token)
    assert b"hvsdk-0815-start-eve_x_-OPS-1</operationID>" in body
