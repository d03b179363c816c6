"""CONNECT: a socket past the HTTP that opens it, and reading from it in the time that is left."""

from __future__ import annotations

import re
import socket

from hvsdk.driver import Deadline, errors

__all__ = ["TimedStream", "open_tunnel"]

_HEAD = 16 * 1024
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})[ \r]")


class TimedStream:
    """Exact reads and whole writes on a socket, all of them by a deadline."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock = sock
        self._deadline = deadline

    def read(self, size: int) -> bytearray:
        """Return exactly so many bytes.

        Raises:
            OperationFailedError: The stream ended before.
        """
        found = bytearray(size)
        view, filled = memoryview(found), 0
        while filled < size:
            self._hurry()
            count = self._sock.recv_into(view[filled:], min(size - filled, 1 << 20))
            if not count:
                raise errors.OperationFailedError("the other end closed the stream in the middle")
            filled += count
        return found

    def write(self, data: bytes) -> None:
        """Send all of it."""
        self._hurry()
        self._sock.sendall(data)

    def _hurry(self) -> None:
        seconds = self._deadline.remaining()
        if seconds <= 0:
            raise TimeoutError("the time was up")
        self._sock.settimeout(None if seconds == float("inf") else seconds)


def open_tunnel(sock: socket.socket, target: str, session: str, deadline: Deadline) -> int:
    """Ask for a tunnel and return the answer's status; after 200 what comes next is the other protocol's first byte.

    Raises:
        OperationFailedError: The answer is no HTTP.
    """
    stream = TimedStream(sock, deadline)
    stream.write(f"CONNECT {target} HTTP/1.1\r\nHost: pool\r\nCookie: session_id={session}\r\n\r\n".encode("ascii"))
    head = bytearray()
    while not head.endswith(b"\r\n\r\n"):  # byte by byte: not one of the other protocol's may be taken
        if len(head) > _HEAD:
            raise errors.OperationFailedError("the host's answer to CONNECT has no end")
        head += stream.read(1)
    match = _STATUS.match(head)
    if match is None:
        raise errors.OperationFailedError("the host's answer to CONNECT is no HTTP")
    return int(match[1])
