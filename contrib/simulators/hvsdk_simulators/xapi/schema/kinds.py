"""The types of XAPI: their grammar, and the value that a field has when nobody gave one."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import cache
from typing import Any

from attrs import frozen

NULL = "OpaqueRef:NULL"
EPOCH = datetime.fromtimestamp(0, UTC)
"""The date that means never."""

_MAP = re.compile(r"\((.+?) -> (.+)\) map")


@frozen
class Kind:
    """One type. `name` is string, int, float, bool, datetime, void, enum, ref, record, set, map, option or batch."""

    name: str
    target: str = ""
    """The class of a ref or record, the name of an enum."""
    key: Kind | None = None
    item: Kind | None = None

    @property
    def inner(self) -> Kind:
        """The type of the items of a set, map or option."""
        assert self.item is not None
        return self.item


@cache
def kind_of(text: str) -> Kind:
    """Read a type as the product writes it, such as `(string -> VM ref set) map`."""
    if text.endswith(" option"):
        return Kind("option", item=kind_of(text.removesuffix(" option")))
    if text.endswith(" set"):
        return Kind("set", item=kind_of(text.removesuffix(" set")))
    if found := _MAP.fullmatch(text):
        return Kind("map", key=kind_of(found[1]), item=kind_of(found[2]))
    if text.endswith((" ref", " record")):
        target, _, name = text.rpartition(" ")
        return Kind(name, target)
    if text.startswith("enum "):
        return Kind("enum", text.removeprefix("enum "))
    if text == "an event batch":
        return Kind("batch")
    if text not in ("string", "int", "float", "bool", "datetime", "void"):
        raise ValueError(f"not a type of XAPI: {text}")
    return Kind(text)


def blank(kind: Kind, enums: dict[str, tuple[str, ...]]) -> Any:
    """Return the value of a field for which there is no default: a new one, which may be kept."""
    match kind.name:
        case "set":
            return []
        case "map" | "record":
            return {}
        case "option":
            return None
        case "ref":
            return NULL
        case "enum":
            return enums[kind.target][0]
        case "datetime":
            return EPOCH
    return {"string": "", "int": 0, "float": 0.0, "bool": False}[kind.name]
