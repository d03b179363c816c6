"""A disk as one HTTP stream of XAPI's. Whether all of it came is told by a task, not by the HTTP status."""

from __future__ import annotations

import contextlib
import http.client

import XenAPI
from hvsdk.driver import Deadline, errors

from hvsdk_xen._exchange import HttpExchange
from hvsdk_xen._tasks import XenTask
from hvsdk_xen._verbs import FAILURES, VerbSession

__all__ = ["Export", "give_up", "task_failure"]

_SKIP = 2**20
_OK = 200
_REFUSED = frozenset((401, 403))


class Export:
    """A stream that is being read from its beginning.

    Args:
        session: The connection.
        vdi: UUID of the disk.
        form: `raw` or `vhd`.
        base: UUID of an older disk of the same chain, to get what differs from it alone.
        what: The task's label.
        deadline: For the beginning of the answer; without it that has the time of a round trip.

    Raises:
        XenAPI.Failure: What the task says.
    """

    def __init__(
        self,
        session: VerbSession,
        vdi: str,
        form: str,
        *,
        base: str | None = None,
        what: str = "read",
        deadline: Deadline | None = None,
    ) -> None:
        self._session = session
        self.position = 0
        """Bytes that were read."""
        self._exchange: HttpExchange | None = None
        self._closed = False
        label = f"hvsdk: {what} {vdi}"
        limit = deadline or session.soon()
        self._task: XenTask[None] = session.follow_task(
            str(session.call("task.create", label, "", deadline=limit)), "export_raw_vdi"
        )
        query = {"vdi": vdi, "format": form} | ({"base": base} if base else {})
        try:
            self._exchange = session.http(None, "GET", "/export_raw_vdi", query, deadline=limit, task=self._task.ref)
            if self._exchange.status in _REFUSED:
                raise errors.PermissionDeniedError("the user's role does not include reading disks, as vm-admin's does")
            if self._exchange.status != _OK:
                raise self._failure(f"HTTP {self._exchange.status}")
        except BaseException:
            self.close()
            raise

    @property
    def announced(self) -> int | None:
        """Length of the stream, where the server tells it."""
        assert self._exchange is not None
        length = str(self._exchange.headers.get("content-length", ""))
        return int(length) if length.isdecimal() and len(length) < 20 else None

    def read(self, length: int) -> bytes:
        """Return exactly so many bytes."""
        data = bytearray(length)
        self.readinto(memoryview(data))
        return bytes(data)

    def readinto(self, buffer: memoryview) -> None:
        """Fill a buffer."""
        if self._exchange is None:
            raise errors.ConnectionLostError("the stream of the disk is closed")
        rest = buffer
        while rest:
            try:
                count = self._exchange.readinto(rest)
            except http.client.IncompleteRead:
                count = 0
            if not count:
                raise self._failure(f"it ended after {self.position} bytes")
            rest = rest[count:]
            self.position += count

    def skip(self, length: int) -> None:
        """Pass over so many bytes."""
        scratch = memoryview(bytearray(min(length, _SKIP)))
        while length > 0:
            part = scratch[: min(length, len(scratch))]
            self.readinto(part)
            length -= len(part)

    def close(self) -> None:
        """End it, whether all was read or not; twice is harmless."""
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.close()
        if self._closed:
            return
        self._closed = True
        if exchange is not None and exchange.status == _OK:
            self._task.discard()  # XAPI ends it when it sees that nobody listens any more
        else:
            give_up(self._session, self._task)

    def drop(self) -> None:
        """Close the connection, and say nothing: the task goes with the session."""
        exchange = self._exchange
        if exchange is not None:
            exchange.close()

    def _failure(self, symptom: str) -> Exception:
        """Return what the task says of a stream that ended too early."""
        found = task_failure(self._session, self._task.ref)
        return found or errors.ConnectionLostError(f"the stream of the disk broke: {symptom}")


def give_up(session: VerbSession, task: XenTask[None]) -> None:
    """Take away the task of a transfer that failed. It is ended first: XAPI may never have heard of the transfer."""
    with contextlib.suppress(*FAILURES):
        task.cancel()
        if session.has_message("task.set_status"):
            session.call("task.set_status", task.ref, "cancelled", deadline=session.soon())
    task.discard()


def task_failure(session: VerbSession, task: str) -> XenAPI.Failure | None:
    """Return the error that a task ended with, if it did."""
    try:
        details = session.call("task.get_error_info", task, deadline=session.soon())
    except FAILURES:
        return None
    return XenAPI.Failure([str(detail) for detail in details]) if details else None
