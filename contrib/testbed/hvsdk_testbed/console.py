"""What a guest writes on its serial port, waited for with a time limit."""

from __future__ import annotations

import os
import re
import select
import socket
import stat
import time
from pathlib import Path
from types import TracebackType

from ._run import TestbedError

TAIL = 2000


class ConsoleTimeout(TestbedError):
    """A guest did not write what was waited for; the message ends with the last it wrote."""


class Console:
    """A guest's serial output: a file, a pty or a listening unix socket.

    A file is read from its start and may come into being later. Of a pty or a socket only what arrives after
    `open` is seen, and nobody else sees that.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._seen = bytearray()
        self._mark = 0
        self._fd: int | None = None
        self._socket: socket.socket | None = None

    def open(self) -> None:
        """Open it now rather than at the first wait, to lose nothing of what a pty or socket says."""
        if self._fd is not None or not self._path.exists():
            return
        mode = self._path.stat().st_mode
        if stat.S_ISSOCK(mode):
            self._socket = socket.socket(socket.AF_UNIX)
            self._socket.connect(str(self._path))
            self._socket.setblocking(False)
            self._fd = self._socket.fileno()
        else:
            self._fd = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)

    def close(self) -> None:
        """Close it; what was seen stays."""
        if self._socket is not None:
            self._socket.close()
        elif self._fd is not None:
            os.close(self._fd)
        self._fd = self._socket = None

    def __enter__(self) -> Console:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def text(self) -> str:
        """All that the guest has written and we have seen."""
        self._read()
        return self._seen.decode("utf-8", errors="replace")

    def mark(self) -> None:
        """Let `wait` look only at what comes after this moment."""
        self._read()
        self._mark = len(self._seen)

    def wait(self, pattern: str | re.Pattern[str], timeout: float = 30.0) -> re.Match[str]:
        """Wait until the guest has written what matches, and return the match.

        The next wait starts behind it, so waiting twice for the same line waits for it to come twice.

        Args:
            pattern: A string is looked for as it stands, a compiled pattern as a regular expression.

        Raises:
            ConsoleTimeout: It did not come within `timeout` seconds.
        """
        search = re.compile(re.escape(pattern)) if isinstance(pattern, str) else pattern
        deadline = time.monotonic() + timeout
        while True:
            self._read()
            fresh = self._seen[self._mark :].decode("latin-1")  # one character a byte, so that offsets hold
            if match := search.search(fresh):
                self._mark += match.end()
                return match
            if time.monotonic() >= deadline:
                raise ConsoleTimeout(self._complaint(search.pattern, timeout))
            time.sleep(0.02)

    def _complaint(self, pattern: str, timeout: float) -> str:
        tail = self._seen[-TAIL:].decode("utf-8", errors="replace")
        said = f"; the last it wrote:\n{tail}" if tail else "; it wrote nothing"
        return f"{self._path} did not show {pattern!r} within {timeout:g} s{said}"

    def _read(self) -> None:
        self.open()
        if self._fd is None:
            return
        while True:
            if self._socket is not None and not select.select([self._fd], [], [], 0)[0]:
                return
            try:
                data = os.read(self._fd, 65536)
            except (BlockingIOError, OSError):  # nothing yet; a pty whose other end is closed gives EIO
                return
            if not data:
                return
            self._seen += data
