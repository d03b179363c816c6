"""What a member answers: calls, requests to the HTTP handlers, and the faults that meet them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import suppress

from hvsdk_simulators.wire.counting import Counters
from hvsdk_simulators.wire.faults import Action, Fault, Faults
from hvsdk_simulators.wire.request import BodyTooLargeError, Request

from . import sessions, tasks
from .database import Object
from .dispatch import ASYNC, Dispatcher, Result
from .encoding import XML
from .exchanges import SECONDS_BETWEEN_BYTES, disturb_pool, serve
from .failure import Failure
from .handlers import HANDLERS
from .rpc import Envelope, UnreadableError, read_json, read_xml
from .world import Member, World

__all__ = ["JSON_SINCE", "Endpoint"]

_JSON_PATHS = ("/jsonrpc", "/json")
JSON_SINCE = (2, 3)
"""The first API version that speaks JSON-RPC; older ones take such calls for XML-RPC."""
_BODY_LIMIT = 300 << 10
_NOTE = "x-http-other-config-"
_PAGE = b"<html><head><title>XenServer</title></head><body><p>Welcome</p></body></html>"


class Endpoint:
    """One member of a pool."""

    def __init__(
        self, world: World, member: Member, dispatcher: Dispatcher, counters: Counters, faults: Faults
    ) -> None:
        self._world = world
        self._member = member
        self._dispatcher = dispatcher
        self._counters = counters
        self._faults = faults

    def answer(self, request: Request) -> None:
        """Answer one request."""
        json = request.path in _JSON_PATHS
        if (request.method, request.path) in HANDLERS:
            self._counters.call(request.path)
            time.sleep(self._world.options.latency)
            serve(self._world, self._member, request, self._counters, self._faults.take(request.path))
        elif request.method == "POST":
            # The product takes what is posted to any other path, such as /RPC2 or /xmlrpc, for XML-RPC.
            self._rpc(request, json=json and self._world.options.api >= JSON_SINCE)
        elif request.path == "/" and request.method in ("GET", "HEAD"):
            request.respond(200, "text/html", _PAGE)
        else:
            request.respond(404, "text/html", b"<html><body>404 Not Found</body></html>", close=True)

    def _rpc(self, request: Request, *, json: bool) -> None:
        try:
            envelope = (read_json if json else read_xml)(request.body(_BODY_LIMIT))
        except BodyTooLargeError:
            request.respond(413, "text/html", b"<html><body>413 Request Entity Too Large</body></html>", close=True)
            return
        except UnreadableError as error:
            if request.path in _JSON_PATHS and not json:
                self._know_no_json(request, str(error))
                return
            _internal_error(request, f"the request cannot be read: {error}", "text/html" if json else "text/xml")
            return
        name = self._dispatcher.name_of(envelope.method)
        self._counters.call(name)
        fault = self._faults.take(name)
        time.sleep(self._world.options.latency)
        if fault is None or not self._meet(request, envelope, fault):
            self._answer(request, envelope, fault)

    @staticmethod
    def _notes(request: Request) -> dict[str, str]:
        """Return what the caller wants to see in the `other_config` of the task that its request makes."""
        names = (name for name in request.headers if name.startswith(_NOTE))
        return {name.removeprefix(_NOTE): request.headers[name] for name in names}

    def _know_no_json(self, request: Request, why: str) -> None:
        """Answer a JSON-RPC call as releases do that take it for XML-RPC: clients know them by the type."""
        unread = Envelope(method="", params=(), format=XML, content_type="text/xml", before=b"", after=b"")
        request.respond(200, unread.content_type, unread.failure(self._world, ["INTERNAL_ERROR", why]))

    def _meet(self, request: Request, envelope: Envelope, fault: Fault) -> bool:
        """Do what a fault does before a call, and return whether that was all."""
        match fault.action:
            case Action.DROP_BEFORE:
                request.cut()
            case Action.HTTP_500:
                _internal_error(request, "a fault that was asked for", "text/html")
            case Action.FREEZE:
                request.frozen_until(lambda: self._world.stopping)
            case Action.ERROR:
                request.respond(200, envelope.content_type, envelope.failure(self._world, list(fault.details)))
            case Action.SLOW:
                time.sleep(fault.seconds)
                return False
            case _:
                self._disturb(request, envelope, fault)
                return False
        return True

    def _disturb(self, request: Request, envelope: Envelope, fault: Fault) -> None:
        if disturb_pool(self._world, self._member, request, fault):
            return
        if fault.action is Action.SESSION_EXPIRED:
            with self._world.lock:
                ref = envelope.params[0] if envelope.params else ""
                session = self._world.db.lookup("session", ref) if isinstance(ref, str) else None
                if session is not None:
                    sessions.end(self._world, session)

    def _answer(self, request: Request, envelope: Envelope, fault: Fault | None) -> None:
        host = self._member.host
        try:
            result = self._dispatcher.call(
                host, envelope.method, envelope.params, exact=envelope.exact, notes=self._notes(request)
            )
            pieces = _wrapped(envelope, self._pieces(envelope, result))
            first = next(pieces)
        except Failure as failure:
            self._send(request, envelope, iter((envelope.failure(self._world, failure.details),)), fault)
            return
        if fault is not None and fault.action is Action.TASK_VANISH and envelope.method.startswith(ASYNC):
            self._vanish(result)
        self._send(request, envelope, _chained(first, pieces), fault)

    def _vanish(self, result: Result) -> None:
        if isinstance(result.value, Object):
            with self._world.lock:
                tasks.vanish(self._world, result.value)

    def _pieces(self, envelope: Envelope, result: Result) -> Iterator[bytes]:
        if result.kind.name in ("batch", "map"):
            yield from envelope.format.pieces(self._world, result.kind, result.value)
            return
        with self._world.lock:
            text = envelope.format.text(self._world, result.kind, result.value)
        yield text

    def _send(self, request: Request, envelope: Envelope, pieces: Iterator[bytes], fault: Fault | None) -> None:
        action = None if fault is None else fault.action
        kind = envelope.content_type
        if action is Action.DROP_AFTER:
            request.cut()
        elif action in (Action.HALF_ANSWER, Action.TRICKLE):
            body = b"".join(pieces)
            request.start(200, {"Content-Type": kind, "Content-Length": str(len(body))})
            if action is Action.HALF_ANSWER:
                request.write(body[: len(body) // 2])
                request.cut()
            else:
                self._trickle(request, body)
        else:
            _send_quickly(request, kind, pieces)

    def _trickle(self, request: Request, body: bytes) -> None:
        for place in range(len(body)):
            if self._world.stopping:
                return
            request.write(body[place : place + 1])
            time.sleep(SECONDS_BETWEEN_BYTES)


def _send_quickly(request: Request, kind: str, pieces: Iterator[bytes]) -> None:
    """Send an answer in one piece when it is short, and as it is made when it is long."""
    held: list[bytes] = []
    size = 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size > 1 << 18:
            request.stream(kind, _chained(b"".join(held), pieces))
            return
    request.respond(200, kind, b"".join(held))


def _wrapped(envelope: Envelope, pieces: Iterable[bytes]) -> Iterator[bytes]:
    rest = iter(pieces)
    yield envelope.before + next(rest)
    yield from rest
    yield envelope.after


def _chained(first: bytes, rest: Iterable[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _internal_error(request: Request, why: str, kind: str) -> None:
    text = f"<html><body><h1>500 Internal Server Error</h1><p>{_quoted(why)}</p></body></html>"
    with suppress(OSError):
        request.respond(500, kind, text.encode("utf-8", "replace"), close=True)


def _quoted(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
