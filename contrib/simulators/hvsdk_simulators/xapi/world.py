"""One pool: its objects, its members, its clock."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from random import Random
from typing import Any

from attrs import define, field

from .database import Database, Object
from .failure import Failure
from .options import Options

__all__ = ["Member", "Options", "World"]


@define(eq=False)
class Member:
    """One host of the pool, as something that listens."""

    host: Object
    address: str
    """The invented one of its records."""
    port: int = 0
    certificate: str = ""
    """In PEM."""
    fingerprint: str = ""
    """SHA-256 of the certificate, `sha256:` and hexadecimal digits."""
    context: Any = None
    """What it speaks TLS with."""
    alive: bool = True
    connections: set[Any] = field(factory=set)
    """Open sockets, which are cut when the host dies."""


class World:
    """A pool. Whoever reads or writes it holds `lock`, which every change notifies."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.lock = threading.Condition(threading.RLock())
        self.random = Random(options.seed)
        self.db = Database(self.lock, self.random)
        self.members: list[Member] = []
        self.storage: Any = None
        """What makes, copies and destroys disks; the storage package puts it here."""
        self.disks: Any = None
        """The contents of disks; the storage package puts them here."""
        self.stopping = False
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._timer_thread: threading.Thread | None = None
        self._due = threading.Condition()

    @property
    def pool(self) -> Object:
        """The one pool object."""
        return self.db.all("pool")[0]

    @property
    def master(self) -> Object:
        """The host that answers for the pool."""
        return self.db.get("host", self.pool["master"])

    def member_of(self, host: Object) -> Member:
        """Return what listens for a host, or raise HANDLE_INVALID for one that has left the pool."""
        found = next((member for member in self.members if member.host is host), None)
        if found is None:
            raise Failure("HANDLE_INVALID", "host", host.ref)
        return found

    def new_mac(self) -> str:
        """Make a MAC of the kind that the product makes: of local administration, for one station."""
        octets = bytearray(self.random.getrandbits(48).to_bytes(6, "big"))
        octets[0] = octets[0] & 0xFC | 0x02
        return ":".join(f"{octet:02x}" for octet in octets)

    def now(self) -> datetime:
        """The time, to the second: XAPI knows no parts of one."""
        return datetime.now(UTC).replace(microsecond=0)

    def later(self, seconds: float, function: Callable[[], None]) -> None:
        """Call a function when a time has passed, with the lock held.

        A `Failure` ends it, and nobody hears of that: what was true when it was asked for need not be so any more.
        """
        with self._due:
            heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._numbers), function))
            if self._timer_thread is None:
                self._timer_thread = threading.Thread(target=self._keep_time, name="timers", daemon=True)
                self._timer_thread.start()
            self._due.notify()

    def stop(self) -> None:
        """End the clock and all that waits, and give up the content of the disks."""
        with self.lock:
            self.stopping = True
            self.lock.notify_all()
        with self._due:
            self._due.notify()
        if self._timer_thread is not None:
            self._timer_thread.join()
        if self.disks is not None:
            self.disks.close()

    def _keep_time(self) -> None:
        while (function := self._next_due()) is not None:
            with self.lock, suppress(Failure):
                function()

    def _next_due(self) -> Callable[[], None] | None:
        with self._due:
            while not self.stopping:
                left = self._timers[0][0] - time.monotonic() if self._timers else None
                if left is not None and left <= 0:
                    return heapq.heappop(self._timers)[2]
                self._due.wait(left)
            return None
