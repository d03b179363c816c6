"""The classes of XAPI with their fields, and the API versions in which each of them exists.

The tables are text, one line each. A class: name; since; until; implicit messages; role of its constructor. Below it its
fields: name; type; mode; default as JSON; since; until; role of its setter. What is left out has been there from the
first version on.
"""

from __future__ import annotations

import copy
import json
from functools import cached_property
from importlib import resources
from typing import Any

from attrs import define, field, frozen

from .kinds import EPOCH, NULL, Kind, blank, kind_of

__all__ = ["ENUMS", "EPOCH", "FIRST", "NULL", "SCHEMA", "Api", "ClassSchema", "Field", "Kind", "kind_of", "version"]

Api = tuple[int, int]
FIRST: Api = (1, 1)
_CONTAINERS = frozenset(("set", "map", "record"))
_TABLES = ("access", "pool", "vm", "host", "network", "storage")


def version(text: str) -> Api:
    """Read `2.15`."""
    major, minor = text.split(".")
    return int(major), int(minor)


@frozen(slots=False)
class Field:
    """One field of a class. `mode` is RW, RO or CTOR: given when the object is made, and not changed by a setter."""

    name: str
    type: str
    mode: str = "RO"
    default: str = ""
    since: Api = FIRST
    until: Api | None = None
    role: str = ""

    @cached_property
    def kind(self) -> Kind:
        """The type, read."""
        return kind_of(self.type)

    def exists_at(self, api: Api) -> bool:
        """Whether a server of this API version has the field."""
        return self.since <= api and (self.until is None or api < self.until)

    def new_value(self) -> Any:
        """Return the value of an object for which nobody gave one."""
        return copy.copy(self._default) if self.kind.name in _CONTAINERS else self._default

    @cached_property
    def _default(self) -> Any:
        if self.default == "":
            return blank(self.kind, ENUMS)
        value = json.loads(self.default)
        if self.kind.name == "map" and self.kind.key is not None and self.kind.key.name == "int":
            return {int(key): item for key, item in value.items()}
        return value


@define
class ClassSchema:
    """One class."""

    name: str
    since: Api = FIRST
    until: Api | None = None
    implicit: frozenset[str] = frozenset()
    role: str = ""
    fields: dict[str, Field] = field(factory=dict)

    def exists_at(self, api: Api) -> bool:
        """Whether a server of this API version has the class."""
        return self.since <= api and (self.until is None or api < self.until)

    def fields_at(self, api: Api) -> list[Field]:
        """Return the fields that a server of this API version shows."""
        return [one for one in self.fields.values() if one.exists_at(api)]


def _columns(line: str, count: int) -> list[str]:
    found = [part.strip() for part in line.split("; ")]
    return [text.strip(";") for text in found] + [""] * (count - len(found))


def _api(text: str) -> Api | None:
    return version(text) if text else None


def _read_tables() -> dict[str, ClassSchema]:
    schema: dict[str, ClassSchema] = {}
    current = ClassSchema("")
    for table in _TABLES:
        for line in _lines(table):
            if not line.startswith(" "):
                name, since, until, implicit, role = _columns(line, 5)
                current = ClassSchema(name, _api(since) or FIRST, _api(until), frozenset(implicit.split()), role)
                schema[name] = current
                continue
            name, kind, mode, default, since, until, role = _columns(line, 7)
            current.fields[name] = Field(name, kind, mode, default, _api(since) or FIRST, _api(until), role)
    return schema


def _lines(table: str) -> list[str]:
    text = (resources.files(__name__) / "tables" / f"{table}.txt").read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line.strip()]


def _read_enums() -> dict[str, tuple[str, ...]]:
    pairs = (line.split(": ", 1) for line in _lines("enums"))
    return {name: tuple(values.split()) for name, values in pairs}


ENUMS: dict[str, tuple[str, ...]] = _read_enums()
"""Values of each enumeration."""
SCHEMA: dict[str, ClassSchema] = _read_tables()
"""All classes by name."""
