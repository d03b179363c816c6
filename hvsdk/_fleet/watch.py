"""`FleetWatch`: the events of all hosts of a fleet, as one stream."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from heapq import heappop, heappush
from typing import TYPE_CHECKING, NoReturn, Self

from hvsdk import _worker
from hvsdk._event import Event
from hvsdk._fleet.result import Failure
from hvsdk._watch import Watch
from hvsdk._watch_async import AsyncEvents
from hvsdk._watch_feed import backoff
from hvsdk._watch_queue import overflow_named
from hvsdk.enums import EventKind
from hvsdk.errors import AuthenticationError, ConnectError, HostClosedError, HvsdkError, OperationTimeoutError

if TYPE_CHECKING:
    from hvsdk._fleet.fleet import Fleet
    from hvsdk._fleet.member import Member
    from hvsdk.models import DomainInfo

__all__ = ["FleetWatch"]

LEAST = 100
"""Events of one host that may wait, however many hosts there are."""
BEGIN_SECONDS = 60.0
"""How long the beginning waits for hosts that say nothing; they come in later."""


class FleetWatch(AsyncEvents):
    """The events of all hosts of a fleet, as an iterator without end.

    Events applied to `domains` give the listing now: what holds for the `Watch` of one host holds for each. A host that
    cannot be reached when the watch begins, or is lost, is told as `HOST_LOST`, tried again with growing pauses, and told
    as `HOST_BACK` with its domains as `DEFINED`. One that refuses its credentials is left alone and stands in `failures`.

    Close it (`with fleet.watch() as watch:`); `close` may be called from any thread, and closing the fleet does it too.
    """

    def __init__(
        self,
        fleet: Fleet,
        members: Sequence[Member],
        *,
        interval: float,
        limit: int,
        overflow: str,
        delays: Callable[[], Iterator[float]] = backoff,
    ) -> None:
        """Begin to follow these hosts; `Fleet.watch()` makes one."""
        overflow_named(overflow)
        self._fleet = fleet
        self._pid = os.getpid()
        self._members = members
        self._make = partial(
            _watch, interval=interval, limit=max(LEAST, limit // max(1, len(members))), overflow=overflow
        )
        self._delays = delays
        self._changed = threading.Condition()
        self._ready: deque[Watch] = deque()
        """Watches that may have something to read, each at most once."""
        self._own: deque[Event] = deque()
        """Events that no watch tells: of hosts whose watch does not exist yet."""
        self._watches: dict[Watch, Member] = {}
        self._failures: dict[str, Failure] = {}
        self._closed = False
        self._listener: Callable[[], None] | None = None
        self._again: list[tuple[float, int, Member, Iterator[float]]] = []
        self._wake = threading.Event()
        self._domains = self._begin()
        threading.Thread(target=self._try_again, name="hvsdk-fleet-watch", daemon=True).start()

    # ---- beginning ---------------------------------------------------------------------------------------

    def _begin(self) -> list[DomainInfo]:
        began = time.monotonic()
        calls = [(member, _worker.submit(partial(self._make, member))) for member in self._members]
        domains: list[DomainInfo] = []
        for member, call in calls:
            left = max(0.0, BEGIN_SECONDS - (time.monotonic() - began))
            try:
                watch = call.result(left)
            except _worker.NoAnswerError:
                self._lost(member, OperationTimeoutError(f"{member.url} did not answer", host=member.url))
                _worker.submit(partial(_close_late, call))
            except HvsdkError as exc:
                self._lost(member, exc)
            else:
                domains += watch.domains
                self._follow(member, watch)
        return domains

    def _follow(self, member: Member, watch: Watch) -> None:
        """Read from a watch from now on."""
        with self._changed:
            self._failures.pop(member.name, None)
            self._watches[watch] = member
            closed = self._closed
        watch._listen(partial(self._news, watch))
        self._news(watch)  # what came before anybody listened
        if closed:
            watch.close()

    def _lost(self, member: Member, error: HvsdkError) -> None:
        """Take in that a host cannot be watched now, and see whether it will be tried again."""
        with self._changed:
            known = member.name in self._failures
            self._failures[member.name] = Failure(host=member.name, url=member.url, error=error)
            if not known:
                self._own.append(Event(host=member.host(), kind=EventKind.HOST_LOST))
                self._changed.notify()
        if _worth_another_try(error):
            self._later(member, self._delays())
        self._tell()

    def _later(self, member: Member, delays: Iterator[float]) -> None:
        with self._changed:
            heappush(self._again, (time.monotonic() + next(delays), id(member), member, delays))
        self._wake.set()

    def _try_again(self) -> None:
        """Run on a thread of its own: reach for the hosts that are not watched, each when its pause is over."""
        while not self._closed:
            with self._changed:
                pause = self._again[0][0] - time.monotonic() if self._again else None
            if pause is None or pause > 0:
                self._wake.wait(pause)
                self._wake.clear()
                continue
            with self._changed:
                if not self._again:
                    continue
                _, _, member, delays = heappop(self._again)
            _worker.submit(partial(self._try, member, delays))

    def _try(self, member: Member, delays: Iterator[float]) -> None:
        if self._closed:
            return
        try:
            watch = self._make(member)
        except HvsdkError as exc:
            with self._changed:
                self._failures[member.name] = Failure(host=member.name, url=member.url, error=exc)
            if _worth_another_try(exc):
                self._later(member, delays)
            return
        with self._changed:
            self._own.append(Event(host=watch.host, kind=EventKind.HOST_BACK))
            for info in watch.domains:
                domain = watch.host._handle(info)
                self._own.append(Event(host=watch.host, domain=domain, kind=EventKind.DEFINED, before=None, after=info))
            self._changed.notify()
        self._follow(member, watch)
        self._tell()

    # ---- reading -----------------------------------------------------------------------------------------

    @property
    def domains(self) -> list[DomainInfo]:
        """The listing that the first event follows, of the hosts that answered."""
        return list(self._domains)

    @property
    def failures(self) -> tuple[Failure, ...]:
        """The hosts that are not watched now, and why."""
        with self._changed:
            return tuple(self._failures.values())

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def get(self, timeout: float | None = None) -> Event | None:
        """Return the next event; `None` after `timeout` seconds without one, or when the watch is closed.

        Raises:
            HostClosedError: The watch was made before a fork, in the parent process.
            HvsdkError: With `overflow="error"`: too many events of one host waited to be read.
        """
        if os.getpid() != self._pid:
            raise HostClosedError("this watch belongs to the process that made it", hint="call watch() in this process")
        until = None if timeout is None else time.monotonic() + timeout
        while True:
            with self._changed:
                while not (self._own or self._ready or self._closed):
                    left = None if until is None else until - time.monotonic()
                    if left is not None and left <= 0:
                        return None
                    self._changed.wait(None if left is None else min(left, threading.TIMEOUT_MAX))
                if self._closed:
                    return None
                if self._own:
                    return self._own.popleft()
                watch = self._ready.popleft()
            event = self._read(watch)
            if event is not None:
                return event

    def _read(self, watch: Watch) -> Event | None:
        try:
            event = watch.get(0)
        except (ConnectError, OperationTimeoutError) as exc:
            member = self._drop(watch)
            if member is not None:
                self._lost(member, exc)
            return None
        if event is not None:
            self._news(watch)  # there may be more, after those of the others
        elif watch._ended():
            self._drop(watch)
        return event

    def _drop(self, watch: Watch) -> Member | None:
        watch._listen(None)
        with self._changed:
            return self._watches.pop(watch, None)

    def _news(self, watch: Watch) -> None:
        with self._changed:
            if watch not in self._ready:
                self._ready.append(watch)
            self._changed.notify()
        self._tell()

    def _listen(self, listener: Callable[[], None] | None) -> None:
        self._listener = listener

    def _tell(self) -> None:
        listener = self._listener
        if listener is not None:
            listener()

    def _ended(self) -> bool:
        return self._closed

    def close(self) -> None:
        """End it: whoever waits for an event returns, iterations end. May be called from any thread, and twice."""
        with self._changed:
            self._closed = True
            watches = list(self._watches)
            self._watches.clear()
            self._own.clear()
            self._ready.clear()
            self._changed.notify_all()
        self._wake.set()
        for watch in watches:
            watch._listen(None)
            watch.close()
        self._tell()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Event:
        event = self.get()
        if event is None:
            raise StopIteration
        return event

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<FleetWatch of {len(self._members)} hosts{', closed' if self._closed else ''}>"

    def __reduce__(self) -> NoReturn:
        from hvsdk._recipe import refuse_pickle

        refuse_pickle(repr(self), "pickle its events, and call watch() over there")


def _watch(member: Member, *, interval: float, limit: int, overflow: str) -> Watch:
    """Begin to watch one host. Its circuit is not asked: the pauses between attempts are the watch's own."""
    return member.host().watch(interval=interval, limit=limit, overflow=overflow)


def _close_late(call: _worker.Call[Watch]) -> None:
    """Close a watch that came too late to be followed."""
    try:
        call.result(float("inf")).close()
    except HvsdkError:
        return


def _worth_another_try(error: HvsdkError) -> bool:
    """Whether waiting may help. Refused credentials are not tried again: that locks accounts."""
    return isinstance(error, (ConnectError, OperationTimeoutError)) and not isinstance(
        error, (AuthenticationError, HostClosedError)
    )
