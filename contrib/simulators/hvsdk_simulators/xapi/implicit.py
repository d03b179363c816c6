"""The messages that follow from the schema: getters, setters, what adds to sets and maps, look-ups and listings."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from .call import Call
from .database import NULL, Object
from .failure import Failure
from .messages import Message, Param
from .query import matcher
from .records import value_of
from .schema import SCHEMA, Api, ClassSchema, Field, kind_of

__all__ = ["implicit_messages"]

_GUARDED = frozenset(
    f"secret.{name}" for name in ("get_record", "get_by_uuid", "get_all", "get_all_records", "get_uuid", "get_value")
)
"""What not everybody may read."""


def implicit_messages(api: Api) -> dict[str, Message]:
    """Return all of them that a server of an API version has, by name."""
    made = (one for cls in SCHEMA.values() if cls.exists_at(api) for one in _of_class(cls, api))
    return {one.full_name: one for one in made if one.exists_at(api)}


def _of_class(cls: ClassSchema, api: Api) -> Iterable[Message]:
    name = cls.name
    itself = f"{name} ref self"
    lists = "get_all" in cls.implicit
    for wanted, params, result, function in (
        ("get_record", (itself,), f"{name} record", _get_record),
        ("get_by_uuid", ("string uuid",), f"{name} ref", _get_by_uuid(name)),
        ("get_by_name_label", ("string label",), f"{name} ref set", _get_by_name_label(name)),
        ("get_all", (), f"{name} ref set", _get_all(name)),
        ("get_all_records", (), f"({name} ref -> {name} record) map", _get_all_records(name)),
        ("create", (f"{name} record args",), f"{name} ref", _create(name)),
        ("destroy", (itself,), "void", _destroy),
    ):
        if wanted in cls.implicit:
            role = cls.role if wanted in ("create", "destroy") and cls.role else "read-only"
            yield _message(name, wanted, params, result, function, role, changes=role != "read-only")
    if lists:
        where = f"({name} ref -> {name} record) map"
        yield _message(name, "get_all_records_where", ("string expr",), where, _get_all_records_where(name))
    if cls.implicit:
        for one in cls.fields_at(api):
            yield from _of_field(name, itself, one)


def _of_field(name: str, itself: str, one: Field) -> Iterable[Message]:
    yield _message(name, f"get_{one.name}", (itself,), one.type, _getter(one.name))
    if one.mode != "RW":
        return
    role = one.role or "pool-admin"
    yield _message(
        name, f"set_{one.name}", (itself, f"{one.type} value"), "void", _setter(one.name), role, changes=True
    )
    kind = one.kind
    if kind.name == "map":
        key, _, value = one.type.removeprefix("(").removesuffix(") map").partition(" -> ")
        pair = (itself, f"{key} key", f"{value} value")
        yield _message(name, f"add_to_{one.name}", pair, "void", _add_to(one.name), role, changes=True)
        yield _message(name, f"remove_from_{one.name}", pair[:2], "void", _remove_from(one.name), role, changes=True)
    elif kind.name == "set":
        both = (itself, f"{one.type.removesuffix(' set')} value")
        yield _message(name, f"add_{one.name}", both, "void", _add(one.name), role, changes=True)
        yield _message(name, f"remove_{one.name}", both, "void", _remove(one.name), role, changes=True)


def _message(
    cls: str,
    name: str,
    params: tuple[str, ...],
    result: str,
    function: Callable[..., Any],
    role: str = "read-only",
    *,
    changes: bool = False,
) -> Message:
    declared = []
    for text in params:
        kind, _, called = text.rpartition(" ")
        declared.append(Param(called, kind_of(kind), kind))
    constructor = name in ("create", "destroy")
    if f"{cls}.{name}" in _GUARDED:
        role = "pool-operator"
    return Message(
        cls, name, tuple(declared), kind_of(result), result, function, role, asynchronous=changes and constructor
    )


def _get_record(call: Call, self: Object) -> Object:
    return self


def _get_by_uuid(cls: str) -> Callable[..., Object]:
    return lambda call, uuid: call.world.db.find(cls, uuid)


def _get_by_name_label(cls: str) -> Callable[..., list[Object]]:
    return lambda call, label: [one for one in call.world.db.all(cls) if one["name_label"] == label]


def _get_all(cls: str) -> Callable[..., list[Object]]:
    return lambda call: call.world.db.all(cls)


def _get_all_records(cls: str) -> Callable[..., dict[str, Object]]:
    return lambda call: {one.ref: one for one in call.world.db.all(cls)}


def _get_all_records_where(cls: str) -> Callable[..., dict[str, Object]]:
    def get(call: Call, expr: str) -> dict[str, Object]:
        fits = matcher(expr)
        return {one.ref: one for one in call.world.db.all(cls) if fits(call.world, one)}

    return get


def _create(cls: str) -> Callable[..., Object]:
    def create(call: Call, args: dict[str, Any]) -> Object:
        fields = SCHEMA[cls].fields
        for name, value in args.items():
            if fields[name].kind.name == "ref" and value not in ("", NULL):
                call.world.db.get(fields[name].kind.target, value)
        settable = {name: value for name, value in args.items() if fields[name].mode != "RO"}
        return call.world.db.create(cls, **settable)

    return create


def _destroy(call: Call, self: Object) -> None:
    call.world.db.delete(self)


def _getter(field: str) -> Callable[..., Any]:
    return lambda call, self: value_of(call.world, self, field)


def _plain(value: Any) -> Any:
    if value is None:
        return NULL
    if isinstance(value, Object):
        return value.ref
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {_plain(key): _plain(item) for key, item in value.items()}
    return value


def _setter(field: str) -> Callable[..., None]:
    return lambda call, self, value: call.world.db.update(self, **{field: _plain(value)})


def _add_to(field: str) -> Callable[..., None]:
    def add(call: Call, self: Object, key: Any, value: Any) -> None:
        if key in self[field]:
            raise Failure("MAP_DUPLICATE_KEY", self.cls, field, str(self["uuid"]), str(key))
        call.world.db.update(self, **{field: self[field] | {_plain(key): _plain(value)}})

    return add


def _remove_from(field: str) -> Callable[..., None]:
    def remove(call: Call, self: Object, key: Any) -> None:
        left = {name: value for name, value in self[field].items() if name != key}
        call.world.db.update(self, **{field: left})

    return remove


def _add(field: str) -> Callable[..., None]:
    def add(call: Call, self: Object, value: Any) -> None:
        plain = _plain(value)
        if plain not in self[field]:
            call.world.db.update(self, **{field: [*self[field], plain]})

    return add


def _remove(field: str) -> Callable[..., None]:
    def remove(call: Call, self: Object, value: Any) -> None:
        plain = _plain(value)
        call.world.db.update(self, **{field: [one for one in self[field] if one != plain]})

    return remove
