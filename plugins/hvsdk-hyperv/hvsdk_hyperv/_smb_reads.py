"""Bytes of files by SMB: many requests at once, as many as the host grants."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any, Final

import attrs
from hvsdk.driver import Deadline, errors

from hvsdk_hyperv._host_files import HostFile, Range
from hvsdk_hyperv._smb_connection import BYTES_OF_A_CREDIT, SmbConnection
from hvsdk_hyperv._smb_errors import no_line, of_files

__all__ = ["SmbFile", "read_ranges"]

_PIECE: Final = 1 << 20
"""Bytes of one request."""
_UNDER_WAY: Final = 8 << 20
"""Bytes that are asked for at once, and"""
_MOST_REQUESTS: Final = 64


class SmbFile(HostFile):
    """A file that is held open."""

    def __init__(self, path: str, size: int, handle: Any) -> None:
        super().__init__(path, size)
        self.handle = handle


@attrs.frozen
class _Asked:
    """A request under way, and the range that its bytes are of."""

    request: Any
    number: int
    length: int


def read_ranges(connection: SmbConnection, ranges: Sequence[Range], deadline: Deadline) -> list[bytes]:
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
    assert isinstance(file, SmbFile)
    with of_files(file.path, connection.hostname, connection.port):
        return _Asked(connection.send_read(file.handle, one.offset + at, length), number, length)
