"""The one door to a driver: opening, time limits, error translation, renewal of sessions, reconnecting.

Everything above it (`_verbs`, `_waiting`, `_host`) asks the door; nothing else calls a driver.
"""

from __future__ import annotations

import atexit
import functools
import os
import threading
import weakref
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from hvsdk import _worker
from hvsdk._deadline import Deadline
from hvsdk._driver.base import Driver, Operation, Unsupported, current_operation
from hvsdk.capability import Capability
from hvsdk.errors import (
    AuthenticationError,
    ConnectionLostError,
    HostClosedError,
    HvsdkError,
    OperationTimeoutError,
    SessionExpiredError,
)

if TYPE_CHECKING:
    from logging import Logger

    from hvsdk._driver.backend import Backend
    from hvsdk._driver.target import Target

__all__ = ["Door", "NoAnswer"]

T = TypeVar("T")

AT_ONCE_SECONDS = 0.05
CLOSE_SECONDS = 2.0
"""How long leaving the interpreter waits for sessions to be closed, all together."""


class NoAnswer(Exception):
    """A changing call was sent and no answer came: the connection broke, or the time was up. Its cause tells which."""


class Connection:
    """One open driver instance: the unit that is abandoned when it hangs and replaced when it is lost."""

    __slots__ = ("driver", "limits", "renewals", "slots")

    def __init__(self, driver: Driver, limits: Mapping[Capability, Unsupported]) -> None:
        self.driver: Driver = driver
        self.limits: Mapping[Capability, Unsupported] = limits
        self.slots: threading.Semaphore = threading.Semaphore(driver.max_in_flight)
        self.renewals: int = 0


class _Flight(threading.Event):
    """An opening or renewal that one thread carries out and others wait for."""

    error: BaseException | None = None


class Door:
    """The way to one endpoint's driver.

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
        self.reopens = driver_class.reopens
        self._ever_opened = False
        self._connection: Connection | None = None
        self._flight: _Flight | None = None
        self._lock = threading.Lock()
        _doors.add(self)

    # ---- connections -------------------------------------------------------------------------------------

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
                    raise HostClosedError("this host was closed", backend=self.backend.name, host=self.target.shown())
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
            if flight.error is not None:
                raise self._copy(flight.error)

    def _open(self, flight: _Flight, deadline: Deadline) -> Connection:
        operation = Operation(id="", verb="open", backend=self.backend.name, host=self.target.shown())
        connection = None
        try:
            if self._ever_opened and not self.reopens:
                raise self._dress(ConnectionLostError("the connection is gone, and what it held with it"))
            driver = self._make()
            limit = deadline.sooner(self.timeout)
            try:
                limits = self._run(driver, operation, lambda: self._enter(driver, limit), limit)
            except _worker.NoAnswerError:
                raise self._late("connect", limit) from None
            connection = Connection(driver, limits)
            self._ever_opened, self.reopens = True, driver.reopens
            return connection
        except BaseException as exc:
            flight.error = exc
            raise
        finally:
            with self._lock:
                self._flight = None
                late = connection is not None and self.closed
                if not late:
                    self._connection = connection
            flight.set()
            if late and connection is not None:
                _close_in_background(connection.driver)

    @staticmethod
    def _enter(driver: Driver, deadline: Deadline) -> Mapping[Capability, Unsupported]:
        try:
            driver.open(deadline=deadline)
            return driver.host_limits(deadline=deadline)
        except BaseException:
            driver.close()
            raise

    def _renew(self, connection: Connection, seen: int, deadline: Deadline) -> None:
        """Log in again on the same instance, once for all threads whose session expired together."""
        with self._lock:
            if self._connection is not connection or connection.renewals != seen:
                return  # somebody did it meanwhile
            flight = self._flight
            mine = flight is None
            if flight is None:
                flight = self._flight = _Flight()
        if not mine:
            flight.wait(min(deadline.remaining(), threading.TIMEOUT_MAX))
            return
        operation = Operation(id="", verb="open", backend=self.backend.name, host=self.target.shown())
        limit = deadline.sooner(self.timeout)
        try:
            driver = connection.driver
            self._run(driver, operation, lambda: driver.open(deadline=limit), limit)
            connection.renewals += 1
        except _worker.NoAnswerError:
            self.drop(connection)
            raise self._late("log in again", limit) from None
        except BaseException:
            self.drop(connection)
            raise
        finally:
            with self._lock:
                self._flight = None
            flight.set()

    def drop(self, connection: Connection, *, close: bool = True) -> None:
        """Give up a connection; the next call opens a new one. Its driver is let go on another thread."""
        with self._lock:
            if self._connection is not connection:
                return
            self._connection = None
        if close:
            _close_in_background(connection.driver)

    def close(self, seconds: float = CLOSE_SECONDS) -> None:
        """Close the connection and refuse all further calls; twice is harmless."""
        call = self._begin_close()
        if call is not None:
            try:
                call.result(seconds)
            except _worker.NoAnswerError:
                _log().warning("%s did not close its session within %.0f s", self.target.shown(), seconds)
            except Exception as exc:
                _log().warning("closing %s failed: %s", self.target.shown(), type(exc).__name__)

    def let_go(self) -> None:
        """Close without waiting, for a host that nobody holds any more."""
        self._begin_close()

    def _begin_close(self) -> _worker.Call[None] | None:
        with self._lock:
            self.closed = True
            connection, self._connection = self._connection, None
        return None if connection is None else _worker.submit(connection.driver.close)

    def forget(self) -> None:
        """In a forked child: drop the parent's connection without a word to the server."""
        self._lock = threading.Lock()
        self._flight = None
        connection, self._connection = self._connection, None
        if connection is not None:
            # Its destructor would say goodbye on the parent's socket, at exit at the latest: it must never run here.
            import ctypes  # `_before_fork` has loaded it

            ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection.driver))
            connection.driver.abandon()

    # ---- calls -------------------------------------------------------------------------------------------

    def read(self, operation: Operation, call: Callable[[Driver, Deadline], T], deadline: Deadline) -> T:
        """Call the driver for something that changes nothing; once more after a lost connection.

        Raises:
            OperationTimeoutError: There was no answer in time; that connection is given up.
            HvsdkError: What the driver's errors were translated to.
        """
        for last in (False, True):
            connection = self.open(deadline)
            try:
                return self._call(connection, operation, call, deadline)
            except NoAnswer as exc:
                cause = exc.__cause__
                assert isinstance(cause, HvsdkError)
                if last or not isinstance(cause, ConnectionLostError) or deadline.expired:
                    raise cause from cause.__cause__
        raise AssertionError("unreachable")

    def change(
        self,
        operation: Operation,
        call: Callable[[Driver, Deadline], T],
        deadline: Deadline,
        interrupted: Callable[[Connection, _worker.Call[T]], None] | None = None,
    ) -> tuple[Connection, T]:
        """Call the driver for something that changes something; never twice, unless the server said it did nothing.

        `interrupted` is told when Ctrl-C came while the call was under way. The connection is returned for tasks.

        Raises:
            NoAnswer: It may or may not have been carried out.
            HvsdkError: What the driver's errors were translated to.
        """
        connection = self.open(deadline)
        return connection, self._call(connection, operation, call, deadline, interrupted)

    def on(
        self, connection: Connection, operation: Operation, call: Callable[[Driver, Deadline], T], deadline: Deadline
    ) -> T:
        """Call a driver on a given connection, for what lives on it: tasks, readers, writers."""
        return self._call(connection, operation, call, deadline)

    def _call(
        self,
        connection: Connection,
        operation: Operation,
        call: Callable[[Driver, Deadline], T],
        deadline: Deadline,
        interrupted: Callable[[Connection, _worker.Call[T]], None] | None = None,
    ) -> T:
        driver = connection.driver
        for last in (False, True):
            seen = connection.renewals
            if deadline.expired:
                raise self._late(operation.verb, deadline, ", which was not begun,")
            limit = deadline.sooner(self.timeout)
            if not connection.slots.acquire(timeout=min(limit.remaining(), threading.TIMEOUT_MAX)):
                raise self._late(operation.verb, limit, " in the queue for the connection")
            running = _worker.submit(functools.partial(self._work, connection, operation, call, limit))
            try:
                return running.result(limit.remaining())
            except _worker.NoAnswerError:
                self.drop(connection, close=False)
                _close_after(running, driver)
                raise NoAnswer from self._late(operation.verb, limit)
            except KeyboardInterrupt:
                if interrupted is not None:
                    interrupted(connection, running)
                raise
            except SessionExpiredError as exc:
                if last:
                    self.drop(connection)
                    raise self._dress(
                        AuthenticationError(f"the server gave up the session twice during {operation.verb}")
                    ) from exc
                self._renew(connection, seen, deadline)
            except ConnectionLostError as exc:
                self.drop(connection)
                if limit.remaining() < AT_ONCE_SECONDS:  # the client library's own limit ran out a moment before ours
                    late = self._late(operation.verb, limit)
                    late.__cause__ = exc
                    raise NoAnswer from late
                raise NoAnswer from exc
        raise AssertionError("unreachable")

    def _work(
        self, connection: Connection, operation: Operation, call: Callable[[Driver, Deadline], T], deadline: Deadline
    ) -> T:
        driver = connection.driver
        try:
            return self._translated(driver, operation, lambda: call(driver, deadline))
        finally:
            connection.slots.release()

    def _run(self, driver: Driver, operation: Operation, call: Callable[[], T], deadline: Deadline) -> T:
        return _worker.run(lambda: self._translated(driver, operation, call), deadline.remaining())

    def _translated(self, driver: Driver, operation: Operation, call: Callable[[], T]) -> T:
        current_operation.set(operation)  # in the worker's own copy of the context
        try:
            return call()
        except HvsdkError as exc:
            self._dress(exc)
            raise
        except Exception as exc:
            error = self._translate(driver, exc, operation)
            if error is None:
                raise
            raise self._dress(error) from exc

    @staticmethod
    def _translate(driver: Driver, exc: Exception, operation: Operation) -> HvsdkError | None:
        try:
            return type(driver).translate(exc, operation)
        except Exception as broken:
            _log().error("%s.translate failed: %s", type(driver).__name__, type(broken).__name__)
            return None

    def _dress(self, error: HvsdkError) -> HvsdkError:
        error.backend = error.backend or self.backend.name
        error.host = error.host or self.target.shown()
        return error

    def _late(self, verb: str, limit: Deadline, where: str = "") -> OperationTimeoutError:
        error = OperationTimeoutError(
            f"no answer to {verb}{where} in time",
            hint="see whether the server is up; timeout= of connect sets how long one answer may take",
        )
        self._dress(error)
        return error

    @staticmethod
    def _copy(error: BaseException) -> BaseException:
        """Return an error for a second thread: a traceback belongs to one."""
        if isinstance(error, HvsdkError):
            function, arguments = error.__reduce__()[:2]
            copy: HvsdkError = function(*arguments)
            copy.__cause__ = error.__cause__
            return copy
        if isinstance(error, Exception):
            return error
        return ConnectionLostError("the opening of the connection was interrupted")


def _close_in_background(driver: Driver) -> None:
    def close() -> None:
        try:
            driver.close()
        except Exception as exc:
            _log().debug("closing a lost connection: %s", type(exc).__name__)

    _worker.submit(close)


def _close_after(running: _worker.Call[Any], driver: Driver) -> None:
    """Close an abandoned driver once the call that hung on it has come back, on a thread of its own."""

    def close() -> None:
        try:
            running.result(float("inf"))
        except BaseException as exc:
            _log().debug("an abandoned call ended: %s", type(exc).__name__)
        _close_in_background(driver)

    _worker.submit(close)


def _log() -> Logger:
    from logging import getLogger

    return getLogger("hvsdk")


_doors: weakref.WeakSet[Door] = weakref.WeakSet()


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
