"""What all records share: `to_dict()` and `replace()`."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import Enum
from typing import Any, ClassVar, Self, cast

import attrs


class Record:
    """A frozen record. Make a changed copy with `replace()`, plain data with `to_dict()`."""

    __slots__ = ()
    _left_out: ClassVar[frozenset[str]] = frozenset()
    """Fields that `to_dict()` may leave out."""

    def replace(self, **changes: Any) -> Self:
        """Return a copy with the given fields changed."""
        return cast("Self", attrs.evolve(cast("Any", self), **changes))

    def to_dict(self) -> dict[str, Any]:
        """Return the record as JSON values: enums as strings, times in ISO 8601, nested records as dicts."""
        return {field.name: plain(getattr(self, field.name)) for field in attrs.fields(cast("Any", type(self)))}

    def __repr__(self) -> str:
        """Show what is known and differs from the default; never a secret."""
        shown = []
        for field in attrs.fields(cast("Any", type(self))):
            value = getattr(self, field.name)
            if field.repr and value is not None and value != field.default:
                shown.append(f"{field.name}={str(value)!r}" if isinstance(value, Enum) else f"{field.name}={value!r}")
        return f"{type(self).__name__}({', '.join(shown)})"


def plain(value: Any) -> Any:
    """Return `value` as JSON values."""
    if isinstance(value, Record):
        return value.to_dict()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        items = [plain(item) for item in value]
        return sorted(items) if isinstance(value, (set, frozenset)) else items
    return value
