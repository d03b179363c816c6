"""Opening a connection and giving it up: one for all threads, renewed once, closed at exit, forgotten in a forked child."""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import threading
import weakref
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from hvsdk import _worker
from hvsdk._connection import Connection, close_after, close_in_background, log
from hvsdk._deadline import Deadline
from hvsdk._door_errors import DoorErrors
from hvsdk._driver.base import Driver, Unsupported
from hvsdk.capability import Capability
from hvsdk.errors import ConnectError, ConnectionLostError, OperationTimeoutError

if TYPE_CHECKING:
    from hvsdk._driver.backend import Backend
    from hvsdk._driver.target import Target

__all__ = ["TIMEOUT", "Gate", "Gone", "Opening"]

T = TypeVar("T")

TIMEOUT = "timeout= of connect"
"""The limit of one round trip, in the words of messages."""
UNREACHED = "see whether the server is up, and whether host and port in the URL are right"
CLOSE_SECONDS = 2.0
"""How long leaving the interpreter waits for sessions to be closed, all together."""


class Gate(Protocol):
    """What keeps a fleet from trying a refused password on all its hosts."""

    def __call__(self, login: Callable[[], T], /) -> T:
        """Carry out a login, when it may be, or raise why not."""

    def give_up(self) -> None:
        """Take in that nobody waits any more for the login that is under way."""


class Gone(Exception):
    """The connection was given up before anything was sent on it."""


class _Flight(threading.Event):
    """An opening or renewal that one thread carries out and others wait for."""

    error: BaseException | None = None
    personal: bool = False
    """The error concerns that one thread: it was interrupted, or had less time than an answer may take."""


class Opening(DoorErrors):
    """The present connection to one endpoint, if there is one, and the making of the next.

    Args:
        make: Makes a new driver instance, without I/O.
        timeout: Seconds that one round trip may take.
    """

    def __init__(
        self, backend: Backend, driver_class: type[Driver], target: Target, *, make: Callable[[], Driver] | None = None
    ) -> None:
        self.backend = backend
        self.driver_class = driver_class
        self.target = target
        self.timeout: float = target.timeout
        self.offered: frozenset[Capability] = driver_class.offers()
        self.closed: bool = False
        self._make = make or functools.partial(driver_class, target)
        self.gate: Gate | None = None
        self.reopens: bool = driver_class.reopens
        self._ever_opened = False
        self._connection: Connection | None = None
        self._flight: _Flight | None = None
        # Reentrant, since the finalizer of a host may run anywhere, also where this thread holds it.
        self._lock = threading.RLock()
        _doors.add(self)

    @property
    def ever_opened(self) -> bool:
        """Whether there has been a connection."""
        return self._ever_opened

    def open(self, deadline: Deadline) -> Connection:
        """Return the connection, opened now if there is none; several threads share one opening.

        Raises:
            HostClosedError: The host was closed.
            ConnectError: It cannot be opened; nothing was sent.
            OperationTimeoutError: The server did not answer in time.
        """
        while True:
            with self._lock:
                if self.closed:
                    raise self._closed()
                connection = self._connection
                if connection is not None:
                    return connection
                flight = self._flight
                mine = flight is None
                if flight is None:
                    flight = self._flight = _Flight()
            if mine:
                return self._open(flight, deadline)
            if not flight.wait(min(deadline.remaining(), threading.TIMEOUT_MAX)):
                raise self._late("open", deadline)
            if flight.error is not None and not flight.personal:
                raise self._copy(flight.error)

    def _open(self, flight: _Flight, deadline: Deadline) -> Connection:
        connection = None
        hurried = deadline.remaining() < self.timeout
        try:
            connection = self._new_connection(deadline)
        except BaseException as exc:
            flight.error = exc
            flight.personal = not isinstance(exc, Exception) or (hurried and isinstance(exc, OperationTimeoutError))
            raise
        finally:
            with self._lock:
                self._flight = None
                late = self.closed
                if not late:
                    self._connection = connection
            flight.set()
        if late:
            close_in_background(connection.driver)
            raise self._closed()
        return connection

    def _new_connection(self, deadline: Deadline) -> Connection:
        if self._ever_opened and not self.reopens:
            raise self._dress(ConnectionLostError("the connection is gone, and what it held with it"))
        driver = self._make()
        limit = deadline.sooner(self.timeout, TIMEOUT)
        operation = self._opening()
        enter = functools.partial(self._enter, driver, limit)
        running = self._through_gate(functools.partial(self._translated, driver, operation, enter))
        try:
            limits = running.result(limit.remaining())
        except _worker.NoAnswerError:
            raise self._late("connect", limit) from None
        except ConnectError as exc:
            if type(exc) in (ConnectError, ConnectionLostError):
                exc.hint = exc.hint or UNREACHED
            raise
        finally:
            if not running.done:  # given up or interrupted: the session that may still come of it is closed
                self._left_alone(running, driver)
            del running
        self._ever_opened, self.reopens = True, driver.reopens
        return Connection(driver, limits)

    def _through_gate(self, login: Callable[[], T]) -> _worker.Call[T]:
        """Begin to log in, as soon and if the gate lets it."""
        gate = self.gate
        return _worker.submit(login if gate is None else functools.partial(gate, login))

    def _left_alone(self, running: _worker.Call[Any], driver: Driver) -> None:
        close_after(running, driver)
        if self.gate is not None:
            self.gate.give_up()

    @staticmethod
    def _enter(driver: Driver, deadline: Deadline) -> Mapping[Capability, Unsupported]:
        try:
            driver.open(deadline=deadline)
            return driver.host_limits(deadline=deadline)
        except BaseException:
            try:
                driver.close()
            except Exception as exc:  # why it could not be opened is what the caller has to know
                log().warning("closing what could not be opened failed: %s", type(exc).__name__)
            raise

    def _renew(self, connection: Connection, seen: int, deadline: Deadline) -> None:
        """Log in again on the same instance, once for all threads whose session expired together.

        Raises:
            Gone: The connection was given up meanwhile.
        """
        with self._lock:
            if self._connection is not connection:
                raise Gone
            if connection.renewals != seen:
                return  # somebody did it meanwhile
            flight = self._flight
            mine = flight is None
            if flight is None:
                flight = self._flight = _Flight()
        if mine:
            self._log_in_again(connection, flight, deadline)
        elif not flight.wait(min(deadline.remaining(), threading.TIMEOUT_MAX)):
            raise self._late("log in again", deadline)
        elif flight.error is not None:
            raise Gone if flight.personal else self._copy(flight.error)

    def _log_in_again(self, connection: Connection, flight: _Flight, deadline: Deadline) -> None:
        limit = deadline.sooner(self.timeout, TIMEOUT)
        hurried = deadline.remaining() < self.timeout
        driver = connection.driver
        login = functools.partial(driver.open, deadline=limit)
        running = self._through_gate(functools.partial(self._translated, driver, self._opening(), login))
        try:
            running.result(limit.remaining())
            connection.renewals += 1
        except BaseException as exc:
            self.drop(connection, close=running.done)
            if not running.done:
                self._left_alone(running, driver)
            error = self._late("log in again", limit) if isinstance(exc, _worker.NoAnswerError) else exc
            flight.error = error
            flight.personal = not isinstance(error, Exception) or (hurried and isinstance(error, OperationTimeoutError))
            raise error from error.__cause__
        finally:
            with self._lock:
                self._flight = None
                gone = self._connection is not connection
            flight.set()
            del running
        if gone:  # its session is a new one that nobody would close
            close_in_background(driver)
            raise Gone

    def drop(self, connection: Connection, *, close: bool = True) -> None:
        """Give up a connection; the next call opens a new one. Its driver is let go on another thread."""
        with self._lock:
            if self._connection is not connection:
                return
            self._connection = None
        connection.give_up()
        if close:
            close_in_background(connection.driver)

    def close(self, seconds: float = CLOSE_SECONDS) -> None:
        """Close the connection and refuse all further calls; twice is harmless."""
        call = self._begin_close()
        if call is not None:
            try:
                call.result(seconds)
            except _worker.NoAnswerError:
                log().warning("%s did not close its session within %.0f s", self.target.shown(), seconds)
            except Exception as exc:
                log().warning("closing %s failed: %s", self.target.shown(), type(exc).__name__)

    def let_go(self) -> None:
        """Close without waiting, for a host that nobody holds any more."""
        with contextlib.suppress(RuntimeError):  # no thread can be started: the interpreter is leaving
            self._begin_close()

    def _begin_close(self) -> _worker.Call[None] | None:
        with self._lock:
            self.closed = True
            connection, self._connection = self._connection, None
        if connection is None:
            return None
        connection.give_up()
        return _worker.submit(connection.driver.close)

    def forget(self) -> None:
        """In a forked child: drop the parent's connection without a word to the server."""
        self._lock = threading.RLock()
        self._flight = None
        connection, self._connection = self._connection, None
        if connection is not None:
            # Its destructor would say goodbye on the parent's socket, at exit at the latest: it must never run here.
            import ctypes  # `_before_fork` has loaded it

            ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection.driver))
            connection.driver.abandon()


_doors: weakref.WeakSet[Opening] = weakref.WeakSet()


def _before_fork() -> None:
    """Import what `forget` needs: in the child another thread's lock may stand in the way of an import."""
    if _doors:
        import ctypes  # noqa: F401


def _forget_all() -> None:
    for door in list(_doors):
        door.forget()


def _close_all() -> None:
    deadline = Deadline(CLOSE_SECONDS)
    calls = [call for call in [door._begin_close() for door in list(_doors)] if call is not None]
    for call in calls:
        try:
            call.result(deadline.remaining())
        except (Exception, _worker.NoAnswerError):
            continue  # the interpreter is leaving; there is nobody to tell


os.register_at_fork(before=_before_fork, after_in_child=_forget_all)
atexit.register(_close_all)
