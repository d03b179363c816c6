"""The control door: plain HTTP and JSON on the loopback interface, for tests that look at a server or disturb it.

| request | |
|---|---|
| `GET /counts` | calls by method since the last reset |
| `POST /counts/reset` | |
| `GET /bytes`, `GET /bytes/received` | payload by handler since the last reset |
| `GET /sessions`, `GET /tasks` | those that are there now |
| `GET /faults`, `DELETE /faults` | |
| `POST /faults` `{"spec": "VM.start:drop-after:1"}` | |
| `POST /actions/NAME` `{argument: value}` | what the action returns |

Whoever asks for nonsense gets 400 or 404 and `{"error": text}`.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from .counting import Counters
from .faults import Faults, FaultSyntaxError

__all__ = ["ControlDoor", "Refused", "Subject"]


class Refused(Exception):
    """An action that cannot be done; the text says why."""


class Subject(Protocol):
    """The server behind the door."""

    def sessions(self) -> list[dict[str, Any]]:
        """Return the live sessions."""

    def tasks(self) -> list[dict[str, Any]]:
        """Return the tasks that have not been destroyed."""

    def act(self, name: str, arguments: Mapping[str, Any]) -> Any:
        """Do something to the server.

        Raises:
            LookupError: There is no such action.
            Refused: It cannot be done.
        """


class ControlDoor:
    """Listens on a port of 127.0.0.1, from `start` to `stop`."""

    def __init__(self, subject: Subject, counters: Counters, faults: Faults, port: int = 0) -> None:
        routes = _Routes(subject, counters, faults)
        self._server = _Server(("127.0.0.1", port), type("Handler", (_Handler,), {"routes": routes}))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="control", daemon=True)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def stop(self) -> None:
        """Stop listening, and close the port."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False


class _Routes:
    def __init__(self, subject: Subject, counters: Counters, faults: Faults) -> None:
        self.subject = subject
        self.counters = counters
        self.faults = faults
        self._plain: dict[tuple[str, str], Callable[[], Any]] = {
            ("GET", "/counts"): counters.calls,
            ("POST", "/counts/reset"): counters.reset,
            ("GET", "/bytes"): counters.bytes_sent,
            ("GET", "/bytes/received"): counters.bytes_received,
            ("GET", "/sessions"): subject.sessions,
            ("GET", "/tasks"): subject.tasks,
            ("GET", "/faults"): faults.show,
            ("DELETE", "/faults"): faults.clear,
        }

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        """Return the status and the answer."""
        if function := self._plain.get((method, path)):
            return 200, function()
        try:
            if (method, path) == ("POST", "/faults"):
                return 200, self._add_fault(_arguments(body))
            if method == "POST" and path.startswith("/actions/"):
                return 200, self._act(path.removeprefix("/actions/"), _arguments(body))
        except (FaultSyntaxError, Refused) as error:
            return 400, {"error": str(error)}
        except LookupError as error:
            return 404, {"error": str(error.args[0]) if error.args else "not found"}
        return 404, {"error": f"nothing at {method} {path}"}

    def _add_fault(self, arguments: dict[str, Any]) -> Any:
        spec = arguments.get("spec")
        if not isinstance(spec, str):
            raise Refused('a fault is given as {"spec": "METHOD:ACTION[:TIMES]"}')
        return self.faults.add(spec).show()

    def _act(self, name: str, arguments: dict[str, Any]) -> Any:
        return self.subject.act(unquote(name), arguments)


def _arguments(body: bytes) -> dict[str, Any]:
    if not body.strip():
        return {}
    try:
        found = json.loads(body)
    except ValueError as error:
        raise Refused(f"the body is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise Refused("the body is not a JSON object")
    return found


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body leave in one piece: apart, they would wait for the client's delayed acknowledgement.
    wbufsize = -1
    timeout = 60
    routes: _Routes

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def _serve(self) -> None:
        size = self.headers.get("Content-Length", "0")
        if not size.isdecimal():
            self.close_connection = True
            self._send(400, {"error": "the length of the body is not a number"})
            return
        body = self.rfile.read(int(size))
        self._send(*self.routes.answer(self.command, urlsplit(self.path).path, body))

    def _send(self, status: int, value: Any) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the standard output belongs to the start line."""
