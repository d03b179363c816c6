"""Another pool as this one sees it while it sends a VM there: its calls and its services, over the wire.

The members of two pools do not know each other's certificates: the connection is encrypted, and whoever answers at the
address is taken for the one that was meant.
"""

import json
import socket
import ssl
import threading
import xmlrpc.client
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit
from xml.parsers.expat import ExpatError

from hvsdk_simulators.xapi.call import Call
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.world import World

T = TypeVar("T")

_LONGEST_SILENCE = 30.0
_LONGEST = 24 * 3600.0


class Unreachable(Failure):
    """The other pool did not answer, or nothing that can be read."""

    def __init__(self) -> None:
        super().__init__("VM_MIGRATE_CONTACT_REMOTE_SERVICE_FAILED")


class Peer:
    """The pool at a destination. Each request has a connection of its own.

    Args:
        destination: What `host.migrate_receive` told there.

    Raises:
        Unreachable: It names no place.
    """

    def __init__(self, destination: Mapping[str, str]) -> None:
        names = ("host", "session_id", "master", "SM", "xenops")
        if not all(destination.get(name) for name in names):
            raise Unreachable
        self.host, self.session, self._master = (destination[name] for name in names[:3])
        self._services = {name: destination[name] for name in names[3:]}
        self._connection: HTTPConnection | None = None

    def call(self, method: str, *arguments: Any) -> Any:
        """Call a method of the other pool in its session. Numbers are sent as texts.

        Raises:
            Failure: It answered with one.
            Unreachable: It did not answer.
        """
        body = xmlrpc.client.dumps((self.session, *arguments), method).encode()
        content = self._ask("POST", f"{self._master.rstrip('/')}/RPC2", (body,), len(body), "text/xml")
        try:
            (answer,), _ = xmlrpc.client.loads(content.decode())
            told: dict[str, Any] = answer  # type: ignore[assignment]
            if told["Status"] == "Success":
                return told["Value"]
            details = [str(detail) for detail in told["ErrorDescription"]]
        except (ValueError, TypeError, KeyError, xmlrpc.client.Error, ExpatError) as error:
            raise Unreachable from error
        raise Failure(*details)

    def send(self, service: str, pieces: Iterable[bytes], length: int, **query: str) -> Any:
        """Put something to a service of the host, and return what it answers.

        Raises:
            Failure: It answered with one.
            Unreachable: It did not answer.
        """
        more = "".join(f"&{name}={quote(value, safe='')}" for name, value in query.items())
        content = self._ask("PUT", self._services[service] + more, pieces, length, "application/octet-stream")
        try:
            told = json.loads(content)
            if "error" not in told:
                return told["result"]
            details = [str(detail) for detail in told["error"]]
        except (ValueError, TypeError, KeyError) as error:
            raise Unreachable from error
        raise Failure(*details)

    def abort(self) -> None:
        """End the request that is under way; its thread hears of it."""
        connection = self._connection
        if connection is not None and connection.sock is not None:
            with suppress(OSError):
                socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)

    def _ask(self, method: str, url: str, pieces: Iterable[bytes], length: int, kind: str) -> bytes:
        parts = urlsplit(url)
        try:
            connection = self._connection = _connection(parts.scheme, parts.netloc)
            try:
                headers = {"Content-Type": kind, "Content-Length": str(length), "Connection": "close"}
                connection.request(method, f"{parts.path}?{parts.query}", pieces, headers)
                response = connection.getresponse()
                content = response.read()
            finally:
                connection.close()
        except (OSError, HTTPException, ValueError) as error:
            raise Unreachable from error
        if response.status != 200:
            raise Unreachable
        return content


def aside(call: Call, peer: Peer, work: Callable[[], T]) -> T:
    """Do work on the wire while others use this pool; a cancelled task ends it."""
    future = _begin(call.world, work)
    try:
        if not call.wait_for(future.done, _LONGEST):
            raise Unreachable
    except BaseException:
        peer.abort()
        call.world.lock.wait_for(future.done, _LONGEST_SILENCE)
        raise
    return future.result()


def to_the_end(world: World, work: Callable[[], T]) -> T:
    """Do work on the wire while others use this pool; nothing ends it before its time."""
    future = _begin(world, work)
    world.lock.wait_for(future.done)
    return future.result()


def _begin(world: World, work: Callable[[], T]) -> "Future[T]":
    future: Future[T] = Future()

    def run() -> None:
        try:
            value = work()
        except Exception as error:  # raised where it is waited for
            future.set_exception(error)
        else:
            future.set_result(value)
        with world.lock:
            world.lock.notify_all()

    threading.Thread(target=run, name="peer", daemon=True).start()
    return future


def _connection(scheme: str, place: str) -> HTTPConnection:
    if scheme == "https":
        return HTTPSConnection(place, timeout=_LONGEST_SILENCE, context=ssl._create_unverified_context())
    return HTTPConnection(place, timeout=_LONGEST_SILENCE)
