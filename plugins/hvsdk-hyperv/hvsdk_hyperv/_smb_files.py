"""Files of the host by SMB: held open, so that nobody writes them meanwhile, and read in many requests at once."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

from hvsdk.driver import Deadline, Target, errors

from hvsdk_hyperv._host_files import HostFile, HostFiles, Range
from hvsdk_hyperv._smb_connection import SmbConnection
from hvsdk_hyperv._smb_paths import share_of
from hvsdk_hyperv._smb_reads import SmbFile, read_ranges

__all__ = ["SmbFiles"]

_SHARE_OF_TIME: Final = 0.9
"""Of a call's time: what is told before it is up leaves the connection through WinRM alone."""


class SmbFiles(HostFiles):
    """Files of one disk, on a connection of their own, which ends with the last of them.

    It ends as well when the first one cannot be opened, and with this object, for those who forget to close them.

    Args:
        target: Where the host is, and who logs in.
        confirm: Fails where a file is not what else is known of it: called with its path, its size in bytes and when it was
            written last, once it is held open.
    """

    def __init__(self, target: Target, confirm: Callable[[str, int, datetime], None] | None = None) -> None:
        self._target = target
        self._confirm = confirm
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
                file = SmbFile(path, int(handle.end_of_file), handle)
                self._opened.append(file)
            except BaseException:
                if not self._opened:
                    self._end()
                raise
        if self._confirm is not None:
            try:
                self._confirm(path, file.size, handle.last_write_time)
            except BaseException:
                self.close([file])
                raise
        return file

    def read(self, ranges: Sequence[Range]) -> list[bytes]:
        deadline = self._soon()
        with self._alone(deadline) as connection:
            try:
                return read_ranges(connection, ranges, deadline)
            except BaseException:
                self.cut()  # requests are under way whose answers nobody waits for
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
                    assert isinstance(file, SmbFile)
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
            self._check()
            if self._connection is None:
                self._connect(deadline)
                self._check()  # it may have been cut meanwhile
            assert self._connection is not None
            yield self._connection
        finally:
            self._one_at_a_time.release()

    def _check(self) -> None:
        if self._is_over:
            raise errors.ConnectError(
                "the SMB connection of this disk is gone, and its files are open no more", hint="open the disk again"
            )

    def _connect(self, deadline: Deadline) -> None:
        self._connection = connection = SmbConnection(self._target)
        try:
            connection.open(deadline)
        except BaseException:
            self._connection = None
            raise
        self._finalizer = weakref.finalize(self, connection.cut)
        self._finalizer.atexit = False

    def _end(self) -> None:
        connection, self._is_over = self._connection, True
        if connection is not None:
            if self._finalizer is not None:
                self._finalizer.detach()
            self._connection = None
            connection.end()
