"""A domain's record as the text that is kept of it, and back again."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from enum import Enum
from functools import cache
from hashlib import blake2b
from operator import attrgetter
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import attrs

from hvsdk import models
from hvsdk.enums import PowerState
from hvsdk.models._base import Record, plain
from hvsdk.models._domain import DomainInfo, _restore
from hvsdk.models._hardware import Disk
from hvsdk.models._mapping import frozen

__all__ = ["decode", "differ_by_the_clock_alone", "digest", "encode"]

Read = Callable[[Any], Any]
_HASH_BYTES = 16


def _default(value: Any) -> Any:
    """Return what JSON has no form for as something that it has."""
    if isinstance(value, Record):
        names, get = _fields(type(value))
        found = dict(zip(names, get(value), strict=True))
        if isinstance(value, Disk):
            found["allocated_bytes"] = None
        return found
    simple = plain(value)
    return str(simple) if simple is value else simple


def _fields(cls: type[Any]) -> tuple[list[str], Callable[[Any], tuple[Any, ...]]]:
    """Return the fields of a class, and what reads them all: `to_dict()` would look into each, as JSON does itself."""
    if cls not in _FIELDS:
        names = [field.name for field in attrs.fields(cls)]
        _FIELDS[cls] = names, attrgetter(*names)
    return _FIELDS[cls]


_FIELDS: dict[type[Any], tuple[list[str], Callable[[Any], tuple[Any, ...]]]] = {}
_STARTED = re.compile('"started_at":"([^"]*)"')
_CLOCK_SECONDS = 5.0
_ENCODER = json.JSONEncoder(ensure_ascii=True, sort_keys=True, separators=(",", ":"), default=_default)


def encode(info: DomainInfo) -> str:
    """Return a record as JSON: the same text for equal records, whatever order their mappings are in.

    What changes while nobody changes anything is left out: `seen_at`, and what disks take in their pools.
    """
    items = info._items()
    del items["seen_at"]
    return _ENCODER.encode(items)


def digest(text: str) -> bytes:
    """Return what stands for a text among millions of others."""
    return blake2b(text.encode("ascii"), digest_size=_HASH_BYTES).digest()


def differ_by_the_clock_alone(one: str, other: str) -> bool:
    """Return whether two texts are alike but for when the domain was started, by a few seconds.

    Products that tell for how long a domain has run tell its start a little otherwise each time.
    """
    first, second = _STARTED.search(one), _STARTED.search(other)
    if first is None or second is None or _STARTED.sub("", one, count=1) != _STARTED.sub("", other, count=1):
        return False
    try:
        gap = datetime.fromisoformat(first[1]) - datetime.fromisoformat(second[1])
    except ValueError:
        return False
    return abs(gap.total_seconds()) < _CLOCK_SECONDS


def decode(text: str, seen_at: datetime) -> DomainInfo:
    """Return the record that a text was made of, as it was at `seen_at`.

    Fields that this version does not know are left out.

    Raises:
        ValueError: The text is damaged.
    """
    values = json.loads(text)
    for name, read in _readers():
        value = values.get(name)
        if value is not None:
            values[name] = read(value)
    values["seen_at"] = seen_at
    return _restore(values)


@cache
def _readers() -> tuple[tuple[str, Read], ...]:
    return tuple(_readers_of(DomainInfo).items())


def _readers_of(cls: type[Record]) -> dict[str, Read]:
    """Return how the fields are read that JSON has in another form."""
    public = {name: getattr(models, name) for name in models.__all__}
    found = {name: _reader(kind) for name, kind in get_type_hints(cls, localns=public).items()}
    return {name: read for name, read in found.items() if read is not None}


def _reader(kind: Any) -> Read | None:
    """Return how a value of a type is read; `None` where JSON has it as it is. Only values that are there are read."""
    origin, args = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return next((read for read in map(_reader, args) if read is not None), None)
    if origin is tuple:
        return _all_of(_reader(args[0]))
    if origin is frozenset:
        return frozenset
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return frozen
    if not isinstance(kind, type):
        return None
    if issubclass(kind, PowerState):
        states = {state.value: state for state in PowerState}
        return lambda value: states.get(value, PowerState.UNKNOWN)
    if issubclass(kind, Enum):
        return kind
    if issubclass(kind, datetime):
        return datetime.fromisoformat
    return _record_reader(kind) if issubclass(kind, Record) else None


def _all_of(read: Read | None) -> Read:
    return tuple if read is None else lambda values: tuple(map(read, values))


def _record_reader(cls: type[Record]) -> Read:
    readers = tuple(_readers_of(cls).items())
    known = {field.name for field in attrs.fields(cls)}  # type: ignore[arg-type]

    def read(values: dict[str, Any]) -> Record:
        for name, read_value in readers:
            value = values.get(name)
            if value is not None:
                values[name] = read_value(value)
        if not values.keys() <= known:
            values = {name: value for name, value in values.items() if name in known}
        return cls(**values)

    return read
