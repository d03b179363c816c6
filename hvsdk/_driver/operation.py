"""What is asked of a driver, and by whom."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

import attrs

from hvsdk.models._mapping import EMPTY, frozen

__all__ = ["Operation", "current_operation"]


@attrs.frozen(kw_only=True)
class Operation:
    """One thing that somebody asked for, as hooks, `translate` and the product's own log get to know it.

    Attributes:
        arguments: The verb's arguments as the caller gave them; values that may hold secrets are left out.
        changes: Whether it changes anything.
        parent: Id of the operation this one is part of, such as the power_off of a shutdown.
        marks: What `hvsdk.context(…)` was given, such as `ticket`.
    """

    id: str
    verb: str
    backend: str = ""
    host: str = ""
    native_id: str | None = None
    domain: str | None = None
    """The domain's name, where it is known."""
    domain_tags: frozenset[str] | None = None
    """The domain's tags as last seen, where they are loaded."""
    arguments: Mapping[str, Any] = attrs.field(default=EMPTY, converter=frozen, hash=False)
    changes: bool = False
    actor: str | None = None
    parent: str | None = None
    marks: Mapping[str, str] = attrs.field(default=EMPTY, converter=frozen, hash=False)


current_operation: ContextVar[Operation | None] = ContextVar("hvsdk_operation", default=None)
"""The operation under way, while a driver is being called: for the product's own log, where there is a place."""
