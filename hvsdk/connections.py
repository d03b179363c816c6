"""HTTP connections whose every byte is bounded by a deadline, and a pool of those that are kept open.

For drivers that speak HTTP themselves, or whose client library takes a connection of theirs.
"""

from __future__ import annotations

import http.client
import io
import select
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from hvsdk._deadline import Deadline
from hvsdk._driver.dialling import Endpoint, UnreachableError, dial, seconds_left

__all__ = ["IDLE_SECONDS", "Connection", "Endpoint", "Pool", "UnreachableError", "dial"]

_SLICE = 256 * 1024
_IDLE = 8
"""Connections that are kept open."""
IDLE_SECONDS = 90.0
"""A connection that nobody used for so long is not used again: firewalls forget them without a word."""


@contextmanager
def _as_reset() -> Iterator[None]:
    """Tell a TLS connection that breaks off as what it is: OpenSSL has errors of its own for it."""
    try:
        yield
    except ssl.SSLError as exc:
        raise ConnectionResetError(exc.errno, exc.strerror or str(exc)) from exc


class _DeadlineSocket(io.RawIOBase):
    """What `http.client` needs of a socket, where each operation gets the time that is left for all of them together."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self.sock = sock
        self.deadline = deadline

    def sendall(self, data: Any) -> None:
        rest = memoryview(data).cast("B")
        while rest:
            self.sock.settimeout(seconds_left(self.deadline))
            with _as_reset():
                self.sock.sendall(rest[:_SLICE])
            rest = rest[_SLICE:]

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Reader(self), 64 * 1024)

    def close(self) -> None:
        """Do nothing: `http.client` closes before an answer is read that ends with its connection."""


class _Reader(io.RawIOBase):
    def __init__(self, timed: _DeadlineSocket) -> None:
        self._timed = timed

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._timed.sock.settimeout(seconds_left(self._timed.deadline))
        with _as_reset():
            return self._timed.sock.recv_into(buffer)


class Connection(http.client.HTTPConnection):
    """One connection to a server. It connects with the first request; call `until` before each.

    It has one user at a time; whoever has it closes it, also when an answer has ended it.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__(endpoint.host, endpoint.port)
        self.endpoint = endpoint
        self._used_at = 0.0
        self._plain: socket.socket | None = None
        self._timed: _DeadlineSocket | None = None
        self._until = Deadline(None)
        self._handing_out = False

    def until(self, deadline: Deadline) -> None:
        """Let all that follows end by a deadline."""
        self._until = deadline
        self.used()
        if self._timed is not None:
            self._timed.deadline = deadline

    def used(self) -> None:
        """Note that it has been used until now."""
        self._used_at = time.monotonic()

    def connect(self) -> None:
        """Connect anew."""
        self.leave()
        self._plain = dial(self.endpoint, self._until)
        self._timed = _DeadlineSocket(self._plain, self._until)
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

    def getresponse(self) -> http.client.HTTPResponse:
        """Wait for the head of the answer."""
        self._handing_out = True
        try:
            return super().getresponse()
        finally:
            self._handing_out = False

    def certificate(self) -> bytes | None:
        """Return the certificate that the server has shown, in DER; `None` without TLS."""
        return self._plain.getpeercert(binary_form=True) if isinstance(self._plain, ssl.SSLSocket) else None

    def ready(self) -> bool:
        """Whether it can be used again: it was lately, and the server has neither closed it nor said anything unasked."""
        fresh = time.monotonic() - self._used_at < IDLE_SECONDS
        return fresh and self._plain is not None and self.sock is not None and not _readable(self._plain)

    def close(self) -> None:
        """Close it; twice is harmless, and it can be used again.

        `http.client` does so itself with an answer that ends with the connection: that is read first.
        """
        super().close()
        if not self._handing_out:
            self.leave()

    def cut(self) -> None:
        """Close it for good, also for another thread that waits for an answer on it."""
        if self._plain is not None:
            with suppress(OSError):
                self._plain.shutdown(socket.SHUT_RDWR)
        self.close()
        self.leave()

    def leave(self) -> None:
        """Close the socket and nothing around it.

        In a forked child that leaves the parent's connection alone, and waits for no thread of the parent's: what reads an
        answer has a lock, which stays taken in the child for good.
        """
        if self._plain is not None:
            self._plain.close()


def _readable(sock: socket.socket) -> bool:
    if sock.fileno() < 0 or (isinstance(sock, ssl.SSLSocket) and sock.pending()):
        return True
    poll = select.poll()
    poll.register(sock, select.POLLIN | select.POLLHUP | select.POLLERR)
    return bool(poll.poll(0))


class Pool:
    """Connections to one server, lent to one call at a time and kept open in between."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._lock = threading.Lock()
        self._idle: list[Connection] = []
        self._open: set[Connection] = set()
        self._closed = False

    @contextmanager
    def lend(self, deadline: Deadline, *, fresh: bool = False) -> Iterator[Connection]:
        """Lend a connection for one exchange; it is kept when that ended well and the server lets it.

        Args:
            fresh: Not one that was kept, which may be dead without anybody's having noticed.
        """
        connection = (None if fresh else self._take()) or self._new()
        connection.until(deadline)
        kept = False
        try:
            yield connection
            kept = True
        finally:
            self._give_back(connection, keep=kept)

    def certificate(self, deadline: Deadline) -> bytes | None:
        """Return the server's certificate in DER, `None` without TLS; where no connection is open, one is made."""
        with self.lend(deadline) as connection:
            connection.begin()
            return connection.certificate()

    def _take(self) -> Connection | None:
        while True:
            with self._lock:
                connection = self._idle.pop() if self._idle else None
            if connection is None or connection.ready():
                return connection
            self._drop(connection)

    def _new(self) -> Connection:
        connection = Connection(self.endpoint)
        with self._lock:
            self._open.add(connection)
        return connection

    def _give_back(self, connection: Connection, *, keep: bool) -> None:
        connection.used()
        with self._lock:
            if keep and not self._closed and connection.sock is not None and len(self._idle) < _IDLE:
                self._idle.append(connection)
                return
        self._drop(connection)

    def _drop(self, connection: Connection) -> None:
        with self._lock:
            self._open.discard(connection)
        connection.close()

    def close(self) -> None:
        """Close what is idle, and keep nothing any more."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            self._drop(connection)

    def abandon(self) -> None:
        """Drop all sockets in a forked child; nothing is said on them, and no lock of the parent's is waited for."""
        self._lock = threading.Lock()
        self._closed = True
        connections, self._open, self._idle = self._open, set(), []
        for connection in connections:
            connection.leave()
