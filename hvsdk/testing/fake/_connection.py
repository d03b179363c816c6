"""One connection: opening, sessions, and the one way in which every call goes to the world and back.

A real backend's calls go through its client library; here `Connection.round_trip` stands for the wire, with all that can
happen on it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Self, TypeVar

from hvsdk._driver.base import Driver
from hvsdk._driver.operation import Operation
from hvsdk.testing.fake import _errors
from hvsdk.testing.fake._errors import FakeError
from hvsdk.testing.fake._options import Settings
from hvsdk.testing.fake._tasks import FakeTask, Work, at_once
from hvsdk.testing.fake._world import World, end_world, world_of

if TYPE_CHECKING:
    from hvsdk._deadline import Deadline
    from hvsdk._driver.target import Target
    from hvsdk.errors import HvsdkError
    from hvsdk.models import HostInfo
    from hvsdk.testing.fake._faults import Rule

__all__ = ["Connection"]

T = TypeVar("T")
_GRACE = 0.5
"""Seconds after its deadline until a connection gives up a call: what is left to the core must not be a race."""


class Connection(Driver):
    """The part of the driver that has no verbs."""

    max_in_flight = 8

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self.settings = Settings(target.options)
        self._world: World | None = None
        self._session = 0
        self._outages = 0
        self._gone = threading.Event()

    # ---- coming and going --------------------------------------------------------------------------------

    def open(self, *, deadline: Deadline) -> None:
        """Log in. Called again on the same instance when the session has expired."""
        world = world_of(self.target, self.settings)
        if world is None:
            raise FakeError("CONNECTION_LOST", "this world ended with its connection (durable=0)")
        self._world = world
        self._outages = world.outages
        self._gone.clear()
        with self._wire("open", deadline, None):
            self._check_password(world)
            world.sessions.discard(self._session)
            world.logins += 1
            self._session = world.logins
            world.sessions.add(self._session)

    def close(self) -> None:
        """Log out."""
        self._gone.set()
        world = self._world
        if world is not None:
            with world.lock:
                world.sessions.discard(self._session)
                world.changes.condition.notify_all()

    def abandon(self) -> None:
        """Forget the world, without a lock: its owner may be a thread that does not exist in this process."""
        self._world = None
        self._gone = threading.Event()
        self._gone.set()

    def sibling(self) -> Self:
        """Return another connection to the same world."""
        return type(self)(self.target)

    def host_info(self, *, deadline: Deadline) -> HostInfo:
        """Say what this is."""
        from hvsdk.models import HostInfo

        with self.round_trip("host_info", deadline) as world:
            return HostInfo(
                product="hvsdk fake",
                version="1.0",
                name=world.name,
                uuid=world.new_uuid(0),
                api_version="1",
                clock=datetime.now(UTC) + timedelta(seconds=world.settings.clock_offset),
                details={"fake.seed": world.settings.seed},
            )

    @staticmethod
    def translate(exc: BaseException, operation: Operation) -> HvsdkError | None:
        """Return one of ours for a `FakeError`."""
        return _errors.translate(exc)

    def _check_password(self, world: World) -> None:
        wanted = world.settings.login_password
        if wanted is None:
            return
        found = self.target.credentials("password")
        if found is None or found.kind != "password" or found.password != wanted:
            raise FakeError("LOGIN_REFUSED", f"{world.name} refused the login of {self.target.username or 'nobody'}")

    # ---- the wire ----------------------------------------------------------------------------------------

    @contextmanager
    def round_trip(self, verb: str, deadline: Deadline, native_id: str | None = None) -> Iterator[World]:
        """Go to the world and back: counted, delayed, disturbed. The body is what the product does meanwhile."""
        with self._wire(verb, deadline, native_id) as world:
            if self._session not in world.sessions:
                raise FakeError("SESSION_INVALID", "the session has expired")
            world.settle()
            yield world

    @contextmanager
    def _wire(self, verb: str, deadline: Deadline, native_id: str | None) -> Iterator[World]:
        world = self._world
        if world is None or self._gone.is_set():
            raise FakeError("CONNECTION_LOST", "not connected")
        if world.down or self._outages != world.outages:
            self._drop("the connection broke")
        with world.lock:
            world.calls[verb] = world.calls.get(verb, 0) + 1
            rule = world.faults.take(verb, native_id)
        self._travel(world.latency, deadline)
        if rule is not None:
            self._disturb_before(rule, world, deadline)
        with world.lock:
            yield world
        if rule is not None:
            self._disturb_after(rule, world)

    def _travel(self, seconds: float, deadline: Deadline) -> None:
        """Let time pass. An answer that never comes is given up a moment after the deadline, when the core has done so."""
        if seconds <= 0:
            return
        longest = min(deadline.remaining() + _GRACE, threading.TIMEOUT_MAX)
        if self._gone.wait(min(seconds, longest)) or seconds > longest:
            self._drop("no answer came in time")

    def _disturb_before(self, rule: Rule, world: World, deadline: Deadline) -> None:
        match rule.kind:
            case "drop-before":
                self._drop("the connection broke")
            case "slow":
                self._travel(rule.seconds, deadline)
            case "trickle":
                self._travel(float("inf"), deadline)
            case "hang":
                self._hang(world)
            case "expired-session":
                with world.lock:
                    world.sessions.discard(self._session)
                raise FakeError("SESSION_INVALID", "the session has expired")
            case "refused-login":
                raise FakeError(
                    "LOGIN_REFUSED", f"{world.name} refused the login of {self.target.username or 'nobody'}"
                )
            case "drop-after" | "hang-after":
                pass
            case code:
                raise FakeError(code, f"the product answered {code}, as it was told to")

    def _disturb_after(self, rule: Rule, world: World) -> None:
        if rule.kind == "drop-after":
            self._drop("the connection broke before the answer")
        if rule.kind == "hang-after":
            self._hang(world)

    def _hang(self, world: World) -> None:
        """Answer nothing, until the connection is closed or `FakeControl.release` lets go. Only a daemon can wait so."""
        with world.lock:
            world.hanging.add(self._gone)
        self._gone.wait()
        self._drop("the connection broke while no answer came")

    def _drop(self, message: str) -> None:
        """Lose the connection: this instance is of no use until it is opened again."""
        self._gone.set()
        world = self._world
        if world is not None:
            with world.lock:
                world.sessions.discard(self._session)
            if not self.settings.durable:
                end_world(self.target)
        raise FakeError("CONNECTION_LOST", message)

    # ---- long verbs --------------------------------------------------------------------------------------

    def carry_out(
        self, verb: str, native_id: str | None, work: Work[T], *, cancellable: bool = False
    ) -> T | FakeTask[T]:
        """Carry work out at once, or return a task for it, as the options and the faults say. Call it in a round trip."""
        assert self._world is not None
        rule = self._world.faults.take_task(verb, native_id)
        if rule is None and not self.settings.tasks:
            return at_once(work)
        next(work)  # what can be refused is refused by the call itself
        return FakeTask(self, work, self.settings.task_steps, rule, cancellable=cancellable)
