"""Files of the host through WinRM: parts of them in base64, each request within what one answer holds well."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from hvsdk.driver import Deadline, errors

from hvsdk_hyperv._host_files import HostFile, HostFiles, Range
from hvsdk_hyperv._session import HyperVSession

__all__ = ["WinRmFiles"]

_MOST_BYTES = 2 << 20
"""Of one request."""
_MOST_RANGES = 1000


class _File(HostFile):
    """A file as it was when it was opened; it is read only as long as it is the same."""

    def __init__(self, path: str, size: int, written: str) -> None:
        super().__init__(path, size)
        self.written = written


class WinRmFiles(HostFiles):
    """Files through a connection's scripts. The host keeps none of them open between two requests."""

    def __init__(self, session: HyperVSession) -> None:
        self._session = session

    def open(self, path: str) -> HostFile:
        found = self._ask("disk_io.stat", {"path": path})
        if found["size"] is None:
            raise errors.NotFoundError(f"there is no file {path}")
        return _File(path, int(found["size"]), found["written"])

    def read(self, ranges: Sequence[Range]) -> list[bytes]:
        data = [bytearray() for _ in ranges]
        for request in _requests(ranges):
            files = []
            for file, parts in groupby(request, key=lambda one: one[1].file):
                assert isinstance(file, _File)
                wanted = [{"offset": part.offset, "length": part.length} for _, part in parts]
                files.append({"path": file.path, "size": file.size, "written": file.written, "ranges": wanted})
            answer = self._ask("disk_io.read", {"files": files})
            for (number, part), text in zip(request, answer, strict=True):
                data[number] += _decoded(text, part)
        return [bytes(one) for one in data]

    def close(self, files: Sequence[HostFile]) -> None:
        pass

    def _ask(self, operation: str, arguments: dict[str, Any]) -> Any:
        return self._session.repeatable(operation, arguments, deadline=Deadline(self._session.target.timeout))


def _requests(ranges: Sequence[Range]) -> Iterator[list[tuple[int, Range]]]:
    """Yield what is asked for at once: parts of ranges, each with the number of its range."""
    request: list[tuple[int, Range]] = []
    room = _MOST_BYTES
    for number, one in enumerate(ranges):
        offset, end = one.offset, one.offset + one.length
        while offset < end:
            here = min(room, end - offset)
            request.append((number, Range(one.file, offset, here)))
            offset, room = offset + here, room - here
            if not room or len(request) >= _MOST_RANGES:
                yield request
                request, room = [], _MOST_BYTES
    if request:
        yield request


def _decoded(text: object, part: Range) -> bytes:
    try:
        data = base64.b64decode(str(text), validate=True)
    except (ValueError, binascii.Error):
        data = b""
    if len(data) != part.length:
        raise errors.OperationFailedError(
            f"the host answered {len(data)} bytes of {part.file.path} instead of {part.length}"
        )
    return data
