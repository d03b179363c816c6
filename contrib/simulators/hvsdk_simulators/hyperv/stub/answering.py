"""The loopback port where the stand-in's cmdlets ask the simulated host."""

from __future__ import annotations

import contextlib
import hmac
import json
import secrets
import select
import socket
import socketserver
import sys
import threading
import traceback
from typing import TYPE_CHECKING, Any

from hvsdk_simulators.hyperv.cmdlets import registry
from hvsdk_simulators.hyperv.cmdlets.errors import CmdletError
from hvsdk_simulators.hyperv.world import StoppedError

from .values import Objects, bound

if TYPE_CHECKING:
    from hvsdk_simulators.hyperv.world import World

__all__ = ["Answering"]


class Answering:
    """One port for one process of PowerShell; each runspace in it has a connection of its own.

    Attributes:
        port: Where it listens.
        token: What a connection says first.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.token = secrets.token_hex(16)
        self._server = _Server(("127.0.0.1", 0), _Connection)
        self._server.answering = self
        self.port: int = self._server.server_address[1]
        serve = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="hyperv-stub", daemon=True)
        serve.start()

    def close(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()

    def answer(self, request: dict[str, Any], objects: Objects) -> dict[str, Any]:
        """Run the cmdlet that a request names, and return what the stand-in is told."""
        warnings: list[str] = []
        try:
            parameters = {name: bound(value, objects.find) for name, value in request["parameters"].items()}
            written = registry.run(self.world, request["name"], parameters, warnings)
            return {"output": [objects.output(one) for one in written], "warnings": warnings}
        except CmdletError as error:
            written = [objects.output(one) for one in error.written]
            return {"output": written, "warnings": warnings, "error": _told(error)}
        except StoppedError:
            raise
        except Exception as error:
            print(f"{request.get('name')}:\n{traceback.format_exc()}", file=sys.stderr, flush=True)
            return {"output": [], "error": _mistake(error)}


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    answering: Answering


class _Connection(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        answering = self.server.answering  # type: ignore[attr-defined]
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(ConnectionError, StoppedError):
            if not hmac.compare_digest(self.rfile.readline().strip(), answering.token.encode()):
                return
            objects = Objects(answering.world.options.version)
            with answering.world.stopping_when(self._gone):
                while line := self.rfile.readline():
                    answer = answering.answer(json.loads(line), objects)
                    self.wfile.write(json.dumps(answer, separators=(",", ":")).encode() + b"\n")

    def _gone(self) -> bool:
        """Whether the other end has closed, as it does when its pipeline is stopped."""
        readable, _, _ = select.select([self.request], [], [], 0)
        return bool(readable) and self.request.recv(1, socket.MSG_PEEK) == b""


def _told(error: CmdletError) -> dict[str, Any]:
    target = error.target if isinstance(error.target, (str, int, float, bool, type(None))) else str(error.target)
    code = 0x80131500 if error.hresult is None else error.hresult & 0xFFFFFFFF
    return {
        "id": error.full_id,
        "category": error.category,
        "message": error.message,
        "target": target,
        "type": error.exception_type,
        "hresult": code - (1 << 32) if code >= 1 << 31 else code,
    }


def _mistake(error: Exception) -> dict[str, Any]:
    return {
        "id": "SimulatorMistake",
        "category": "NotSpecified",
        "message": f"{type(error).__name__}: {error}",
        "type": "System.Exception",
        "hresult": 0x80131500 - (1 << 32),
    }
