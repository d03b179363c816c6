"""Fields that are not kept but follow from other objects, such as the operations allowed now."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from .database import Object
    from .world import World

Derive = Callable[["World", "Object"], Any]
_F = TypeVar("_F", bound=Derive)

DERIVED: dict[str, dict[str, Derive]] = {}
"""By class and field."""


def derived(cls: str, field: str) -> Callable[[_F], _F]:
    """Let a function compute a field whenever a record is shown."""

    def register(function: _F) -> _F:
        DERIVED.setdefault(cls, {})[field] = function
        return function

    return register


def derive(world: World, obj: Object) -> dict[str, Any]:
    """Return an object's derived fields as they are now."""
    return {name: function(world, obj) for name, function in DERIVED.get(obj.cls, {}).items()}


def settle(world: World) -> None:
    """Compute the derived fields that may have changed, and number those objects anew where they have.

    Whoever shows records or changes does so first: what follows from a change is as much an event as the change.
    """
    touched = world.db.touched
    while touched:
        _, obj = touched.popitem()
        news = derive(world, obj)
        if news == obj.shown:
            continue
        seen_before, obj.shown = obj.shown is not None, news
        if seen_before:
            world.db.bump(obj)
