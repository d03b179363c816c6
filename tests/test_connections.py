"""Connections of drivers that speak HTTP: in time, checked, used again only where they can be, and closed."""

from __future__ import annotations

import http.client
import os
import socket
import ssl
import threading
import time
import xmlrpc.client
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import attrs
import pytest
from tls_server import Certificate, server_context

from hvsdk import connections, errors
from hvsdk.connections import Connection, Endpoint, Pool, UnreachableError, dial
from hvsdk.driver import Deadline, TLSOptions, tls_context


class Server(ThreadingHTTPServer):
    """Answers with the path; `/end` ends the connection, `/slow` trickles, `/hush` says nothing."""

    def __init__(self, certificate: Certificate | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.accepted: list[socket.socket] = []
        self.asked: list[str] = []
        self.context = None if certificate is None else server_context(certificate, old=False)
        self.stopping = threading.Event()
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def get_request(self) -> tuple[socket.socket, object]:
        sock, address = super().get_request()
        self.accepted.append(sock)
        return sock, address

    def finish_request(self, request, client_address) -> None:
        with suppress(OSError):
            secured = request if self.context is None else self.context.wrap_socket(request, server_side=True)
            with secured:
                super().finish_request(secured, client_address)

    def endpoint(self, **more: object) -> Endpoint:
        return Endpoint("127.0.0.1", self.server_address[1], **more)

    def stop(self) -> None:
        self.stopping.set()
        self.shutdown()
        for sock in self.accepted:
            sock.close()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        if self.path == "/hush":
            self.server.stopping.wait(20)
            return
        body = self.path.encode() * 10
        self.send_response(200)
        if self.path == "/end":
            self.send_header("Connection", "close")
            self.close_connection = True
        else:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.path == "/slow":
            for byte in body:
                self.wfile.write(bytes([byte]))
                if self.server.stopping.wait(0.1):
                    return
        else:
            self.wfile.write(body)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        body = xmlrpc.client.dumps(("yes",), methodresponse=True).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return Certificate(tmp_path_factory.mktemp("tls"), "server")


@pytest.fixture
def secured(certificate: Certificate) -> Iterator[Server]:
    server = Server(certificate)
    yield server
    server.stop()


def soon() -> Deadline:
    return Deadline(20.0)


def get(pool: Pool, path: str = "/x", *, fresh: bool = False, deadline: Deadline | None = None) -> bytes:
    with pool.lend(deadline or soon(), fresh=fresh) as connection:
        connection.begin()
        connection.request("GET", path)
        return connection.getresponse().read()


# ---- connecting ------------------------------------------------------------------------------------------


def test_endpoints_are_equal_by_name_and_port_and_shown_as_in_urls() -> None:
    assert Endpoint("web", 1, ssl.create_default_context()) == Endpoint("web", 1)
    assert (str(Endpoint("web", 1)), str(Endpoint("::1", 2))) == ("web:1", "[::1]:2")


@pytest.mark.parametrize("host", ["a" * 300, "..", "xn--\udc80", "", ".web"])
@pytest.mark.parametrize("tls", [False, True])
def test_names_that_are_none_are_unreachable(host: str, tls: bool) -> None:
    pool = Pool(Endpoint(host, 1, tls_context(TLSOptions()) if tls else None))
    with pytest.raises(UnreachableError), pool.lend(soon()) as connection:
        connection.begin()


def test_a_port_that_is_none_is_unreachable() -> None:
    pool = Pool(Endpoint("127.0.0.1", 2**20))
    with pytest.raises(UnreachableError), pool.lend(soon()) as connection:
        connection.begin()


def test_an_address_that_says_nothing_leaves_time_for_the_next(server: Server, monkeypatch) -> None:
    with ExitStack() as stack:
        silent = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):  # the kernel takes no more than one, and lets others wait
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(silent.getsockname())
        places = [
            (socket.AF_INET, socket.SOCK_STREAM, 0, "", address)
            for address in (silent.getsockname(), server.server_address)
        ]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *where, **how: places)
        deadline = Deadline(3)
        dial(server.endpoint(), deadline).close()
        assert not deadline.expired


def test_no_time_is_a_time_out() -> None:
    pool = Pool(Endpoint("127.0.0.1", 1))
    with pytest.raises(TimeoutError), pool.lend(Deadline(0)) as connection:
        connection.begin()


def test_a_certificate_is_checked_before_anything_is_sent(secured: Server, certificate: Certificate) -> None:
    seen: list[bytes] = []
    context = tls_context(TLSOptions(pins=(certificate.pin,)))
    pool = Pool(secured.endpoint(context=context, check=seen.append))
    assert get(pool) == b"/x" * 10
    assert seen == [pool.certificate(soon())]
    pool.close()

    def refuse(told: bytes) -> None:
        raise errors.CertificateError("not this one")

    with pytest.raises(errors.CertificateError, match="not this one"):
        dial(attrs.evolve(secured.endpoint(context=context), check=refuse), soon())
    with pytest.raises(errors.CertificateError, match="sha256:"):
        dial(secured.endpoint(context=tls_context(TLSOptions())), soon())
    assert secured.asked == ["/x"]


# ---- in time ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/slow", "/hush"])
def test_all_that_an_answer_takes_is_within_the_deadline(server: Server, path: str) -> None:
    pool = Pool(server.endpoint())
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        get(pool, path, deadline=Deadline(0.5))
    assert time.monotonic() - began < 5
    pool.close()


def test_a_connection_that_is_cut_wakes_who_waits_on_it(server: Server) -> None:
    connection = Connection(server.endpoint())
    connection.until(soon())
    connection.request("GET", "/hush")
    ended: list[BaseException] = []

    def wait() -> None:
        try:
            connection.getresponse().read()
        except (OSError, http.client.HTTPException, ValueError, AttributeError) as exc:
            ended.append(exc)

    thread = threading.Thread(target=wait)
    thread.start()
    while "/hush" not in server.asked:
        time.sleep(0.01)
    connection.cut()
    thread.join(10)
    assert ended


# ---- used again ------------------------------------------------------------------------------------------


def test_a_connection_is_used_again(server: Server) -> None:
    pool = Pool(server.endpoint())
    for _ in range(3):
        get(pool)
    assert len(server.accepted) == 1
    get(pool, fresh=True)
    assert len(server.accepted) == 2
    pool.close()


def test_one_that_its_server_has_closed_or_nobody_used_for_long_is_not(server: Server, monkeypatch) -> None:
    pool = Pool(server.endpoint())
    get(pool)
    server.accepted[0].shutdown(socket.SHUT_RDWR)
    get(pool)
    assert len(server.accepted) == 2
    monkeypatch.setattr(connections, "IDLE_SECONDS", 0.0)
    get(pool)
    assert len(server.accepted) == 3
    pool.close()


def test_one_whose_answer_was_not_read_to_its_end_is_not(server: Server) -> None:
    pool = Pool(server.endpoint())
    with suppress(KeyError), pool.lend(soon()) as connection:
        connection.request("GET", "/slow")
        connection.getresponse().read(1)
        raise KeyError
    get(pool)
    assert len(server.accepted) == 2
    pool.close()


def test_an_answer_that_ends_the_connection_is_read_to_its_end(server: Server) -> None:
    pool = Pool(server.endpoint())
    assert get(pool, "/end") == b"/end" * 10
    assert get(pool) == b"/x" * 10
    pool.close()


def test_no_more_than_eight_are_kept(server: Server) -> None:
    pool = Pool(server.endpoint())
    with ExitStack() as stack:
        lent = [stack.enter_context(pool.lend(soon())) for _ in range(10)]
        for connection in lent:
            connection.request("GET", "/x")
            connection.getresponse().read()
    kept = sum(connection.sock is not None for connection in lent)
    assert kept == 8
    pool.close()
    assert all(connection.sock is None for connection in lent)


def test_what_is_lent_while_the_pool_is_closed_is_not_kept(server: Server) -> None:
    pool = Pool(server.endpoint())
    with pool.lend(soon()) as connection:
        connection.request("GET", "/x")
        connection.getresponse().read()
        pool.close()
    assert connection.sock is None


def test_a_client_library_can_have_one(server: Server) -> None:
    """`xmlrpc.client` closes connections itself, and uses them after that."""

    class Transport(xmlrpc.client.Transport):
        def make_connection(self, host: object) -> Connection:
            if self._connection[1] is None:
                self._connection = host, Connection(server.endpoint())
            self._connection[1].until(soon())
            return self._connection[1]

    with xmlrpc.client.ServerProxy("http://web/", transport=Transport()) as proxy:
        assert proxy.system.ready() == "yes"
        proxy("close")()
        assert proxy.system.ready() == "yes"
    assert len(server.accepted) == 2


def test_a_forked_child_lets_go_of_all_and_waits_for_nobody(server: Server, tmp_path: Path) -> None:
    """The parent's thread is in the middle of an answer, with the lock of what reads it."""
    pool = Pool(server.endpoint())
    get(pool)
    begun = threading.Event()

    def read() -> None:
        with pool.lend(soon()) as connection:
            connection.request("GET", "/slow")
            response = connection.getresponse()
            begun.set()
            response.read()

    thread = threading.Thread(target=read)
    thread.start()
    begun.wait(10)
    done = tmp_path / "done"
    child = os.fork()
    if child == 0:
        pool.abandon()
        done.write_text("yes")
        os._exit(0)
    _, status = os.waitpid(child, 0)
    thread.join(20)
    assert (status, done.read_text()) == (0, "yes")
    assert len(server.accepted) == 1
    pool.close()
