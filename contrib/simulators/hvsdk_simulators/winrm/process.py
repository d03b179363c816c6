"""What runs in a shell: a command with three streams, whatever carries it out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import TypeAlias

__all__ = ["Process", "Start"]


class Process(ABC):
    """A command that runs. All threads may use it."""

    @abstractmethod
    def write(self, data: bytes) -> None:
        """Take standard input."""

    @abstractmethod
    def close_input(self) -> None:
        """Say that no more input comes."""

    @abstractmethod
    def read(self) -> list[tuple[str, bytes]]:
        """Return what was written since the last time: pieces of `stdout` and `stderr`, without waiting."""

    @abstractmethod
    def wait_output(self, seconds: float) -> None:
        """Wait until there is something to read, or it has ended."""

    @abstractmethod
    def exit_code(self) -> int | None:
        """Return the exit code, or None while it runs or something is left to be read."""

    @abstractmethod
    def kill(self) -> None:
        """End it at once; twice is harmless."""


Start: TypeAlias = Callable[[str, Mapping[str, str], int], Process]
"""Starts a command line with an environment and a code page."""
