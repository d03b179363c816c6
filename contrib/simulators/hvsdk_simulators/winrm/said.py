"""A command that has said all that it will ever say."""

from __future__ import annotations

from .process import Process

__all__ = ["Said"]


class Said(Process):
    """Output and an exit code, as `cmd.exe` has them for a line that it does not take."""

    def __init__(self, output: list[tuple[str, bytes]], code: int) -> None:
        self._output = output
        self._code = code

    def write(self, data: bytes) -> None:
        """Take nothing."""

    def close_input(self) -> None:
        """Do nothing."""

    def read(self) -> list[tuple[str, bytes]]:
        """Return the output once."""
        output, self._output = self._output, []
        return output

    def wait_output(self, seconds: float) -> None:
        """Return at once."""

    def exit_code(self) -> int | None:
        """Return the exit code."""
        return self._code

    def kill(self) -> None:
        """Do nothing."""
