"""Connections whose every byte is bounded by a deadline, and a pool of those that are kept open."""

from __future__ import annotations

import http.client
import io
import select
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import attrs
from hvsdk.driver import Deadline

__all__ = ["Connection", "Endpoint", "Pool", "UnreachableError", "dial"]

_SLICE = 256 * 1024
_IDLE = 8
"""Connections that are kept open to one member of the pool."""


class UnreachableError(ConnectionError):
    """A member of the pool cannot be reached; nothing was sent to it."""


@attrs.frozen
class Endpoint:
    """Where a member of the pool is reached from here."""

    host: str
    """IPv6 without brackets."""
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def dial(endpoint: Endpoint, context: ssl.SSLContext | None, deadline: Deadline) -> socket.socket:
    """Connect, and with a context begin TLS, in the time that is left.

    Raises:
        CertificateError: The server's certificate is not accepted; nothing was sent to it.
        OSError: There is no way there; an address that is none, such as a pool may tell, counts as unknown.
    """
    try:
        return _dial(endpoint, context, deadline)
    except (ValueError, OverflowError) as exc:  # what `socket` and `ssl` say of names and ports that are none
        raise socket.gaierror(socket.EAI_NONAME, f"{str(endpoint)!r} is no address") from exc


def _dial(endpoint: Endpoint, context: ssl.SSLContext | None, deadline: Deadline) -> socket.socket:
    plain = socket.create_connection((endpoint.host, endpoint.port), timeout=_seconds(deadline))
    try:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if context is None:
            return plain
        plain.settimeout(_seconds(deadline))
        return context.wrap_socket(plain, server_hostname=endpoint.host)
    except BaseException:
        plain.close()
        raise


def _seconds(deadline: Deadline) -> float | None:
    seconds = deadline.remaining()
    if seconds <= 0:
        raise TimeoutError("the time was up")
    return None if seconds == float("inf") else seconds


@contextmanager
def _broken_tls() -> Iterator[None]:
    """Tell a TLS connection that breaks off as what it is: OpenSSL has errors of its own for it."""
    try:
        yield
    except ssl.SSLError as exc:
        raise ConnectionResetError(exc.errno, exc.strerror or str(exc)) from exc


class _TimedSocket:
    """What `http.client` needs of a socket. Each operation gets the time that is left, so that all together do too."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.deadline = Deadline(None)
        self._readers = 0
        self._closing = False

    def sendall(self, data: Any) -> None:
        rest = memoryview(data).cast("B")
        while rest:
            self.sock.settimeout(_seconds(self.deadline))
            with _broken_tls():
                self.sock.sendall(rest[:_SLICE])
            rest = rest[_SLICE:]

    def makefile(self, mode: str) -> io.BufferedReader:
        self._readers += 1
        return io.BufferedReader(_TimedReader(self), 64 * 1024)

    def close(self) -> None:
        """Close it once the last answer that is read from it is closed: `http.client` closes before it has read."""
        self._closing = True
        if self._readers <= 0:
            self.sock.close()

    def reader_closed(self) -> None:
        self._readers -= 1
        if self._closing:
            self.close()


class _TimedReader(io.RawIOBase):
    def __init__(self, timed: _TimedSocket) -> None:
        self._timed = timed

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._timed.sock.settimeout(_seconds(self._timed.deadline))
        with _broken_tls():
            return self._timed.sock.recv_into(buffer)

    def close(self) -> None:
        if not self.closed:
            self._timed.reader_closed()
        super().close()


class Connection(http.client.HTTPConnection):
    """One connection to a member of the pool."""

    def __init__(self, endpoint: Endpoint, context: ssl.SSLContext | None) -> None:
        super().__init__(endpoint.host, endpoint.port)
        self.endpoint = endpoint
        self._context = context
        self._timed: _TimedSocket | None = None
        self._until = Deadline(None)
        self._handing_out = False

    def until(self, deadline: Deadline) -> None:
        """Let all that follows end by a deadline."""
        self._until = deadline
        if self._timed is not None:
            self._timed.deadline = deadline

    def connect(self) -> None:
        self._timed = _TimedSocket(dial(self.endpoint, self._context, self._until))
        self._timed.deadline = self._until
        self.sock = self._timed

    def begin(self) -> None:
        """Connect, if that has not been done, so that what fails from here on may have reached the server.

        Raises:
            UnreachableError: That is not possible.
        """
        if self.sock is None:
            try:
                self.connect()
            except TimeoutError:
                raise
            except OSError as exc:
                raise UnreachableError(exc.errno, exc.strerror or str(exc)) from exc

    def ready(self) -> bool:
        """Whether it can be used again: the server has neither closed it nor said anything unasked."""
        return self._timed is not None and self.sock is not None and not _readable(self._timed.sock)

    def getresponse(self) -> http.client.HTTPResponse:
        """Wait for the head of the answer."""
        self._handing_out = True
        try:
            return super().getresponse()
        finally:
            self._handing_out = False

    def close(self) -> None:
        """Close it. `http.client` does so itself when an answer ends with the connection: then that is read first."""
        super().close()
        if self._timed is not None and not self._handing_out:
            self._timed.sock.close()


def _readable(sock: socket.socket) -> bool:
    if sock.fileno() < 0 or (isinstance(sock, ssl.SSLSocket) and sock.pending()):
        return True
    poll = select.poll()
    poll.register(sock, select.POLLIN | select.POLLHUP | select.POLLERR)
    return bool(poll.poll(0))


class Pool:
    """Connections that are lent to one call at a time, and kept open in between."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: dict[Endpoint, list[Connection]] = {}
        self._open: set[Connection] = set()
        self._closed = False

    @contextmanager
    def lend(
        self, endpoint: Endpoint, context: ssl.SSLContext | None, deadline: Deadline, *, fresh: bool = False
    ) -> Iterator[Connection]:
        """Lend a connection for one exchange; it is kept when that ended well and the server lets it."""
        connection = (None if fresh else self._take(endpoint)) or self._new(endpoint, context)
        connection.until(deadline)
        kept = False
        try:
            yield connection
            kept = True
        finally:
            self._give_back(connection, keep=kept)

    def _take(self, endpoint: Endpoint) -> Connection | None:
        while True:
            with self._lock:
                idle = self._idle.get(endpoint)
                connection = idle.pop() if idle else None
            if connection is None or connection.ready():
                return connection
            self._drop(connection)

    def _new(self, endpoint: Endpoint, context: ssl.SSLContext | None) -> Connection:
        connection = Connection(endpoint, context)
        with self._lock:
            self._open.add(connection)
        return connection

    def _give_back(self, connection: Connection, *, keep: bool) -> None:
        with self._lock:
            idle = self._idle.setdefault(connection.endpoint, [])
            if keep and not self._closed and connection.sock is not None and len(idle) < _IDLE:
                idle.append(connection)
                return
        self._drop(connection)

    def _drop(self, connection: Connection) -> None:
        with self._lock:
            self._open.discard(connection)
        connection.close()

    def close_idle(self) -> None:
        """Close what nobody uses now."""
        with self._lock:
            idle = [connection for group in self._idle.values() for connection in group]
            self._idle.clear()
        for connection in idle:
            self._drop(connection)

    def close(self) -> None:
        """Close what is idle, and keep nothing any more."""
        self._closed = True
        self.close_idle()

    def abandon(self) -> None:
        """Drop all sockets in a forked child; nothing is said on them, and no lock of the parent's is waited for."""
        self._lock = threading.Lock()
        self._closed = True
        connections, self._open, self._idle = self._open, set(), {}
        for connection in connections:
            connection.close()
