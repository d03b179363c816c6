"""HTTP exchanges whose bodies stream: disks, exports, figures, pictures, consoles."""

from __future__ import annotations

from collections.abc import Mapping
from http.client import HTTPMessage
from types import TracebackType
from typing import Self
from urllib.parse import parse_qsl, urlencode, urlsplit

from hvsdk.connections import Connection, Endpoint
from hvsdk.driver import Deadline, errors

from hvsdk_xen._login import AGENT
from hvsdk_xen._members import Members

__all__ = ["HttpExchange", "open_exchange"]

_REDIRECTS = frozenset((301, 302, 303, 307, 308))
_HOPS = 3


class HttpExchange:
    """One exchange on a connection of its own. Every piece that is read or sent has the time of a round trip.

    Attributes:
        status: HTTP status; 0 while a body is being sent.
        headers: Of the answer.
        endpoint: Who answers, after redirections.
    """

    def __init__(self, connection: Connection, seconds: float) -> None:
        self._connection = connection
        self._seconds = seconds
        self.status = 0
        self.headers = HTTPMessage()
        self.endpoint = connection.endpoint

    def send(self, data: bytes | bytearray | memoryview) -> None:
        """Send a piece of the body."""
        self._connection.until(Deadline(self._seconds))
        self._connection.send(data)

    def answer(self, deadline: Deadline | None = None) -> int:
        """Wait for the head of the answer and return its status."""
        self._connection.until(deadline or Deadline(self._seconds))
        self._response = self._connection.getresponse()
        self.status = self._response.status
        self.headers = self._response.headers
        return self.status

    def read(self, amount: int) -> bytes:
        """Return up to so many bytes of the answer's body, none at its end."""
        self._connection.until(Deadline(self._seconds))
        return self._response.read(amount)

    def readinto(self, buffer: bytearray | memoryview) -> int:
        """Fill a buffer from the answer's body, and return how many bytes came; 0 at its end."""
        self._connection.until(Deadline(self._seconds))
        return self._response.readinto(buffer)

    def read_all(self, limit: int) -> bytes:
        """Return the whole body.

        Raises:
            OperationFailedError: It has more bytes than the limit.
        """
        pieces, total = [], 0
        while piece := self.read(1 << 16):
            total += len(piece)
            if total > limit:
                raise errors.OperationFailedError(f"the answer has more than {limit} bytes")
            pieces.append(piece)
        return b"".join(pieces)

    def close(self) -> None:
        """End it, whether all was read or not; twice, and from another thread, is harmless."""
        self._connection.cut()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def open_exchange(
    members: Members,
    endpoint: Endpoint,
    method: str,
    path: str,
    query: Mapping[str, str],
    headers: Mapping[str, str],
    *,
    length: int | None,
    deadline: Deadline,
    seconds: float,
) -> HttpExchange:
    """Send the head of a request. Without a body the answer's head is waited for, and a redirection followed.

    The session goes to members of the pool alone: a redirection leads to where `address_map` and the pins say.

    Raises:
        ConnectError: The redirection leads to somebody who is no member.
        OperationFailedError: It leads nowhere, or round and round.
    """
    for _ in range(_HOPS):
        target = f"{path}?{urlencode(query)}" if query else path
        exchange = _begin(members, endpoint, method, target, headers, length, deadline, seconds)
        if length is not None:
            return exchange
        try:
            if exchange.answer(deadline) not in _REDIRECTS:
                return exchange
            place = exchange.headers.get("location", "")
        except BaseException:
            exchange.close()
            raise
        exchange.close()
        host, port, path, query = _read_location(place, path, query)
        endpoint = members.redirected(host, port)
    raise errors.OperationFailedError(f"{path} was redirected again and again")


def _read_location(place: str, path: str, query: Mapping[str, str]) -> tuple[str, int | None, str, Mapping[str, str]]:
    """Return host, port, path and query of a redirection; it may leave out the last two."""
    try:
        there = urlsplit(place)
        host, port = there.hostname, there.port
    except ValueError:
        host = port = None
    if not host or not place.isascii():
        raise errors.OperationFailedError(f"{path} was redirected to nowhere")
    return host, port, there.path or path, dict(parse_qsl(there.query)) or query


def _begin(
    members: Members,
    endpoint: Endpoint,
    method: str,
    target: str,
    headers: Mapping[str, str],
    length: int | None,
    deadline: Deadline,
    seconds: float,
) -> HttpExchange:
    connection = Connection(members.secured(endpoint))
    connection.until(deadline)
    try:
        connection.putrequest(method, target, skip_accept_encoding=True)
        for name, value in {"User-Agent": AGENT, **headers}.items():
            connection.putheader(name, value)
        if length is not None:
            connection.putheader("Content-Length", str(length))
        connection.endheaders()
    except BaseException:
        connection.close()
        raise
    return HttpExchange(connection, seconds)
