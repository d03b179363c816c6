"""Lineage and fence as they are kept in a domain's metadata, under keys of hvsdk's own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hvsdk.models._checks import RESERVED
from hvsdk.models._hardware import FenceMark, Lineage

__all__ = ["FENCE_KEY", "read_marks", "write_mark"]

_TYPES: dict[str, type[Lineage] | type[FenceMark]] = {
    "moved_from": Lineage,
    "superseded_by": Lineage,
    "fenced": FenceMark,
}
_OTHER: dict[str, type] = {"at": datetime, "autostart": bool, "links": tuple}
"""Types of their fields that are no texts."""
FENCE_KEY = RESERVED + "fenced"


def write_mark(mark: Lineage | FenceMark) -> str:
    """Return the text that is stored for a mark."""
    return json.dumps({k: v for k, v in mark.to_dict().items() if v not in (None, [], False)}, sort_keys=True)


def read_marks(metadata: Mapping[str, str]) -> dict[str, Any]:
    """Return `moved_from`, `superseded_by` and `fenced` from a domain's metadata, `None` where there is none.

    A mark that cannot be read was written by somebody else: a fence then counts as one, a lineage as none.
    """
    return {name: _read(name, metadata.get(RESERVED + name)) for name in _TYPES}


def _read(name: str, text: str | None) -> Lineage | FenceMark | None:
    if text is None:
        return None
    try:
        values = json.loads(text)
        if values.get("at"):
            values["at"] = datetime.fromisoformat(values["at"]).astimezone(UTC)
        if "links" in values:
            values["links"] = tuple(map(str, values["links"]))
        if not all(isinstance(value, _OTHER.get(key, str)) for key, value in values.items()):
            raise TypeError("a field of another type")
        return _TYPES[name](**values)
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError):
        return FenceMark(reason="a marker that cannot be read") if name == "fenced" else None
