"""What all verbs are built on: operations of the scripts, asked for by name with arguments as data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hvsdk.driver import Deadline, Driver, Task

__all__ = ["HyperVSession"]


class HyperVSession(Driver):
    """One connection: a shell on the host with one PowerShell that stays, and answers one request after another."""

    def call(self, operation: str, arguments: Mapping[str, Any] | None = None, *, deadline: Deadline) -> Any:
        """Carry out an operation that is short, and return what it answers. One Send and one Receive."""
        raise NotImplementedError

    def begin(self, operation: str, arguments: Mapping[str, Any] | None = None, *, deadline: Deadline) -> Task[Any]:
        """Carry out an operation that may be long, as a task: what is done within two seconds costs no more than `call`.

        The task shows the operation's progress, and cancelling it stops the pipeline that carries it out.
        """
        raise NotImplementedError
