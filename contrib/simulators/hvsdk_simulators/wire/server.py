"""A threaded HTTP/1.1 server with keep-alive and TLS, whose connections can be cut at any time."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from socketserver import ThreadingTCPServer
from typing import Any

from .request import ConnectionHandler, Request

__all__ = ["HttpServer"]

_HANDSHAKE_SECONDS = 10.0
_GOODBYE_SECONDS = 2.0


class HttpServer:
    """Listens on a free port of 127.0.0.1 and gives each request to a function, in a thread of the connection.

    Args:
        answer: Answers one request.
        context: TLS, or None for plain connections.
        admit: Asked for each new connection; those that are not admitted are closed at once.
        connections: Where open sockets are kept, so that others can cut them.
    """

    def __init__(
        self,
        answer: Callable[[Request], None],
        *,
        context: ssl.SSLContext | None = None,
        admit: Callable[[], bool] = lambda: True,
        connections: set[Any] | None = None,
    ) -> None:
        self.connections: set[Any] = set() if connections is None else connections
        self._server = _Listener(("127.0.0.1", 0), answer, context, admit, self.connections)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name=f"http-{self.port}", daemon=True
        )

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Stop listening, and cut all connections."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()
        for connection in list(self.connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Listener(ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(
        self,
        address: tuple[str, int],
        answer: Callable[[Request], None],
        context: ssl.SSLContext | None,
        admit: Callable[[], bool],
        connections: set[Any],
    ) -> None:
        self.answer = answer
        self._context = context
        self._admit = admit
        self._connections = connections
        super().__init__(address, ConnectionHandler)

    def verify_request(self, request: Any, client_address: Any) -> bool:
        return self._admit()

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Serve one connection, in its own thread; the handshake is made here, so that a slow one holds up nobody."""
        current = request
        self._connections.add(current)
        try:
            if self._context is not None:
                request.settimeout(_HANDSHAKE_SECONDS)
                secure = self._context.wrap_socket(request, server_side=True, do_handshake_on_connect=False)
                self._connections.discard(request)
                current = secure
                self._connections.add(current)
                self._shake_hands(secure)
                secure.settimeout(None)
            if self._admit():
                ConnectionHandler(current, client_address, self)
        finally:
            self._connections.discard(current)
            current.close()

    @staticmethod
    def _shake_hands(secure: ssl.SSLSocket) -> None:
        """Make the handshake; who is refused gets to know why, which a connection closed over unread bytes would lose."""
        try:
            secure.do_handshake()
        except ssl.SSLError:
            secure.shutdown(socket.SHUT_WR)
            deadline = time.monotonic() + _GOODBYE_SECONDS
            secure.settimeout(_GOODBYE_SECONDS)
            with suppress(OSError):
                while time.monotonic() < deadline and secure.recv(1 << 16):
                    pass
            raise

    def shutdown_request(self, request: Any) -> None:
        with suppress(OSError):
            request.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Connections end at any time; what breaks in an answer is told by the one who answers."""
