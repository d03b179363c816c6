"""HTTP connections whose every byte is bounded by a deadline, and a pool of those that are kept open."""

from __future__ import annotations

import hashlib
import hmac
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

import attrs
from hvsdk.driver import Deadline, errors, fingerprint_of

__all__ = ["Connection", "Endpoint", "Pool", "UnreachableError", "dial"]

_SLICE = 256 * 1024
_IDLE = 8
"""Connections that are kept open."""
_IDLE_SECONDS = 90.0
"""How long one is kept that nobody uses: firewalls forget connections without a word."""


class UnreachableError(ConnectionError):
    """The server cannot be reached; nothing was sent to it."""


@attrs.frozen
class Endpoint:
    """Where a server is reached."""

    host: str
    """IPv6 without brackets."""
    port: int
    context: ssl.SSLContext | None = attrs.field(default=None, eq=False, repr=False)
    """How its certificate is checked; `None` without TLS."""
    thumbprint: str | None = None
    """Digits of its certificate's SHA-1 or SHA-256, where a server that is trusted already told it."""

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def dial(endpoint: Endpoint, deadline: Deadline) -> socket.socket:
    """Connect, and begin TLS where the endpoint has it, in the time that is left.

    Raises:
        CertificateError: The server's certificate is not accepted; nothing was sent to it.
        OSError: There is no way there; an address that is none counts as unknown.
    """
    try:
        plain = _reach(endpoint, deadline)
    except (ValueError, OverflowError) as exc:  # what `socket` says of names and ports that are none
        raise socket.gaierror(socket.EAI_NONAME, f"{str(endpoint)!r} is no address") from exc
    try:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if endpoint.context is None:
            return plain
        plain.settimeout(_seconds(deadline))
        encrypted = endpoint.context.wrap_socket(plain, server_hostname=endpoint.host)
    except BaseException:
        plain.close()
        raise
    if endpoint.thumbprint is not None:
        _check(encrypted, endpoint, endpoint.thumbprint)
    return encrypted


def _reach(endpoint: Endpoint, deadline: Deadline) -> socket.socket:
    """Connect to one of the addresses that a name stands for.

    Each gets a share of the time, so that one which says nothing leaves some to the next, and all of them keep the deadline.
    """
    failure: OSError = socket.gaierror(socket.EAI_NONAME, f"{endpoint.host!r} has no address")
    places = socket.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
    for left, (family, kind, protocol, _, address) in zip(range(len(places), 0, -1), places, strict=True):
        try:
            sock = socket.socket(family, kind, protocol)
            try:
                seconds = _seconds(deadline)
                sock.settimeout(seconds / left if seconds is not None else None)
                sock.connect(address)
            except BaseException:
                sock.close()
                raise
        except OSError as exc:
            failure = exc
        else:
            return sock
    raise failure


def _check(sock: ssl.SSLSocket, endpoint: Endpoint, thumbprint: str) -> None:
    """Hold a certificate to its thumbprint, before a byte is sent."""
    certificate = sock.getpeercert(binary_form=True) or b""
    digest = hashlib.sha1 if len(thumbprint) == hashlib.sha1().digest_size * 2 else hashlib.sha256
    if not hmac.compare_digest(digest(certificate).hexdigest(), thumbprint.lower()):
        sock.close()
        raise errors.CertificateError(
            f"the certificate of {endpoint} is not the one that the server announced, but {fingerprint_of(certificate)}",
            fingerprint=fingerprint_of(certificate),
            hint="has the host got a new one? vCenter learns it when the host is connected again",
        )


def _seconds(deadline: Deadline) -> float | None:
    seconds = deadline.remaining()
    if seconds <= 0:
        raise TimeoutError("the time was up")
    return None if seconds == float("inf") else seconds


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
            self.sock.settimeout(_seconds(self.deadline))
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
        self._timed.sock.settimeout(_seconds(self._timed.deadline))
        with _as_reset():
            return self._timed.sock.recv_into(buffer)


class Connection(http.client.HTTPConnection):
    """One connection to a server."""

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__(endpoint.host, endpoint.port)
        self.endpoint = endpoint
        self.used_at = 0.0
        self._plain: socket.socket | None = None
        self._timed: _DeadlineSocket | None = None
        self._until = Deadline(None)

    def until(self, deadline: Deadline) -> None:
        """Let all that follows end by a deadline."""
        self._until = deadline
        if self._timed is not None:
            self._timed.deadline = deadline

    def connect(self) -> None:
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

    def certificate(self) -> bytes | None:
        """Return the certificate that the server has shown, in DER; `None` without TLS."""
        return self._plain.getpeercert(binary_form=True) if isinstance(self._plain, ssl.SSLSocket) else None

    def ready(self) -> bool:
        """Whether it can be used again: the server has neither closed it nor said anything unasked."""
        fresh = time.monotonic() - self.used_at < _IDLE_SECONDS
        return fresh and self._plain is not None and self.sock is not None and not _readable(self._plain)

    def cut(self) -> None:
        """Close it for good, also for another thread that waits for an answer on it."""
        if self._plain is not None:
            with suppress(OSError):
                self._plain.shutdown(socket.SHUT_RDWR)
        self.end()

    def end(self) -> None:
        """Close it for good."""
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
        """Lend a connection for one exchange; it is kept when that ended well and the server lets it."""
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
        connection.used_at = time.monotonic()
        with self._lock:
            if keep and not self._closed and connection.sock is not None and len(self._idle) < _IDLE:
                self._idle.append(connection)
                return
        self._drop(connection)

    def _drop(self, connection: Connection) -> None:
        with self._lock:
            self._open.discard(connection)
        connection.end()

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
