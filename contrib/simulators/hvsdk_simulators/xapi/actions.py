"""What happens to a pool beside the API, asked for at the control door: `@action("guest")`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

_F = TypeVar("_F", bound=Callable[..., Any])

ACTIONS: dict[str, Callable[..., Any]] = {}
"""By name. Each is called as `f(world, **arguments)` with the lock held, and returns what JSON can say."""


def action(name: str) -> Callable[[_F], _F]:
    """Let a function do an action."""

    def register(function: _F) -> _F:
        ACTIONS[name] = function
        return function

    return register
