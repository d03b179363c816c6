"""Arguments of calls: checked against the declared types, and references looked up."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from xmlrpc.client import DateTime

from .failure import Failure
from .records import shown_fields
from .schema import ENUMS, NULL, SCHEMA, Kind
from .world import World

__all__ = ["read", "resolve", "resolve_keys"]

_NUMBER = re.compile(r"[-+]?\d+")
_TIME = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)T(\d\d):?(\d\d):?(\d\d)(?:\.\d+)?Z?")


class _WrongType(Exception):
    """A value is not of the declared type."""


def read(world: World, kind: Kind, value: Any, name: str, *, exact: bool = False) -> Any:
    """Return a value as Python has it; references stay texts.

    Args:
        world: Its API version says which fields records have.
        kind: The declared type.
        value: As JSON or XML-RPC has it.
        name: What the error calls it.
        exact: Whether a number without a point is no float, as in XML-RPC.

    Raises:
        Failure: FIELD_TYPE_ERROR.
    """
    try:
        return _Reader(world, exact).read(kind, value)
    except _WrongType:
        raise Failure("FIELD_TYPE_ERROR", name) from None


def resolve(world: World, kind: Kind, value: Any) -> Any:
    """Put objects in the place of references, also within sets and maps. NULL becomes None.

    Raises:
        Failure: HANDLE_INVALID.
    """
    if kind.name == "ref":
        return None if value == NULL else world.db.get(kind.target, value)
    if kind.name == "set":
        return [resolve(world, kind.inner, item) for item in value]
    if kind.name == "map" and kind.key is not None:
        return {resolve(world, kind.key, key): resolve(world, kind.inner, item) for key, item in value.items()}
    if kind.name == "option":
        return None if value is None else resolve(world, kind.inner, value)
    return value


def resolve_keys(world: World, kind: Kind, value: Any) -> Any:
    """Put objects in the place of the keys of a map; its values stay references, for they may be in another pool.

    Raises:
        Failure: HANDLE_INVALID.
    """
    assert kind.key is not None
    return {resolve(world, kind.key, key): item for key, item in value.items()}


class _Reader:
    def __init__(self, world: World, exact: bool) -> None:
        self._world = world
        self._exact = exact
        self._plain: dict[str, Callable[[Any], Any]] = {
            "string": _text,
            "ref": _text,
            "int": _whole,
            "float": self._float,
            "bool": _truth,
            "datetime": _time,
        }

    def read(self, kind: Kind, value: Any) -> Any:
        plain = self._plain.get(kind.name)
        if plain is not None:
            return plain(value)
        match kind.name:
            case "enum":
                if value not in ENUMS.get(kind.target, ()):
                    raise _WrongType
                return value
            case "set":
                if not isinstance(value, list):
                    raise _WrongType
                return [self.read(kind.inner, item) for item in value]
            case "option":
                return None if value in (None, "") else self.read(kind.inner, value)
        if not isinstance(value, dict):
            raise _WrongType
        if kind.name == "map":
            assert kind.key is not None
            return {self.read(kind.key, key): self.read(kind.inner, item) for key, item in value.items()}
        return self._record(kind.target, value)

    def _record(self, cls: str, value: dict[str, Any]) -> dict[str, Any]:
        if cls not in SCHEMA:
            return value
        found = {}
        for one in shown_fields(cls, self._world.options.api):
            if one.name in value:
                try:
                    found[one.name] = self.read(one.kind, value[one.name])
                except _WrongType:
                    raise Failure("FIELD_TYPE_ERROR", one.name) from None
        return found

    def _float(self, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, float if self._exact else (int, float)):
            raise _WrongType
        return float(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise _WrongType
    return value


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise _WrongType
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        raise _WrongType
    number = int(value)
    if not -(1 << 63) <= number < 1 << 63:
        raise _WrongType
    return number


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _WrongType
    return value


def _time(value: Any) -> datetime:
    found = _TIME.fullmatch(value.value if isinstance(value, DateTime) else str(value))
    if found is None:
        raise _WrongType
    try:
        year, month, day, hour, minute, second = map(int, found.groups())
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        raise _WrongType from None
