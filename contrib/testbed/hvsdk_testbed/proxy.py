"""A proxy that spoils connections: it stands between a client and a server on this machine.

It knows nothing of what is said; TLS and any protocol pass through it.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Literal

from ._run import TestbedError

Direction = Literal["to_client", "to_server"]

_CHUNK = 65536
_PATIENCE = 0.05


class FaultProxy:
    """Passes bytes between clients and one server until told otherwise; a context manager.

    A fault holds for the connections that are there and for new ones, until the next one or `repair`.

    Args:
        target: A port on 127.0.0.1, or the path of a unix socket; the proxy listens on the same kind.
    """

    def __init__(self, target: int | str | Path) -> None:
        self._target = target
        self._changed = threading.Condition()
        self._mode: Literal["pass", "freeze", "refuse", "trickle"] = "pass"
        self._rate = 0.0
        self._left: dict[Direction, int] = {}
        self._pairs: set[_Pair] = set()
        self._threads: list[threading.Thread] = []
        self._closing = False
        self._listener: socket.socket | None = None
        self._directory: tempfile.TemporaryDirectory[str] | None = None
        self.connections = 0
        """How many connections were taken so far."""
        self.bytes_passed: dict[Direction, int] = {"to_client": 0, "to_server": 0}
        """How many bytes went either way so far."""

    def __enter__(self) -> FaultProxy:
        if isinstance(self._target, int):
            self._listener = socket.create_server(("127.0.0.1", 0))
        else:
            self._directory = tempfile.TemporaryDirectory(prefix="hvsdk-proxy-", dir="/tmp")
            self._listener = socket.socket(socket.AF_UNIX)
            self._listener.bind(str(Path(self._directory.name, "socket")))
            self._listener.listen(64)
        self._listener.settimeout(_PATIENCE)
        self._spawn(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def port(self) -> int:
        """The port on 127.0.0.1 that it listens on."""
        port: int = self._listening(socket.AF_INET).getsockname()[1]
        return port

    @property
    def path(self) -> Path:
        """The unix socket that it listens on."""
        return Path(self._listening(socket.AF_UNIX).getsockname())

    def repair(self) -> None:
        """Pass everything from here on, also what a freeze held back."""
        self._set("pass")

    def freeze(self) -> None:
        """Keep connections open, take new ones, and pass nothing either way."""
        self._set("freeze")

    def trickle(self, bytes_per_second: float) -> None:
        """Pass this many bytes a second, each connection and direction on its own."""
        if bytes_per_second <= 0:
            raise ValueError(f"bytes_per_second is {bytes_per_second}; give more than 0, or freeze")
        self._set("trickle", rate=bytes_per_second)

    def refuse(self) -> None:
        """Break all connections, and each new one as soon as it was taken."""
        self._set("refuse")
        self.drop()

    def drop(self) -> None:
        """Break the connections that are there, once, as a crashed peer would; new ones are as before."""
        with self._changed:
            pairs = list(self._pairs)
        for pair in pairs:
            pair.reset()

    def cut_after(self, count: int, direction: Direction = "to_client") -> None:
        """Pass this many more bytes in a direction, of all connections; break the one with the next byte.

        It happens once; what is connected anew passes.
        """
        with self._changed:
            self._left[direction] = count

    def close(self) -> None:
        """Break all connections and stop listening. Doing so twice is harmless."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        for thread in self._threads[:1]:
            thread.join(10.0)  # the one that accepts, so that there are no new ones
        self.drop()
        for thread in self._threads[1:]:
            thread.join(5.0)
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        if self._directory is not None:
            self._directory.cleanup()
            self._directory = None

    def _listening(self, family: socket.AddressFamily) -> socket.socket:
        if self._listener is None or self._listener.family != family:
            kind = "a port" if family == socket.AF_INET else "a unix socket"
            raise TestbedError(f"this proxy does not listen on {kind}")
        return self._listener

    def _set(self, mode: Literal["pass", "freeze", "refuse", "trickle"], rate: float = 0.0) -> None:
        with self._changed:
            self._mode, self._rate = mode, rate
            self._left.clear()
            self._changed.notify_all()

    def _spawn(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, name="hvsdk-proxy", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        assert self._listener is not None
        while not self._closing:
            try:
                client, _ = self._listener.accept()
            except TimeoutError:
                continue
            self.connections += 1
            self._take(client)

    def _take(self, client: socket.socket) -> None:
        try:
            server = self._connect()
        except OSError:
            _reset(client)
            return
        pair = _Pair(client, server)
        with self._changed:
            self._pairs.add(pair)
            refused = self._mode == "refuse"
        if refused:
            pair.reset()
        self._spawn(self._pump, pair, client, server, "to_server")
        self._spawn(self._pump, pair, server, client, "to_client")

    def _connect(self) -> socket.socket:
        if isinstance(self._target, int):
            return socket.create_connection(("127.0.0.1", self._target), timeout=5.0)
        server = socket.socket(socket.AF_UNIX)
        try:
            server.connect(str(self._target))
        except OSError:
            server.close()
            raise
        return server

    def _pump(self, pair: _Pair, source: socket.socket, sink: socket.socket, way: Direction) -> None:
        source.settimeout(None)
        sink.settimeout(None)
        try:
            while data := source.recv(_CHUNK):
                if not self._pass_on(data, sink, way):
                    pair.reset()
                    return
            sink.shutdown(socket.SHUT_WR)  # the other direction may go on
        except OSError:
            pair.reset()
        finally:
            if pair.half_done():
                with self._changed:
                    self._pairs.discard(pair)

    def _pass_on(self, data: bytes, sink: socket.socket, way: Direction) -> bool:
        """Send what arrived as the present fault allows; return whether the connection is to live on."""
        while data:
            with self._changed:
                while self._mode == "freeze" and not self._closing:
                    self._changed.wait(_PATIENCE)
                if self._closing or self._mode == "refuse":
                    return False
                trickling, rate = self._mode == "trickle", self._rate
                size = 1 if trickling else len(data)
                left = self._left.get(way)
                if left is not None:
                    size = min(size, left)
                    self._left[way] = left - size
            if size:
                sink.sendall(data[:size])
                self.bytes_passed[way] += size
                data = data[size:]
            if left is not None and left == size and data:
                with self._changed:
                    self._left.pop(way, None)
                return False
            if trickling:
                time.sleep(1 / rate)
        return True


class _Pair:
    """One client's connection and the one that was made for it."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self._sockets = (client, server)
        self._lock = threading.Lock()
        self._halves = 2

    def reset(self) -> None:
        """Break both without a goodbye."""
        for end in self._sockets:
            with contextlib.suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)  # wakes the thread that reads it, which a close would not

    def half_done(self) -> bool:
        """Note that one direction has ended; return whether both have, and the sockets are closed."""
        with self._lock:
            self._halves -= 1
            if self._halves:
                return False
        for end in self._sockets:
            end.close()
        return True


def _reset(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
