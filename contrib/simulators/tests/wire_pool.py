"""A pool that listens in the test's own process, asked over its sockets by clients of the standard library."""

from __future__ import annotations

import http.client
import json
import socket
import xmlrpc.client
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.pool import Pool
from hvsdk_simulators.xapi.world import Options


class Client:
    """Calls methods of one member, as root in a session of its own. Each call has a connection of its own.

    Attributes:
        path: Where it sends its calls.
        kept: The connection for all calls, while there is one.
    """

    json_rpc = False
    path = "/RPC2"
    kind = "text/xml"

    def __init__(self, pool: Pool, member: int = 0) -> None:
        self.pool = pool
        self.port = pool.world.members[member].port
        self.session = ""
        self.kept: http.client.HTTPConnection | None = None

    def login(self, name: str = "root", password: str = "simulated", originator: str = "test") -> str:
        """Log in, and use that session from now on."""
        self.session = self.plain("session.login_with_password", name, password, "1.0", originator)
        return self.session

    def __call__(self, method: str, *params: Any) -> Any:
        """Call a method in the session."""
        return self.plain(method, self.session, *params)

    def plain(self, method: str, *params: Any) -> Any:
        """Call a method with nothing but what is given; raise `Failure` when it answers with one."""
        answers: Any = xmlrpc.client.loads(self.send(xmlrpc.client.dumps(params, method).encode()).decode())
        (answer,), _ = answers
        if answer["Status"] == "Success":
            return answer["Value"]
        raise Failure(*answer["ErrorDescription"])

    def send(self, body: bytes) -> bytes:
        """Send a body as it is, and return that of the answer."""
        connection = self.kept or http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("POST", self.path, body, {"Content-Type": self.kind})
            return connection.getresponse().read()
        finally:
            if connection is not self.kept:
                connection.close()

    @contextmanager
    def keeping(self) -> Iterator[None]:
        """Make all calls over one connection, for those who make thousands."""
        self.kept = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        self.kept.connect()
        self.kept.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            yield
        finally:
            self.kept.close()
            self.kept = None

    def refusal(self, method: str, *params: Any) -> list[str]:
        """Return the error that a call in the session answers with."""
        return self.plain_refusal(method, self.session, *params)

    def plain_refusal(self, method: str, *params: Any) -> list[str]:
        """Return the error that a call answers with."""
        try:
            value = self.plain(method, *params)
        except Failure as failure:
            return failure.details
        raise AssertionError(f"{method} was answered: {value!r:.200}")


class JsonClient(Client):
    """The same over JSON-RPC."""

    json_rpc = True
    path = "/jsonrpc"
    kind = "application/json"
    version = "2.0"

    def plain(self, method: str, *params: Any) -> Any:
        answer = self.post({"jsonrpc": self.version, "method": method, "params": list(params), "id": 1})
        error = answer.get("error")
        if error is None:
            return answer["result"]
        raise Failure(*(error if isinstance(error, list) else [error["message"], *error["data"]]))

    def post(self, call: Any) -> Any:
        """Send a call as it is."""
        return json.loads(self.send(json.dumps(call).encode()))


class JsonOneClient(JsonClient):
    """The same over version 1.0 of JSON-RPC."""

    version = "1.0"


@contextmanager
def listening(**options: Any) -> Iterator[Pool]:
    """Run a small pool without TLS, in which nothing takes time."""
    pool = Pool(Options(**{"domains": 6, "hosts": 2, "tls": False, "duration_scale": 0.0} | options))
    pool.start()
    try:
        yield pool
    finally:
        pool.stop()


def control(pool: Pool, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    """Ask at the control door; return the status and the answer."""
    connection = http.client.HTTPConnection(urlsplit(pool.control.url).netloc, timeout=30)
    try:
        connection.request(method, path, None if body is None else json.dumps(body))
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def call(connection: http.client.HTTPConnection, method: str, *params: Any) -> http.client.HTTPResponse:
    """Send a call of JSON-RPC over a connection, and return the answer unread."""
    body = json.dumps({"jsonrpc": "2.0", "method": method, "params": params, "id": 1})
    connection.request("POST", "/jsonrpc", body, {"Content-Type": "application/json"})
    return connection.getresponse()


def ask(pool: Pool, path: str, **headers: str) -> tuple[int, http.client.HTTPMessage, bytes]:
    """Get something from the first member; return the status, the headers and the body."""
    connection = http.client.HTTPConnection("127.0.0.1", pool.world.members[0].port, timeout=30)
    try:
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    finally:
        connection.close()


def fault(pool: Pool, spec: str) -> None:
    """Let something go wrong."""
    assert control(pool, "POST", "/faults", {"spec": spec})[0] == 200
