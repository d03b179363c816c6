"""Files of the host by SMB: held open, so that nobody writes them meanwhile, and read in many requests at once."""

from __future__ import annotations

import threading
import weakref
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import attrs
from hvsdk.driver import Deadline, Target, errors

from hvsdk_hyperv._host_files import HostFile, HostFiles, Range
from hvsdk_hyperv._smb_connection import BYTES_OF_A_CREDIT, SmbConnection
from hvsdk_hyperv._smb_errors import no_line, of_files
from hvsdk_hyperv._smb_paths import share_of

__all__ = ["SmbFiles"]

_PIECE: Final = 1 << 20
"""Bytes of one request."""
_UNDER_WAY: Final = 8 << 20
"""Bytes that are asked for at once, and"""
_MOST_REQUESTS: Final = 64
_SHARE_OF_TIME: Final = 0.9
"""Of a call's time: what is told before it is up leaves the connection through WinRM alone."""


class _File(HostFile):
    def __init__(self, path: str, size: int, handle: Any) -> None:
        super().__init__(path, size)
        self.handle = handle


@attrs.frozen
class _Asked:
    """A request under way, and the range that its bytes are of."""

    request: Any
    number: int
    length: int


class SmbFiles(HostFiles):
    """Files of one disk, on a connection of their own, which ends with the last of them.

    It ends as well when the first one cannot be opened, and with this object, for those who forget to close them.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self._connection: SmbConnection | None = None
        self._finalizer: weakref.finalize[..., Any] | None = None
        self._opened: list[HostFile] = []
        self._is_over = False
        self._one_at_a_time = threading.Lock()

    def open(self, path: str) -> HostFile:
        deadline = self._soon()
        place = share_of(path, self._target.hostname or "localhost")
        with self._alone(deadline) as connection:
            try:
                handle = connection.file(path, place, deadline)
            except BaseException:
                if not self._opened:
                    self._end()
                raise
            file = _File(path, int(handle.end_of_file), handle)
            self._opened.append(file)
            return file

    def read(self, ranges: Sequence[Range]) -> list[bytes]:
        deadline = self._soon()
        with self._alone(deadline) as connection:
            try:
                return _read(connection, ranges, deadline)
            except BaseException:
                self._drop()  # requests are under way whose answers nobody waits for
                raise

    def close(self, files: Sequence[HostFile]) -> None:
        if not self._one_at_a_time.acquire(timeout=0.5):  # somebody reads: the connection goes, and the files with it
            self.cut()
            return
        try:
            left = [one for one in self._opened if one not in files]
            gone = [one for one in self._opened if one in files]
            self._opened = left
            if not left:
                self._end()
            elif self._connection is not None:
                for file in gone:
                    assert isinstance(file, _File)
                    self._connection.close_file(file.handle, self._soon())
        finally:
            self._one_at_a_time.release()

    def cut(self) -> None:
        """Give up all files at once, from any thread."""
        self._is_over = True
        connection = self._connection
        if connection is not None:
            connection.cut()

    def _soon(self) -> Deadline:
        return Deadline(self._target.timeout * _SHARE_OF_TIME)

    @contextmanager
    def _alone(self, deadline: Deadline) -> Iterator[SmbConnection]:
        """Wait until no other thread has the connection, which is made with the first file."""
        if not self._one_at_a_time.acquire(timeout=min(deadline.remaining(), threading.TIMEOUT_MAX)):
            raise errors.ConnectError("the SMB connection was in use by others until the time was up")
        try:
            if self._is_over:
                raise errors.ConnectError(
                    "the SMB connection of this disk is gone, and its files are open no more",
                    hint="open the disk again",
                )
            if self._connection is None:
                connection = SmbConnection(self._target)
                connection.open(deadline)
                self._connection = connection
                self._finalizer = weakref.finalize(self, connection.cut)
                self._finalizer.atexit = False
            yield self._connection
        finally:
            self._one_at_a_time.release()

    def _end(self) -> None:
        connection, self._is_over = self._connection, True
        if connection is not None:
            if self._finalizer is not None:
                self._finalizer.detach()
            self._connection = None
            connection.end()

    def _drop(self) -> None:
        self._is_over = True
        if self._connection is not None:
            self._connection.cut()


def _read(connection: SmbConnection, ranges: Sequence[Range], deadline: Deadline) -> list[bytes]:
    """Return the bytes of ranges: as much is asked for at once as the host grants, and answers are taken in order."""
    parts: list[list[bytes]] = [[] for _ in ranges]
    under_way: deque[_Asked] = deque()
    asked_for = 0

    def take() -> int:
        one = under_way.popleft()
        path = ranges[one.number].file.path
        with of_files(path, connection.hostname, connection.port):
            found = connection.receive_read(one.request, deadline)
        if len(found) != one.length:
            raise errors.OperationFailedError(f"the host answered {len(found)} bytes of {path} instead of {one.length}")
        parts[one.number].append(found)
        return one.length

    for number, one in enumerate(ranges):
        at = 0
        while at < one.length:
            length = min(one.length - at, _PIECE, connection.longest)
            room = connection.credits * BYTES_OF_A_CREDIT
            if under_way and (room < length or asked_for + length > _UNDER_WAY or len(under_way) >= _MOST_REQUESTS):
                asked_for -= take()
                continue
            length = min(length, room)
            if not length:
                raise no_line("the host lets nothing more be asked for", connection.hostname, connection.port)
            under_way.append(_ask(connection, one, number, at, length))
            at, asked_for = at + length, asked_for + length
    while under_way:
        take()
    return [b"".join(one) for one in parts]


def _ask(connection: SmbConnection, one: Range, number: int, at: int, length: int) -> _Asked:
    file = one.file
    assert isinstance(file, _File)
    with of_files(file.path, connection.hostname, connection.port):
        return _Asked(connection.send_read(file.handle, one.offset + at, length), number, length)
