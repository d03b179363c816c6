"""What can be done to the simulated host beside its API: by subject, found in `ACTIONS`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .world import World

__all__ = ["ACTIONS", "ActionError", "action"]

Action = Callable[["World", dict[str, Any]], Any]
ACTIONS: dict[str, Action] = {}


class ActionError(Exception):
    """What was asked of the control door cannot be done; the text says why."""


def action(name: str) -> Callable[[Action], Action]:
    """Register a function as the action: `@action("guest")`. It runs with the lock of the world held."""

    def register(function: Action) -> Action:
        assert name not in ACTIONS, name
        ACTIONS[name] = function
        return function

    return register
