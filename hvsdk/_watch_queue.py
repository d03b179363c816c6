"""The events that wait for whoever reads them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable

from hvsdk._event import Event
from hvsdk._watch_diff import kind_of, same
from hvsdk.enums import EventKind
from hvsdk.errors import InvalidSpecError, OperationFailedError

__all__ = ["EventQueue", "folded", "overflow_named"]

OVERFLOWS = ("coalesce", "error")


def overflow_named(overflow: str) -> str:
    """Check what is to happen when a reader is too slow.

    Raises:
        InvalidSpecError: There is no such choice.
    """
    if overflow not in OVERFLOWS:
        raise InvalidSpecError(f"overflow= is 'coalesce' or 'error', not {overflow!r}")
    return overflow


class EventQueue:
    """A queue that a slow reader cannot make grow without bound.

    Args:
        limit: How many events may wait.
        overflow: `"coalesce"`: beyond that they are folded into one net step for each domain; `"error"`: the queue ends.
    """

    def __init__(self, limit: int, overflow: str = "coalesce") -> None:
        self._limit = limit
        self._overflow = overflow
        self._listener: Callable[[], None] | None = None
        self._fold_at = limit
        self._events: list[Event] = []
        self._next = 0
        self._ended = False
        self._closed = False
        self._error: BaseException | None = None
        self._changed = threading.Condition()

    def put(self, event: Event) -> None:
        """Add an event, unless the queue is closed."""
        with self._changed:
            if self._closed:
                return
            if self._error is not None:
                return
            self._events.append(event)
            if len(self._events) - self._next > self._fold_at:
                self._overflows()
            self._changed.notify()
        self._tell()

    def _overflows(self) -> None:
        if self._overflow == "error":
            self._ended = True
            self._error = OperationFailedError(
                f"more than {self._limit} events waited to be read; those that were read are right, later ones are lost",
                hint="read faster, watch with overflow='coalesce', or call watch() again and begin with its domains",
            )
            self._events, self._next = self._events[self._next : self._next + self._limit], 0
            self._changed.notify_all()
            return
        self._events, self._next = folded(self._events[self._next :]), 0
        # what cannot be folded any further must not be gone through again for every event
        self._fold_at = max(self._limit, 2 * len(self._events))

    def listen(self, listener: Callable[[], None] | None) -> None:
        """Have a function called, on any thread, whenever there may be something to read."""
        self._listener = listener

    def _tell(self) -> None:
        listener = self._listener
        if listener is not None:
            listener()

    @property
    def ended(self) -> bool:
        """Whether nothing more will come, and nothing is left to be read but perhaps an error."""
        with self._changed:
            return self._ended and self._next >= len(self._events)

    def get(self, timeout: float | None) -> Event | None:
        """Return the next event; `None` when the time is up or the queue has ended.

        Raises:
            BaseException: What `end` was given, once the events before it have been read.
        """
        if timeout is not None and not timeout >= 0:
            raise ValueError(f"timeout is a number of seconds, 0 or more, not {timeout!r}")
        until = None if timeout is None else time.monotonic() + timeout
        with self._changed:
            while True:
                if self._next < len(self._events):
                    return self._take()
                if self._error is not None:
                    raise self._error
                left = None if until is None else until - time.monotonic()
                if self._ended or (left is not None and left <= 0):
                    return None
                self._changed.wait(None if left is None else min(left, threading.TIMEOUT_MAX))

    def _take(self) -> Event:
        event = self._events[self._next]
        self._next += 1
        if self._next == len(self._events) or self._next > self._limit:
            self._events, self._next = self._events[self._next :], 0
        return event

    def end(self, error: BaseException | None = None) -> None:
        """Say that nothing more will come, and why; what is pending can still be read."""
        with self._changed:
            self._ended = True
            if not self._closed and self._error is None:
                self._error = error
            self._changed.notify_all()
        self._tell()

    def close(self) -> None:
        """Drop what is pending, and wake all readers."""
        with self._changed:
            self._ended = self._closed = True
            self._events, self._next, self._error = [], 0, None
            self._changed.notify_all()
        self._tell()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed


def folded(events: Iterable[Event]) -> list[Event]:
    """Return events with the same effect, at most one for each domain and two for the host."""
    net: dict[str, Event] = {}
    connection: list[Event] = []
    for event in events:
        native_id = event.native_id
        if native_id is None:
            connection.append(event)
            continue
        earlier = net.pop(native_id, None)
        merged = event if earlier is None else _merged(earlier, event)
        if merged is not None:
            net[native_id] = merged
    back = [event for event in connection[:1] if event.kind == EventKind.HOST_BACK]
    lost = [event for event in connection[-1:] if event.kind == EventKind.HOST_LOST]
    return [*back, *net.values(), *lost]


def _merged(earlier: Event, later: Event) -> Event | None:
    before, after = earlier.before, later.after
    if before is None and after is None:
        return None
    kind = kind_of(before, before, after)
    if before is not None and after is not None:
        if same(before, after):
            if not (_hidden(earlier) or _hidden(later)):
                return None
            kind = EventKind.CHANGED
        elif later.kind == EventKind.CRASHED:
            kind = later.kind
    return Event(host=later.host, domain=later.domain, kind=kind, before=before, after=after, at=later.at)


def _hidden(event: Event) -> bool:
    """Return whether it tells a change that the summary does not show."""
    return event.before is not None and event.after is not None and same(event.before, event.after)
