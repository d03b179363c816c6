"""Files on the host, read at any place: what disks are parsed from, however the bytes come here."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import attrs
from hvsdk.driver import errors

__all__ = ["DamagedDiskError", "HostFile", "HostFiles", "Range", "take", "take_all"]


class DamagedDiskError(errors.OperationFailedError):
    """A disk's file is damaged, or is none at all."""


class HostFile:
    """A file that is open.

    Attributes:
        path: Its path on the host.
        size: Its bytes, as they were when it was opened.
    """

    def __init__(self, path: str, size: int) -> None:
        self.path = path
        self.size = size

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.path!r}, {self.size} bytes>"


@attrs.frozen
class Range:
    """Bytes of a file."""

    file: HostFile
    offset: int
    length: int


class HostFiles(ABC):
    """A way to files. Its methods may be called from several threads."""

    @abstractmethod
    def open(self, path: str) -> HostFile:
        """Open a file for reading: what is read later is what it was now, or an error.

        Raises:
            NotFoundError: There is none.
            BusyError: Somebody has it open for writing.
        """

    @abstractmethod
    def read(self, ranges: Sequence[Range]) -> list[bytes]:
        """Return exactly these bytes, which lie within their files."""

    @abstractmethod
    def close(self, files: Sequence[HostFile]) -> None:
        """Close files; twice is harmless."""


def take_all(files: HostFiles, file: HostFile, ranges: Sequence[tuple[int, int]], what: str) -> list[bytes]:
    """Return parts of a file in one request.

    Raises:
        DamagedDiskError: They are not all within the file.
    """
    for offset, length in ranges:
        if offset < 0 or length < 0 or offset + length > file.size:
            raise DamagedDiskError(f"{what} of {file.path} would be beyond the end of the file")
    return files.read([Range(file, offset, length) for offset, length in ranges])


def take(files: HostFiles, file: HostFile, offset: int, length: int, what: str) -> bytes:
    """Return a part of a file, as `take_all` does."""
    return take_all(files, file, [(offset, length)], what)[0]
