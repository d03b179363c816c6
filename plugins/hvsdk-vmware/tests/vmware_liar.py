"""A server that answers what it is told to, and what a reader of it needs of a driver."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import Any

import attrs
from hvsdk.connections import Pool
from hvsdk.driver import Deadline

__all__ = ["Liar", "Session", "answer", "liars", "part"]


@attrs.define
class Liar:
    """Answers each request with the next of the answers, the last one for good."""

    port: int
    answers: list[bytes]
    asked: list[bytes] = attrs.field(factory=list)
    end: threading.Event = attrs.field(factory=threading.Event)
    """Until it is set, connections stay open after the answer."""
    again: threading.Event = attrs.field(factory=threading.Event)
    """Until it is set, requests after the first one wait for their answer."""


@contextmanager
def liars() -> Iterator[Callable[..., Liar]]:
    """Start servers that lie."""
    with ExitStack() as stack:

        def start(*answers: bytes, ends: bool = True, late: bool = False) -> Liar:
            class Handler(StreamRequestHandler):
                def handle(self) -> None:
                    while True:
                        head = b""
                        while not head.endswith(b"\r\n\r\n"):
                            line = self.rfile.readline()
                            if not line:
                                return
                            head += line
                        made.asked.append(head)
                        if len(made.asked) > 1:
                            made.again.wait(20)
                        self.wfile.write(made.answers[0] if len(made.answers) == 1 else made.answers.pop(0))
                        made.end.wait(20)
                        return

            server = ThreadingTCPServer(("127.0.0.1", 0), Handler)
            server.daemon_threads = True
            stack.callback(server.server_close)
            stack.callback(server.shutdown)
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
            made = Liar(server.server_address[1], list(answers))
            if ends:
                made.end.set()
            if not late:
                made.again.set()
            stack.callback(made.end.set)
            stack.callback(made.again.set)
            return made

        yield start


@attrs.define
class Session:
    """What a reader needs of a driver: a server, and no session that could be renewed."""

    pool: Pool
    generation: int = 0
    renew: Any = None
    cookie: str = 'vmware_soap_session="x"'

    @property
    def stub(self) -> Session:
        return self

    @property
    def target(self) -> Session:
        return self

    timeout: float = 5.0

    def soon(self) -> Deadline:
        return Deadline(5.0)


def answer(status: str, body: bytes = b"", *headers: str, length: int | None = None) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def part(begin: int, end: int, size: int, body: bytes, **more: Any) -> bytes:
    return answer("206 Partial Content", body, f"Content-Range: bytes {begin}-{end}/{size}", **more)
