"""`Watch`: the events of a host, as they happen."""

from __future__ import annotations

import contextvars
import os
import threading
import weakref
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, NoReturn, Self

from hvsdk._event import Event
from hvsdk._watch_async import AsyncEvents
from hvsdk._watch_diff import is_listed
from hvsdk._watch_feed import Feed, WatchSource, backoff
from hvsdk._watch_queue import overflow_named
from hvsdk.errors import HostClosedError
from hvsdk.models._domain import DomainInfo

if TYPE_CHECKING:
    from hvsdk._host import Host

__all__ = ["Event", "Watch", "WatchSource"]


class Watch(AsyncEvents):
    """The events of a host, as an iterator without end, on a connection and a thread of its own.

    Events applied to `domains` give the listing now, also across lost connections: `HOST_LOST` is told once, then
    `HOST_BACK`, then what became different meanwhile. No change is told twice and no state that lasts is missed; states
    that follow each other quickly may be folded into one. Whoever reads too slowly gets, beyond 10,000 pending events,
    one event for each domain with the net difference; `async for` reads it in an asyncio program without a thread.

    Close it (`with host.watch() as watch:`), or stop using it: then it closes itself. What cannot be mended by waiting,
    such as a refused login, is raised to whoever reads.

    Example:
        >>> import hvsdk
        >>> host = hvsdk.connect("fake://demo")
        >>> with host.watch() as watch:
        ...     host.domain("web-1").pause()
        ...     print(watch.get(timeout=10))
        <Event paused 'web-1' running -> paused>
    """

    def __init__(
        self,
        source: WatchSource,
        *,
        interval: float = 2.0,
        limit: int = 10_000,
        overflow: str = "coalesce",
        delays: Callable[[], Iterator[float]] = backoff,
        shown: Callable[[DomainInfo], bool] = is_listed,
    ) -> None:
        """List the domains, and begin to follow them; `Host.watch()` makes one.

        Args:
            source: The connection, which is the watch's from here on.
            interval: Seconds between two listings, where the product cannot push.
            limit: Pending events from which on they are folded.
            overflow: `"coalesce"`, or `"error"`: too many pending events end the watch instead.
            delays: Makes the endless sequence of pauses before attempts to reconnect.
            shown: Which domains are told of; one that no longer is counts as removed.

        Raises:
            HvsdkError: The first subscription or listing failed.
        """
        if not interval > 0:
            raise ValueError(f"interval must be more than 0 seconds, not {interval!r}")
        overflow_named(overflow)
        self._host = source.host
        self._pid = os.getpid()
        self._feed = feed = Feed(source, interval=interval, limit=limit, overflow=overflow, delays=delays, shown=shown)
        try:
            self._domains = feed.begin()
        except BaseException:
            source.close()
            raise
        self._closer = weakref.finalize(self, feed.close)
        context = contextvars.copy_context()
        threading.Thread(target=context.run, args=(feed.run,), name="hvsdk-watch", daemon=True).start()

    @property
    def host(self) -> Host:
        """The host that is watched."""
        return self._host

    @property
    def domains(self) -> list[DomainInfo]:
        """The listing that the first event follows."""
        return list(self._domains)

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._feed.queue.closed

    def get(self, timeout: float | None = None) -> Event | None:
        """Return the next event; `None` after `timeout` seconds without one, or when the watch or its host is closed.

        Raises:
            HostClosedError: The watch was made before a fork, in the parent process.
            HvsdkError: The watch has ended because of this error. Other exceptions are raised too: they are bugs.
        """
        if os.getpid() != self._pid:
            raise HostClosedError("this watch belongs to the process that made it", hint="call watch() in this process")
        return self._feed.queue.get(timeout)

    def _listen(self, listener: Callable[[], None] | None) -> None:
        self._feed.queue.listen(listener)

    def _ended(self) -> bool:
        return self._feed.queue.ended

    def close(self) -> None:
        """End it: whoever waits for an event returns, iterations end. May be called from any thread, and twice."""
        self._closer()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Event:
        event = self.get()
        if event is None:
            raise StopIteration
        return event

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Watch {self._host.url!r}{' closed' if self.closed else ''}>"

    def __reduce__(self) -> NoReturn:
        from hvsdk._recipe import refuse_pickle

        refuse_pickle(repr(self), "pickle its host or its events, and call watch() over there")
