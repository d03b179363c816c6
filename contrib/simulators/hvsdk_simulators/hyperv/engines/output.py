"""What a process has written and nobody has read yet."""

from __future__ import annotations

import threading

from hvsdk_simulators.winrm.process import Process

__all__ = ["Output", "WritingProcess"]


class Output:
    """A queue of pieces of both streams, and how it ended. Any thread may write and read."""

    def __init__(self) -> None:
        self._code: int | None = None
        self._pieces: list[tuple[str, bytes]] = []
        self._changed = threading.Condition()

    def put(self, stream: str, data: bytes) -> None:
        """Add a piece, unless the process has ended."""
        with self._changed:
            if self._code is None and data:
                self._pieces.append((stream, data))
                self._changed.notify_all()

    def end(self, code: int) -> None:
        """Say that the process has ended; the first to say so is believed."""
        with self._changed:
            if self._code is None:
                self._code = code
            self._changed.notify_all()

    @property
    def ended(self) -> bool:
        """Whether the process has ended."""
        return self._code is not None

    def exit_code(self) -> int | None:
        """Return the exit code, or None while it runs or something is left to be read."""
        with self._changed:
            return None if self._pieces else self._code

    def take(self) -> list[tuple[str, bytes]]:
        """Return all pieces, and forget them."""
        with self._changed:
            pieces, self._pieces = self._pieces, []
            return pieces

    def wait(self, seconds: float) -> None:
        """Return when there is something to read or the process has ended, or after this time."""
        with self._changed:
            self._changed.wait_for(lambda: self._pieces or self._code is not None, seconds)


class WritingProcess(Process):
    """A process whose output is queued in `_output`."""

    def __init__(self) -> None:
        self._output = Output()

    def read(self) -> list[tuple[str, bytes]]:
        """Return what was written since the last time."""
        return self._output.take()

    def wait_output(self, seconds: float) -> None:
        """Wait until there is something to read, or it has ended."""
        self._output.wait(seconds)

    def exit_code(self) -> int | None:
        """Return the exit code, or None while it runs or something is left to be read."""
        return self._output.exit_code()
