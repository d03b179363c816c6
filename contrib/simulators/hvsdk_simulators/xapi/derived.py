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
