"""A proxy that reads libvirt's protocol: it counts calls, loses one of them, and falsifies answers."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import struct
import tempfile
import threading
from collections.abc import Callable, Container
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

_HEAD = struct.Struct(">IIIIiII")
_REMOTE = 0x20008086
_CALL, _REPLY = 0, 1

PROC_DOMAIN_SUSPEND = 34
PROCS_DOMAIN_CREATE = (9, 196)
OTHER_THAN_LOOKUP = frozenset(range(1, 1000)) - {24}
"""Every procedure but the one that looks a domain up, which comes before most calls."""


class RpcProxy:
    """Stands before a daemon's unix socket and passes its messages on; a context manager.

    Messages of the keepalive protocol pass uncounted, and so do those that open and close a connection.
    """

    def __init__(self, target: Path) -> None:
        self._target = target
        self._lock = threading.Lock()
        self._lose: str | None = None
        self._procedures: Container[int] = OTHER_THAN_LOOKUP
        self.falsify: tuple[bytes, bytes] | None = None
        """What to replace in answers, and with what: as many bytes, since the messages tell their length."""
        self.on_call: Callable[[int], None] | None = None
        """What to do before a call is passed on, given the number of its procedure."""
        self.calls = 0

    def __enter__(self) -> RpcProxy:
        proxy = self
        self._directory = tempfile.TemporaryDirectory(prefix="hvsdk-rpc-", dir="/tmp")
        self._path = Path(self._directory.name, "socket")

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                proxy._serve(self.request)

        self._server = socketserver.ThreadingUnixStreamServer(str(self._path), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._directory.cleanup()

    @property
    def uri(self) -> str:
        return f"qemu+unix:///system?socket={quote(str(self._path))}"

    def lose(self, when: str, procedures: Container[int] = OTHER_THAN_LOOKUP) -> None:
        """Break the connection of the next call of some procedures, `before` or `after` the daemon carries it out."""
        with self._lock:
            self._lose, self._procedures = when, procedures

    def _serve(self, client: socket.socket) -> None:
        with socket.socket(socket.AF_UNIX) as server:
            try:
                server.connect(str(self._target))
            except OSError:
                return
            connection = _Connection(self, client, server)
            answers = threading.Thread(target=connection.pass_answers, daemon=True)
            answers.start()
            connection.pass_calls()
            answers.join(5.0)

    def _take(self, procedure: int) -> str | None:
        """Count a call, and return when its connection is to be lost."""
        if self.on_call is not None:
            self.on_call(procedure)
        with self._lock:
            self.calls += 1
            if procedure not in self._procedures:
                return None
            lost, self._lose = self._lose, None
            return lost


class _Connection:
    """One client's connection, and the one that was made for it."""

    def __init__(self, proxy: RpcProxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy = proxy
        self._client = client
        self._server = server
        self._lost_serial: int | None = None

    def pass_calls(self) -> None:
        with contextlib.suppress(OSError):
            while message := _receive(self._client):
                _, program, _, procedure, kind, serial, _ = _HEAD.unpack_from(message)
                if (program, kind) == (_REMOTE, _CALL):
                    lost = self._proxy._take(procedure)
                    if lost == "before":
                        break
                    if lost == "after":
                        self._lost_serial = serial
                self._server.sendall(message)
        self._break()

    def pass_answers(self) -> None:
        with contextlib.suppress(OSError):
            while message := _receive(self._server):
                _, program, _, _, kind, serial, _ = _HEAD.unpack_from(message)
                if (program, kind) == (_REMOTE, _REPLY) and serial == self._lost_serial:
                    break
                if self._proxy.falsify is not None:
                    message = message.replace(*self._proxy.falsify)
                self._client.sendall(message)
        self._break()

    def _break(self) -> None:
        for end in (self._client, self._server):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


def _receive(source: socket.socket) -> bytes:
    """Return one message with its length in front, or nothing at the end."""
    head = _exactly(source, 4)
    if not head:
        return b""
    return head + _exactly(source, struct.unpack(">I", head)[0] - 4)


def _exactly(source: socket.socket, count: int) -> bytes:
    data = bytearray()
    while len(data) < count:
        piece = source.recv(count - len(data))
        if not piece:
            return b""
        data += piece
    return bytes(data)
