"""One connection, and the requests that come over it."""

from __future__ import annotations

import select
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any

__all__ = ["BodyTooLargeError", "ConnectionHandler", "Request"]

_GOODBYE_SECONDS = 2.0
_LEFT_OVER = 1 << 20
"""Bytes of a body that are read though nobody wants them, so that the answer is not lost with the connection."""


class BodyTooLargeError(Exception):
    """A body is longer than the server takes."""


class ConnectionHandler(BaseHTTPRequestHandler):
    """Reads requests one after another and hands each to the server's function."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def handle_one_request(self) -> None:
        """Read a request and have it answered; the connection ends with the first that cannot be read."""
        try:
            self.raw_requestline = self.rfile.readline(65537)
            if not self.raw_requestline or len(self.raw_requestline) > 65536 or not self.parse_request():
                self.close_connection = True
                return
            request = Request(self)
            answer: Callable[[Request], None] = self.server.answer  # type: ignore[attr-defined]
            answer(request)
            request.finish()
        except (OSError, ValueError):  # the peer is gone, or somebody has cut the connection
            self.close_connection = True

    def finish(self) -> None:
        """Say goodbye to the peer, and wait a little until it is gone: what was sent may still be on its way."""
        with suppress(OSError, ValueError):
            self.connection.settimeout(_GOODBYE_SECONDS)
            if isinstance(self.connection, ssl.SSLSocket):
                self.connection.unwrap()
            else:
                self.connection.shutdown(socket.SHUT_WR)
        with suppress(OSError, ValueError):
            super().finish()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the standard output belongs to the start line."""


class Request:
    """One request with its answer."""

    def __init__(self, handler: ConnectionHandler) -> None:
        self._handler = handler
        self.method = handler.command
        target, _, self.query = handler.path.partition("?")
        self.path = target
        self.headers: dict[str, str] = {name.lower(): value for name, value in handler.headers.items()}
        """Names in lower case."""
        self.also: dict[str, str] = {}
        """Headers of the answer beside its own."""
        length = self.headers.get("content-length", "").strip()
        self.content_length = int(length) if length.isdecimal() else None
        self._left = self.content_length

    @property
    def streams(self) -> bool:
        """Whether the peer takes a body whose length is not known, without the connection's end."""
        return self._handler.request_version != "HTTP/1.0"

    def read(self, size: int) -> bytes:
        """Read up to so many bytes of the body; none at its end."""
        if self._left is None:
            chunked = "transfer-encoding" in self.headers
            return b"" if self.method in ("GET", "POST", "CONNECT", "OPTIONS") and not chunked else self._read1(size)
        data = self._read1(min(size, self._left))
        self._left -= len(data)
        return data

    def _read1(self, size: int) -> bytes:
        return bytes(self._handler.rfile.read1(size)) if size else b""

    def body(self, limit: int) -> bytes:
        """Read the whole body.

        Raises:
            BodyTooLargeError: It is longer than the limit.
        """
        if self.content_length is None:
            return b""
        if self.content_length > limit:
            raise BodyTooLargeError
        parts = []
        while data := self.read(1 << 16):
            parts.append(data)
        return b"".join(parts)

    def start(self, status: int, headers: Mapping[str, str], *, close: bool = False) -> None:
        """Send the status line and headers. `close` ends the connection with the answer."""
        self.write(self._head(status, headers, close))

    def _head(self, status: int, headers: Mapping[str, str], close: bool) -> bytes:
        if close:
            self._handler.close_connection = True
        lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"]
        lines += [f"{name}: {value}" for name, value in (*headers.items(), *self.also.items())]
        if self._handler.close_connection:
            lines.append("Connection: close")
        return "\r\n".join((*lines, "", "")).encode()

    def write(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._handler.wfile.write(data)

    def respond(self, status: int, kind: str, body: bytes, *, close: bool = False, **headers: str) -> None:
        """Send a whole answer, in one piece: apart, its parts would wait for the peer's acknowledgement."""
        named = {"Content-Type": kind, "Content-Length": str(len(body))}
        named |= {name.replace("_", "-"): value for name, value in headers.items()}
        head = self._head(status, named, close)
        self.write(head if self.method == "HEAD" else head + body)

    def stream(self, kind: str, pieces: Iterable[bytes]) -> None:
        """Send an answer of unknown length as it is made."""
        if not self.streams:
            self.respond(200, kind, b"".join(pieces))
            return
        self.start(200, {"Content-Type": kind, "Transfer-Encoding": "chunked"})
        for piece in pieces:
            if piece:
                self.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        self.write(b"0\r\n\r\n")

    @property
    def connection(self) -> socket.socket:
        """What the request came over."""
        connection: socket.socket = self._handler.connection
        return connection

    def upgrade(self) -> socket.socket:
        """Return the connection for what comes after the answer; it is no longer HTTP."""
        self._handler.close_connection = True
        return self.connection

    def cut(self) -> None:
        """End the connection without a goodbye."""
        self._handler.close_connection = True
        with suppress(OSError):
            self._handler.connection.shutdown(socket.SHUT_RDWR)

    def frozen_until(self, over: Callable[[], bool]) -> None:
        """Say nothing until the peer hangs up or it is over."""
        while not over():
            readable, _, _ = select.select([self._handler.connection], [], [], 0.1)
            if readable:
                with suppress(OSError, ValueError):
                    if self._handler.connection.recv(1 << 16):
                        continue
                break
        self.cut()

    def finish(self) -> None:
        """Read what is left of the body, so that the next request can be read and the answer arrives."""
        if "transfer-encoding" in self.headers or (self._left or 0) > _LEFT_OVER:
            self._handler.close_connection = True
        deadline = time.monotonic() + _GOODBYE_SECONDS
        dropped = 0
        while self._left and dropped < _LEFT_OVER and time.monotonic() < deadline:
            if not (data := self.read(1 << 16)):
                self._handler.close_connection = True
                break
            dropped += len(data)
