"""The HTTP handlers' side of the wire: who asks, which task tells how it went, and the bytes in both directions."""

from __future__ import annotations

import base64
import binascii
import socket
import sys
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl, unquote

from hvsdk_simulators.wire.counting import Counters
from hvsdk_simulators.wire.faults import Action, Fault
from hvsdk_simulators.wire.request import Request

from . import roles, sessions, tasks
from .actions import ACTIONS
from .database import NULL, Object
from .failure import Failure
from .handlers import HANDLER_ROLES, HANDLERS
from .world import Member, World

__all__ = ["SECONDS_BETWEEN_BYTES", "disturb_pool", "serve"]

SECONDS_BETWEEN_BYTES = 0.01
"""Of an answer that trickles."""


class _CutError(OSError):
    """A fault has ended the connection."""


class HttpExchange:
    """One request to a handler, with its answer: an `Exchange`."""

    def __init__(
        self, world: World, member: Member, request: Request, counters: Counters, action: Action | None
    ) -> None:
        self.world = world
        self.member = member
        self.method = request.method
        self.path = request.path
        self.query: Mapping[str, str] = dict(parse_qsl(request.query, keep_blank_values=True))
        self.cookies: Mapping[str, str] = _cookies(request.headers.get("cookie", ""))
        self.headers: Mapping[str, str] = request.headers
        self.content_length = request.content_length
        self.session: Any = None
        self.task: Object | None = None
        self.outcome = ""
        self.started = False
        self._request = request
        self._counters = counters
        self.action = action
        """What goes wrong with it, if anything does."""
        self._announced: int | None = None
        self._sent = 0

    def asked(self, name: str) -> str:
        """Return a parameter, from the query or else from a cookie."""
        return self.query.get(name) or self.cookies.get(name, "")

    def read(self, size: int) -> bytes:
        """Read up to so many bytes of the body; none at its end."""
        data = self._request.read(size)
        self._counters.received(self.path, len(data))
        return data

    def start(self, status: int, headers: Mapping[str, str]) -> None:
        """Send the status line and headers. The connection ends with the answer."""
        self.started = True
        length = headers.get("Content-Length")
        self._announced = int(length) if length is not None else None
        if self.action is Action.DROP_AFTER:
            return
        named = dict(headers)
        if self.task is not None:
            named["task-id"] = self.task.ref
        self._request.start(status, named, close="Connection" not in named)

    def write(self, data: bytes) -> None:
        """Send a part of the body."""
        if self.action is Action.DROP_AFTER:
            return
        if self.action is Action.HALF_ANSWER:
            whole = self._announced if self._announced is not None else 2 * len(data)
            part = data[: max(0, whole // 2 - self._sent)]
            self._request.write(part)
            if len(part) < len(data):
                raise _CutError
        # Whoever has read it all finds it counted.
        self._sent += len(data)
        self._counters.sent(self.path, len(data))
        if self.action is Action.TRICKLE:
            for place in range(len(data)):
                self._request.write(data[place : place + 1])
                time.sleep(SECONDS_BETWEEN_BYTES)
        elif self.action is not Action.HALF_ANSWER:
            self._request.write(data)

    def upgrade(self) -> socket.socket:
        """Take the connection over, after `start`."""
        return self._request.upgrade()

    def result(self, text: str) -> None:
        """Say what the task ends with."""
        self.outcome = text


def serve(world: World, member: Member, request: Request, counters: Counters, fault: Fault | None) -> None:
    """Let a handler answer a request. What it ends with is told by the task; the connection ends after it."""
    action = None if fault is None else fault.action
    if fault is not None and not _before(world, member, request, fault):
        return
    exchange = HttpExchange(world, member, request, counters, action)
    with _session(world, exchange) as session:
        if session is None:
            basic = {"WWW_Authenticate": 'Basic realm="XenServer"'}
            request.respond(401, "text/html", b"<html><body>401 Unauthorised</body></html>", close=True, **basic)
            return
        if not _may(world, session, request):
            request.respond(403, "text/html", b"<html><body>403 Forbidden</body></html>", close=True)
            return
        exchange.session = session
        _handle(world, member, request, exchange, None if fault is None else list(fault.details))
    if action is Action.DROP_AFTER:
        request.cut()


def _may(world: World, session: Object, request: Request) -> bool:
    with world.lock:
        return roles.has_role(world, session, HANDLER_ROLES[request.method, request.path])


def _before(world: World, member: Member, request: Request, fault: Fault) -> bool:
    """Do what a fault does before a request; return whether there is still something to answer."""
    match fault.action:
        case Action.DROP_BEFORE:
            request.cut()
            return False
        case Action.HTTP_500:
            request.respond(500, "text/html", b"<html><body>500 Internal Server Error</body></html>", close=True)
            return False
        case Action.FREEZE:
            request.frozen_until(lambda: world.stopping)
            return False
        case Action.SLOW:
            time.sleep(fault.seconds)
        case _:
            disturb_pool(world, member, request, fault)
    return True


def disturb_pool(world: World, member: Member, request: Request, fault: Fault) -> bool:
    """Do what a fault does to the whole pool, and return whether it is one of that kind.

    The connection of the request outlives the change of the master: its caller shall hear the new one's address.
    """
    if fault.action not in (Action.EVENTS_LOST, Action.MASTER_CHANGE):
        return False
    with world.lock:
        if fault.action is Action.EVENTS_LOST:
            world.db.lose_events()
            return True
        member.connections.discard(request.connection)
        try:
            ACTIONS["change-master"](world)
        finally:
            member.connections.add(request.connection)
    return True


def _handle(world: World, member: Member, request: Request, exchange: HttpExchange, refused: list[str] | None) -> None:
    with world.lock:
        exchange.task = _task(world, member, exchange)
    if exchange.task is None:
        _fail_unstarted(exchange, request, Failure("HANDLE_INVALID", "task", exchange.asked("task_id")))
        return
    if exchange.action is Action.SESSION_EXPIRED:
        with world.lock:
            sessions.end(world, exchange.session)
    try:
        if refused:
            raise Failure(*refused)
        HANDLERS[request.method, request.path](exchange)
    except Failure as failure:
        _end(world, exchange, failure)
        _fail_unstarted(exchange, request, failure)
    except _CutError:
        _end(world, exchange, None)
        request.cut()
    except OSError as error:  # the peer is gone
        _end(world, exchange, Failure("INTERNAL_ERROR", f"Caught exception: {error}"))
        request.cut()
    except Exception as error:  # a fault of this server: the task tells it as the product would
        print(f"{request.method} {request.path}:", file=sys.stderr)
        traceback.print_exc()
        broken = Failure("INTERNAL_ERROR", f"{type(error).__name__}: {error}")
        _end(world, exchange, broken)
        _fail_unstarted(exchange, request, broken)
    else:
        _end(world, exchange, None)


def _task(world: World, member: Member, exchange: HttpExchange) -> Object | None:
    """The task that the caller names, or a new one; None when there is no such task."""
    wanted = exchange.asked("task_id")
    if wanted and wanted != NULL:
        return world.db.lookup("task", wanted)
    return tasks.begin(world, exchange.session, member.host, f"{exchange.method} {exchange.path}")


def _end(world: World, exchange: HttpExchange, failure: Failure | None) -> None:
    with world.lock:
        if exchange.task is None:
            return
        if exchange.action is Action.TASK_VANISH:
            tasks.vanish(world, exchange.task)
        elif failure is not None:
            tasks.fail(world, exchange.task, failure)
        else:
            tasks.succeed(world, exchange.task, exchange.outcome)


def _fail_unstarted(exchange: HttpExchange, request: Request, failure: Failure) -> None:
    if exchange.started:
        return
    try:
        text = f"<html><body>500 Internal Server Error: {failure.code}</body></html>"
        request.respond(500, "text/html", text.encode(), close=True)
    except OSError:
        request.cut()


@contextmanager
def _session(world: World, exchange: HttpExchange) -> Iterator[Object | None]:
    """The session that the request is made in: one that it names, or one of its own for a name and a password."""
    ref = exchange.asked("session_id")
    with world.lock:
        try:
            if ref:
                session = sessions.live(world, ref, exchange.member.host)
            else:
                session = sessions.login(
                    world, exchange.member.host, *_basic(exchange.headers.get("authorization", ""))
                )
        except Failure:
            session = None
    try:
        yield session
    finally:
        if session is not None and not ref:
            with world.lock:
                sessions.end(world, session)


def _basic(header: str) -> tuple[str, str]:
    """Return name and password of HTTP basic authentication.

    Raises:
        Failure: There are none.
    """
    kind, _, coded = header.partition(" ")
    try:
        text = base64.b64decode(coded, validate=True).decode() if kind.lower() == "basic" else ""
    except (binascii.Error, UnicodeDecodeError):
        text = ""
    name, colon, password = text.partition(":")
    if not colon:
        raise Failure("SESSION_INVALID", "")
    return name, password


def _cookies(header: str) -> dict[str, str]:
    pairs = (part.strip().partition("=") for part in header.replace("&", ";").split(";"))
    return {name: unquote(value) for name, equals, value in pairs if equals}
