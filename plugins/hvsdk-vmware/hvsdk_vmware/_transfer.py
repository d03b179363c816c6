"""One HTTP exchange outside of the API, on a connection of its own: the bytes of a disk on their way."""

from __future__ import annotations

import http.client
from collections.abc import Mapping

from hvsdk.connections import Connection, Endpoint, UnreachableError
from hvsdk.driver import Deadline

from hvsdk_vmware._stub import AGENT

__all__ = ["Transfer"]

_CONNECT_SECONDS = 10.0


class Transfer:
    """A request whose body, or whose answer's, is moved piece by piece; each piece has the time of a round trip.

    Args:
        path: Path and query, already quoted.
        seconds: Time of a round trip.
        length: Bytes of the body that `send` is called with; without one the answer's head is waited for.
        deadline: For the beginning; without it that has the time of a round trip.

    Attributes:
        status: HTTP status, 0 before there is an answer.
        reason: The words that came with it.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        method: str,
        path: str,
        headers: Mapping[str, str],
        seconds: float,
        *,
        length: int | None = None,
        deadline: Deadline | None = None,
    ) -> None:
        self.status, self.reason = 0, ""
        self._seconds = seconds
        self._closed = False
        self._response: http.client.HTTPResponse | None = None
        self._connection = Connection(endpoint)
        limit = deadline or Deadline(seconds)
        try:
            self._connect(limit)
            self._connection.until(limit)
            self._connection.putrequest(method, path, skip_accept_encoding=True)
            for name, value in {"User-Agent": AGENT, **headers}.items():
                self._connection.putheader(name, value)
            if length is not None:
                self._connection.putheader("Content-Length", str(length))
            self._connection.endheaders()
            if length is None:
                self.answer(limit)
        except BaseException:
            self.close()
            raise

    def _connect(self, limit: Deadline) -> None:
        """Connect; a server that says nothing counts as one that cannot be reached, while there is time for another way.

        Raises:
            UnreachableError: That is not possible.
        """
        seconds = min(_CONNECT_SECONDS, limit.remaining())
        self._connection.until(Deadline(seconds))
        try:
            self._connection.begin()
        except TimeoutError as exc:
            raise UnreachableError(f"no answer in {seconds:.0f} s") from exc

    def send(self, data: bytes | memoryview) -> None:
        """Send a piece of the body."""
        self._connection.until(Deadline(self._seconds))
        self._connection.send(data)

    def answer(self, deadline: Deadline | None = None) -> int:
        """Wait for the head of the answer and return its status."""
        self._connection.until(deadline or Deadline(self._seconds))
        self._response = self._connection.getresponse()
        self.status, self.reason = self._response.status, self._response.reason
        return self.status

    def read(self, length: int) -> bytes:
        """Return exactly so many bytes of the answer.

        Raises:
            http.client.IncompleteRead: It ended before.
            ConnectionAbortedError: It was closed by another thread.
        """
        try:
            return self._read(length)
        except (ValueError, AttributeError) as exc:  # what files say that are closed while they are read
            if not self._closed:
                raise
            raise ConnectionAbortedError("the transfer was closed") from exc

    def _read(self, length: int) -> bytes:
        assert self._response is not None
        data = bytearray(length)
        rest = memoryview(data)
        while rest:
            self._connection.until(Deadline(self._seconds))
            count = self._response.readinto(rest)
            if not count:
                raise http.client.IncompleteRead(b"", len(rest))
            rest = rest[count:]
        return bytes(data)

    def close(self) -> None:
        """End it, whether all was moved or not; twice, and from another thread, is harmless."""
        self._closed = True
        self._connection.cut()

    def leave(self) -> None:
        """Let it go in a forked child: the parent goes on with it."""
        self._closed = True
        self._connection.leave()
