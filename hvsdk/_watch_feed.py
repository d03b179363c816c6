"""What runs on the thread of a `Watch`: it asks the source, and makes events of the answers."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import TIMEOUT_MAX
from typing import TYPE_CHECKING, Any, Protocol

from hvsdk import errors
from hvsdk._driver.base import Change
from hvsdk._event import Event
from hvsdk._watch_diff import Difference, DomainTable
from hvsdk._watch_queue import EventQueue
from hvsdk.enums import EventKind
from hvsdk.models._domain import DomainInfo

if TYPE_CHECKING:
    from hvsdk._domain import Domain
    from hvsdk._host import Host

__all__ = ["Feed", "WatchSource", "backoff"]

_SLICE = 5.0
"""Seconds that one call of `changes` may wait: so long a closed watch may keep its connection."""
_RESUBSCRIBE = 0.1
"""Seconds before subscribing again after lost changes: a product that always loses them must not be asked without a
pause."""


class _Stop:
    """An event that a finalizer may set: unlike `threading.Event` it holds no lock that the same thread may have.

    The garbage collector may run the finalizer of a watch on the very thread that waits here. One thread waits.
    """

    def __init__(self) -> None:
        self._wake: SimpleQueue[None] = SimpleQueue()
        self._set = False

    def is_set(self) -> bool:
        return self._set

    def set(self) -> None:
        self._set = True
        self._wake.put(None)

    def wait(self, seconds: float) -> bool:
        if not self._set:
            with suppress(Empty):
                self._wake.get(timeout=min(seconds, TIMEOUT_MAX))
        return self._set


class WatchSource(Protocol):
    """Where a watch gets its news: a connection of its own to one host, with errors translated.

    Only the watch's thread uses it, after the constructor. `ConnectError` (but refused credentials, certificates and a
    closed host) and `OperationTimeoutError` mean that the connection is lost and worth another try; everything else ends
    the watch and is raised to whoever reads it.
    """

    @property
    def host(self) -> Host:
        """The host that events name."""

    @property
    def closed(self) -> bool:
        """Whether the host is closed; then the watch ends without an error."""

    @property
    def can_push(self) -> bool:
        """Whether `subscribe` and `changes` can be used on the present connection."""

    def subscribe(self) -> Any:
        """Begin to collect changes, and return the token to ask for them."""

    def changes(self, token: Any, seconds: float) -> tuple[Iterable[Change], Any]:
        """Return what changed since `token`, waiting for something up to `seconds`, and the next token.

        A next token of `None` says that changes were lost.
        """

    def listing(self) -> Iterable[DomainInfo]:
        """Return the summary of all domains, templates and control domains too."""

    def reconnect(self) -> None:
        """Give up the connection and open another one."""

    def handle(self, info: DomainInfo) -> Domain:
        """Return the handle that an event carries. No I/O."""

    def close(self) -> None:
        """Give the connection up; called once, last."""


def backoff() -> Iterator[float]:
    """Yield without end the pauses between attempts to reconnect: 0.2 s, doubled up to 30 s, each with jitter."""
    pause = 0.2
    while True:
        yield pause * random.uniform(0.5, 1.0)
        pause = min(30.0, pause * 2)


class Feed:
    """Keeps a table of a host's domains true, and puts an event into `queue` for every step."""

    def __init__(
        self,
        source: WatchSource,
        *,
        interval: float,
        limit: int,
        overflow: str,
        delays: Callable[[], Iterator[float]],
        shown: Callable[[DomainInfo], bool],
    ) -> None:
        self.queue = EventQueue(limit, overflow)
        self._source = source
        self._interval = interval
        self._delays = delays
        self._table = DomainTable(shown)
        self._stop = _Stop()
        self._pushes = False
        self._token: Any = None
        self._fresh = True

    def begin(self) -> list[DomainInfo]:
        """Subscribe and list for the first time, on the caller's thread."""
        return self._table.load(self._listing())

    def close(self) -> None:
        """End it, from any thread; the thread follows when its present call returns."""
        self._stop.set()
        self.queue.close()

    def run(self) -> None:
        """Follow the host until it or the watch is closed, or something goes wrong that waiting does not mend."""
        try:
            self._follow()
        except BaseException as exc:  # handed to whoever reads
            self.queue.end(None if self._source.closed or isinstance(exc, errors.HostClosedError) else exc)
        else:
            self.queue.end()
        finally:
            self._source.close()

    def _follow(self) -> None:
        while not (self._stop.is_set() or self._source.closed):
            try:
                self._round()
            except errors.HvsdkError as exc:
                if self._source.closed or not _is_lost(exc):
                    raise
                if not (isinstance(exc, errors.SessionExpiredError) and self._renewed()):
                    self._recover()

    def _round(self) -> None:
        if not self._pushes:
            if not self._stop.wait(self._interval):
                self._tell(self._table.replace(self._source.listing()))
            return
        changes, token = self._source.changes(self._token, _SLICE)
        self._apply(changes)
        self._token = token
        if token is None and not self._stop.wait(_RESUBSCRIBE):
            self._tell(self._table.replace(self._listing()))

    def _listing(self) -> list[DomainInfo]:
        """Subscribe first, then list: what happens in between is told by the changes."""
        self._pushes = self._source.can_push
        if self._pushes:
            self._token = self._source.subscribe()
        self._fresh = True
        return list(self._source.listing())

    def _apply(self, changes: Iterable[Change]) -> None:
        if self._fresh:
            # Some of these are older than the listing and contained in it: only where they lead to counts.
            changes = _last_of_each(changes)
            self._fresh = False
        for change in changes:
            self._tell(self._table.step(change.native_id, change.info, change.kind))

    def _renewed(self) -> bool:
        """Log in again after a session has ended, which is no loss of the host; return whether that was possible."""
        try:
            self._source.reconnect()
            infos = self._listing()
        except errors.HvsdkError as exc:
            if self._source.closed or not _is_lost(exc):
                raise
            return False
        self._tell(self._table.replace(infos))
        return True

    def _recover(self) -> None:
        self._emit(Event(host=self._source.host, kind=EventKind.HOST_LOST))
        for pause in self._delays():
            if self._stop.wait(pause) or self._source.closed:
                return
            try:
                self._source.reconnect()
                infos = self._listing()
            except errors.HvsdkError as exc:
                if self._source.closed or not _is_lost(exc):
                    raise
                continue
            self._emit(Event(host=self._source.host, kind=EventKind.HOST_BACK))
            self._tell(self._table.replace(infos))
            return

    def _tell(self, differences: Iterable[Difference]) -> None:
        for kind, before, after in differences:
            info = after or before
            domain = self._source.handle(info) if info is not None else None
            self._emit(Event(host=self._source.host, domain=domain, kind=kind, before=before, after=after))

    def _emit(self, event: Event) -> None:
        from hvsdk import _hook_calls

        if not self._stop.is_set():
            self.queue.put(event)
            _hook_calls.event(event)


def _is_lost(error: errors.HvsdkError) -> bool:
    """Return whether connecting again may help. Refused credentials are not tried again: that locks accounts."""
    final = (errors.AuthenticationError, errors.CertificateError, errors.HostClosedError)
    return isinstance(error, (errors.ConnectError, errors.OperationTimeoutError)) and not isinstance(error, final)


def _last_of_each(changes: Iterable[Change]) -> list[Change]:
    last: dict[str, Change] = {}
    for change in changes:
        earlier = last.pop(change.native_id, None)
        kind = change.kind or (earlier.kind if earlier else None)
        last[change.native_id] = Change(native_id=change.native_id, info=change.info, kind=kind)
    return list(last.values())
