"""What a `Watch` watches: a sibling of the host's driver, behind a door of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from hvsdk._deadline import Deadline
from hvsdk._door import Connection, Door, NoAnswer, cause_of
from hvsdk._driver.base import Driver
from hvsdk._operation import STATE, new_operation
from hvsdk.capability import Capability
from hvsdk.errors import ConnectionLostError, HostClosedError

if TYPE_CHECKING:
    from hvsdk._domain import Domain
    from hvsdk._driver.base import Change
    from hvsdk._host import Host
    from hvsdk.models import DomainInfo

__all__ = ["HostWatchSource"]

T = TypeVar("T")


class HostWatchSource:
    """A connection of its own to the host's endpoint."""

    def __init__(self, host: Host) -> None:
        """Keep the host; its door is opened when the first question comes."""
        main = host._door
        main.open(host._deadline())
        self.host = host
        self._operation = new_operation(host, "watch")
        self._connection: Connection | None = None

        def make() -> Driver:
            return main.open(Deadline(main.timeout)).driver.sibling()

        self._door = Door(main.backend, main.driver_class, main.target, make=make)
        self._door.gate = main.gate
        self.can_push = host.supports(Capability.WATCH)

    def subscribe(self) -> Any:
        """Return a token from which on changes are told."""
        return self._read(lambda driver, limit: driver.watch(None, 0.0, deadline=limit))[1]

    def changes(self, token: Any, seconds: float) -> tuple[Iterable[Change], Any]:
        """Wait for changes."""
        seconds = min(seconds, self._door.timeout / 2)

        def call(driver: Driver, limit: Deadline) -> tuple[Iterable[Change], Any]:
            found, after = driver.watch(token, seconds, deadline=limit)
            return list(found), after

        return self._read(call)

    def listing(self) -> list[DomainInfo]:
        """Return the summary of all domains."""
        return self._read(lambda driver, limit: list(driver.list_domains(STATE, deadline=limit)))

    def reconnect(self) -> None:
        """Give up the connection and open another one."""
        if self._connection is not None:
            self._door.drop(self._connection)
        self._door.open(Deadline(self._door.timeout))

    def handle(self, info: DomainInfo) -> Domain:
        """Return a handle on the host."""
        return self.host._handle(info)

    @property
    def closed(self) -> bool:
        """Whether the host was closed."""
        return self.host.closed

    def close(self) -> None:
        """Close the connection."""
        self._door.close(0.5)

    def _read(self, call: Callable[[Driver, Deadline], T]) -> T:
        """Ask once: a lost connection is for the watch to tell, not to hide."""
        if self.host.closed:
            raise HostClosedError("this host was closed", backend=self.host.backend, host=self.host.url)
        deadline = Deadline(self._door.timeout)
        connection = self._connection = self._door.open(deadline)
        try:
            return self._door.on(connection, self._operation, call, deadline)
        except NoAnswer as silence:
            cause = cause_of(silence)
            if isinstance(cause, ConnectionLostError):
                raise cause from cause.__cause__
            raise ConnectionLostError(
                f"the watched connection does not answer: {cause.message}", backend=cause.backend, host=cause.host
            ) from cause
