"""The objects of a pool: kept, related to each other, and numbered by their changes."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Iterator
from functools import cache
from random import Random
from typing import Any, NamedTuple

from .derived import DERIVED, derived
from .failure import Failure
from .relations import INVERSE, KEPT
from .schema import NULL, SCHEMA

__all__ = ["NULL", "Database", "Deleted", "Object", "derived"]

DELETIONS_KEPT = 4096
"""Deleted objects that are remembered for those who watch; who asks for older ones has lost events."""

_REFS = {
    cls: {one.name: one.kind.target for one in schema.fields.values() if one.kind.name == "ref"}
    for cls, schema in SCHEMA.items()
}
"""By class: the fields that name one object, with the class of it."""
_LINKS = {
    cls: tuple(
        (one.name, kind.target)
        for one in schema.fields.values()
        for kind in (one.kind, one.kind.item)
        if kind is not None and kind.name == "ref" and one.kind.name in ("ref", "set")
    )
    for cls, schema in SCHEMA.items()
}
"""By class: the fields that name objects, one or a set of them."""

_MARKS = 0x4000 << 64 | 0x8000 << 48
"""The bits by which a UUID says that it is a random one; `_NOT_MARKS` are those beside them."""
_NOT_MARKS = (1 << 128) - 1 ^ (0xF000 << 64 | 0xC000 << 48)


@cache
def _blank(cls: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The fields of an object of which nothing is known, and those of them that are to be copied before use."""
    values = {name: one.new_value() for name, one in SCHEMA[cls].fields.items()}
    return values, tuple(name for name, value in values.items() if isinstance(value, dict | list))


class Object:
    """One object. Its fields are read as `obj["name_label"]` and written by the database alone."""

    __slots__ = ("__weakref__", "cls", "created", "fields", "generation", "ref", "shown", "texts")

    def __init__(self, cls: str, ref: str, fields: dict[str, Any]) -> None:
        self.cls = cls
        self.ref = ref
        self.fields = fields
        self.generation = 0
        self.created = 0
        self.shown: dict[str, Any] | None = None
        """The derived fields as they were last computed."""
        self.texts: dict[str, bytes] = {}
        """The record as text by format, until it changes."""

    def __getitem__(self, name: str) -> Any:
        return self.fields[name]

    def __repr__(self) -> str:
        return f"<{self.cls} {self.fields.get('name_label') or self.fields.get('uuid')} {self.ref}>"


class Deleted(NamedTuple):
    """What is remembered of an object that is no more."""

    generation: int
    cls: str
    ref: str
    uuid: str
    created: int


class Database:
    """All objects of one pool. Every change has a number, and wakes those who wait for the condition."""

    def __init__(self, lock: threading.Condition, random: Random) -> None:
        self._lock = lock
        self._random = random
        self._classes: dict[str, dict[str, Object]] = {name: {} for name in SCHEMA}
        self._uuids: dict[tuple[str, str], Object] = {}
        self._owners: dict[str, Object] = {}
        self.generation = 1
        self.changed: OrderedDict[str, Object] = OrderedDict()
        """Objects in the order of their last changes."""
        self.touched: dict[str, Object] = {}
        """Objects whose derived fields may be others than those last shown."""
        self.deleted: deque[Deleted] = deque()
        self.lost_before = 0
        """Deletions up to this generation are forgotten."""

    def create(self, cls: str, /, **fields: Any) -> Object:
        """Make an object. Fields that are not given have their defaults, a uuid is made when there is one to have."""
        with self._lock:
            schema = SCHEMA[cls].fields
            if unknown := fields.keys() - schema.keys():
                raise ValueError(f"{cls} has no field {', '.join(sorted(unknown))}")
            # Roles are the same in every pool, down to their references.
            ref = f"OpaqueRef:{fields['uuid'] if cls == 'role' else self.new_uuid()}"
            blank, containers = _blank(cls)
            values = blank | fields
            for name in containers:
                if name not in fields:
                    values[name] = values[name].copy()
            if "uuid" in schema and not values["uuid"]:
                values["uuid"] = self.new_uuid()
            obj = Object(cls, ref, values)
            self._classes[cls][ref] = obj
            if values.get("uuid"):
                self._uuids[cls, values["uuid"]] = obj
            for name in _REFS[cls]:
                if values[name] != NULL:
                    self._relate(obj, name, NULL, values[name])
            self._changed(obj)
            obj.created = obj.generation
            return obj

    def update(self, obj: Object, /, **fields: Any) -> None:
        """Write fields. Those that have the value already are no change."""
        with self._lock:
            if unknown := fields.keys() - obj.fields.keys():
                raise ValueError(f"{obj.cls} has no field {', '.join(sorted(unknown))}")
            news = {name: value for name, value in fields.items() if obj.fields[name] != value}
            if not news or obj.ref not in self._classes[obj.cls]:
                return
            for name, value in news.items():
                old, obj.fields[name] = obj.fields[name], value
                self._relate(obj, name, old, value)
                if name == "uuid":
                    self._uuids.pop((obj.cls, old), None)
                    self._uuids[obj.cls, value] = obj
            self._changed(obj)

    def delete(self, obj: Object) -> None:
        """Remove an object; the objects that it refers to no longer name it."""
        with self._lock:
            if self._classes[obj.cls].pop(obj.ref, None) is None:
                return
            uuid = str(obj.fields.get("uuid", ""))
            self._uuids.pop((obj.cls, uuid), None)
            for name, value in obj.fields.items():
                self._relate(obj, name, value, NULL)
            self._changed(obj)
            del self.changed[obj.ref]
            self.touched.pop(obj.ref, None)
            self.deleted.append(Deleted(self.generation, obj.cls, obj.ref, uuid, obj.created))
            if len(self.deleted) > DELETIONS_KEPT:
                self.lost_before = self.deleted.popleft().generation

    def get(self, cls: str, ref: str) -> Object:
        """Return the object with a reference, or raise HANDLE_INVALID."""
        found = self._classes[cls].get(ref)
        if found is None:
            raise Failure("HANDLE_INVALID", cls, ref)
        return found

    def lookup(self, cls: str, ref: str) -> Object | None:
        """Return the object with a reference, or None."""
        return self._classes[cls].get(ref)

    def find(self, cls: str, uuid: str) -> Object:
        """Return the object with a uuid, or raise UUID_INVALID."""
        found = self._uuids.get((cls, uuid))
        if found is None:
            raise Failure("UUID_INVALID", cls, uuid)
        return found

    def all(self, cls: str) -> list[Object]:
        """Return all objects of a class."""
        with self._lock:
            return list(self._classes[cls].values())

    def count(self, cls: str) -> int:
        """Return how many objects of a class there are."""
        return len(self._classes[cls])

    def new_uuid(self) -> str:
        """Make a uuid, the same one in each pool of the same seed."""
        bits = self._random.getrandbits(128) & _NOT_MARKS | _MARKS
        text = f"{bits:032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    def touch(self, obj: Object) -> None:
        """Say that an object's derived fields may have changed."""
        if obj.cls in DERIVED:
            obj.texts.clear()
            self.touched[obj.ref] = obj

    def bump(self, obj: Object) -> None:
        """Number an object anew, as if it had been changed."""
        with self._lock:
            self.generation += 1
            obj.generation = self.generation
            obj.texts.clear()
            self.changed[obj.ref] = obj
            self.changed.move_to_end(obj.ref)
            self._lock.notify_all()

    def lose_events(self) -> None:
        """Forget all deletions, so that every token given out is too old."""
        with self._lock:
            self.deleted.clear()
            self.generation += 1
            self.lost_before = self.generation
            self._lock.notify_all()

    def _changed(self, obj: Object) -> None:
        self.bump(obj)
        self.touch(obj)
        for other in self._neighbours(obj):
            self.touch(other)

    def _neighbours(self, obj: Object) -> Iterator[Object]:
        """The objects whose derived fields may follow from this one: those it names, and the one it belongs to."""
        for name, target in _LINKS[obj.cls]:
            if target not in DERIVED:
                continue
            known = self._classes[target]
            value = obj.fields[name]
            for ref in value if isinstance(value, list) else (value,):
                if (found := known.get(ref)) is not None:
                    yield found
        owner = self._owners.get(obj.ref)
        if owner is not None:
            yield owner

    def _relate(self, obj: Object, name: str, old: Any, new: Any) -> None:
        target = _REFS[obj.cls].get(name)
        if target is None:
            return
        if target.endswith("_metrics"):
            self._owners.pop(old, None)
            if new != NULL:
                self._owners[new] = obj
        inverse = INVERSE.get((obj.cls, name))
        if inverse is None:
            return
        assert inverse in KEPT
        for ref, present in ((old, False), (new, True)):
            other = self._classes[inverse.cls].get(ref)
            if other is None:
                continue
            refs = [one for one in other.fields[inverse.field] if one != obj.ref] if not present else None
            if refs is None:
                other.fields[inverse.field].append(obj.ref)
            else:
                other.fields[inverse.field] = refs
            self.bump(other)
            self.touch(other)
