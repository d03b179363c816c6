"""What can be done to the simulated host beside its API: by subject, found in `ACTIONS`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from uuid import UUID

if TYPE_CHECKING:
    from .vms import Vm
    from .world import World

__all__ = ["ACTIONS", "ActionError", "action", "find_vm"]

Action = Callable[..., Any]
ACTIONS: dict[str, Action] = {}


class ActionError(Exception):
    """What was asked of the control door cannot be done; the text says why."""


def action(name: str) -> Callable[[Action], Action]:
    """Register a function as the action: `@action("guest")`.

    It takes the world, and what it is told by name; it runs with the lock of the world held.
    """

    def register(function: Action) -> Action:
        assert name not in ACTIONS, name
        ACTIONS[name] = function
        return function

    return register


def find_vm(world: World, id: str) -> Vm:
    """Return the virtual machine that an action is for.

    Raises:
        ActionError: There is none.
        ValueError: This is no id.
    """
    vm = world.vms.get(UUID(id))
    if vm is None:
        raise ActionError("there is no such virtual machine")
    return vm
