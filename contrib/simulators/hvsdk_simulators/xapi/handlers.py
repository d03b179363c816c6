"""The HTTP handlers beside the RPC: disks, exports, statistics, consoles."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from typing import Protocol

from .database import Object
from .world import Member, World


class Exchange(Protocol):
    """One request with its answer."""

    world: World
    member: Member
    session: Object
    task: Object | None
    """The task that the caller gave, or one made for this request."""
    method: str
    path: str
    query: Mapping[str, str]
    cookies: Mapping[str, str]
    headers: Mapping[str, str]
    """Names in lower case."""
    content_length: int | None

    def read(self, size: int) -> bytes:
        """Read up to so many bytes of the body; none at its end."""

    def start(self, status: int, headers: Mapping[str, str]) -> None:
        """Send the status line and headers."""

    def write(self, data: bytes) -> None:
        """Send a part of the body."""

    def upgrade(self) -> socket.socket:
        """Take the connection over, after `start`."""

    def result(self, text: str) -> None:
        """Say what the task ends with."""


Handler = Callable[[Exchange], None]
HANDLERS: dict[tuple[str, str], Handler] = {}
"""By method and path."""
HANDLER_ROLES: dict[tuple[str, str], str] = {}
"""The least role that may ask each of them."""


def handler(method: str, path: str, *, role: str = "read-only") -> Callable[[Handler], Handler]:
    """Let a function answer requests of a method and path, for those with a role. A `Failure` becomes the task's error."""

    def register(function: Handler) -> Handler:
        HANDLERS[method, path] = function
        HANDLER_ROLES[method, path] = role
        return function

    return register
