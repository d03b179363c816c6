"""The one door to a driver: time limits, error translation, what is repeated after a lost connection and what is not.

Everything above it (`_verbs`, `_waiting`, `_host`) asks the door; nothing else calls a driver.
"""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable
from typing import TypeVar

from hvsdk import _worker
from hvsdk._connection import Connection, close_after
from hvsdk._deadline import Deadline
from hvsdk._door_opening import TIMEOUT, Gone, Opening
from hvsdk._driver.base import Driver
from hvsdk._driver.operation import Operation
from hvsdk._refusal import asked
from hvsdk.errors import AuthenticationError, ConnectionLostError, HostClosedError, HvsdkError, SessionExpiredError

__all__ = ["Connection", "Door", "NoAnswer", "cause_of"]

T = TypeVar("T")

AT_ONCE_SECONDS = 0.05
"""With less than this left of a limit, a lost connection is told as a time-out."""


class NoAnswer(Exception):
    """A changing call was sent and no answer came: the connection broke, or the time was up. Its cause tells which."""


def cause_of(silence: NoAnswer) -> HvsdkError:
    """Return why there was no answer, without the way back to `silence`, which would be a cycle of tracebacks."""
    cause = silence.__cause__
    assert isinstance(cause, HvsdkError)
    silence.__cause__ = silence.__context__ = None
    return cause


class Door(Opening):
    """The way to one endpoint's driver: calls, on the connection that `Opening` keeps."""

    def read(
        self,
        operation: Operation,
        call: Callable[[Driver, Deadline], T],
        deadline: Deadline,
        *,
        question: str | None = None,
    ) -> T:
        """Call the driver for something that changes nothing; once more after a lost connection.

        Args:
            question: What is asked, for messages, where it is not what the operation is called by.

        Raises:
            OperationTimeoutError: There was no answer in time; that connection is given up.
            HvsdkError: What the driver's errors were translated to.
        """
        for last in (False, True):
            try:
                return self._on_present(operation, call, deadline, question=question)[1]
            except NoAnswer as silence:
                cause = cause_of(silence)
            try:
                if last or not isinstance(cause, ConnectionLostError) or deadline.expired:
                    raise cause from cause.__cause__
            finally:
                del cause
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
        return self._on_present(operation, call, deadline, interrupted)

    def on(
        self, connection: Connection, operation: Operation, call: Callable[[Driver, Deadline], T], deadline: Deadline
    ) -> T:
        """Call a driver on a given connection, for what lives on it: tasks, readers, writers.

        Raises:
            NoAnswer: There was none, or the connection is gone.
            HostClosedError: The host was closed, or the connection is another process's.
        """
        if self.closed:
            raise self._closed()
        if connection.pid != os.getpid():
            raise self._dress(HostClosedError("this was opened before a fork, and belongs to the parent process"))
        try:
            return self._call(connection, operation, call, deadline)
        except Gone:
            raise NoAnswer from self._dress(ConnectionLostError("the connection that this was on is gone"))

    def _on_present(
        self,
        operation: Operation,
        call: Callable[[Driver, Deadline], T],
        deadline: Deadline,
        interrupted: Callable[[Connection, _worker.Call[T]], None] | None = None,
        question: str | None = None,
    ) -> tuple[Connection, T]:
        while True:
            connection = self.open(deadline)
            try:
                return connection, self._call(connection, operation, call, deadline, interrupted, question)
            except Gone:
                continue  # somebody else gave it up before this call was sent

    def _call(
        self,
        connection: Connection,
        operation: Operation,
        call: Callable[[Driver, Deadline], T],
        deadline: Deadline,
        interrupted: Callable[[Connection, _worker.Call[T]], None] | None = None,
        question: str | None = None,
    ) -> T:
        driver = connection.driver
        what = question or asked(operation)
        for last in (False, True):
            seen = connection.renewals
            limit = deadline.sooner(self.timeout, TIMEOUT)
            running = self._begin(connection, operation, call, deadline, limit, what)
            try:
                return running.result(limit.remaining())
            except _worker.NoAnswerError:
                self.drop(connection, close=False)
                close_after(running, driver)
                raise NoAnswer from self._late(what, limit)
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
                    raise NoAnswer from self._late(what, limit, cause=exc)
                raise NoAnswer from exc
            except BaseException as exc:
                if not running.raised(exc):  # Ctrl-C, or what another signal's handler raised
                    self._leave(connection, running, limit)
                    if interrupted is not None:
                        interrupted(connection, running)
                raise
            finally:
                del running  # its error's traceback leads here
        raise AssertionError("unreachable")

    def _begin(
        self,
        connection: Connection,
        operation: Operation,
        call: Callable[[Driver, Deadline], T],
        deadline: Deadline,
        limit: Deadline,
        what: str,
    ) -> _worker.Call[T]:
        """Wait for a slot and begin the call."""
        if deadline.expired:
            raise self._late(what, deadline, f"no time was left for {what}: it was not begun")
        if not connection.slots.acquire(timeout=min(limit.remaining(), threading.TIMEOUT_MAX)):
            waited = f"{what} was not begun: the time was up while it waited for others on the connection"
            raise self._late(what, limit, waited)
        try:
            if connection.gone:
                raise Gone
            return _worker.submit(functools.partial(self._work, connection, operation, call, limit))
        except BaseException:
            connection.slots.release()
            raise

    def _leave(self, connection: Connection, running: _worker.Call[T], limit: Deadline) -> None:
        """Give up the connection when a call whose caller was interrupted has not come back in its time."""

        def watch() -> None:
            if not running.wait(limit.remaining()):
                self.drop(connection, close=False)
                close_after(running, connection.driver)

        _worker.submit(watch)

    def _work(
        self, connection: Connection, operation: Operation, call: Callable[[Driver, Deadline], T], deadline: Deadline
    ) -> T:
        driver = connection.driver
        try:
            return self._translated(driver, operation, lambda: call(driver, deadline))
        finally:
            connection.slots.release()
