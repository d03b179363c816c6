"""What of an object is shown: the fields that the API version has, with those that follow from other objects."""

from __future__ import annotations

from functools import cache
from typing import Any

from .database import Object
from .derived import DERIVED
from .schema import SCHEMA, Api, Field
from .world import World

__all__ = ["settle", "settle_all", "show", "shown_fields", "value_of"]


@cache
def shown_fields(cls: str, api: Api) -> tuple[Field, ...]:
    """Return the fields of a record at an API version."""
    return tuple(SCHEMA[cls].fields_at(api))


def settle(world: World, obj: Object) -> None:
    """Compute the derived fields of an object when they may have changed since they were last shown."""
    functions = DERIVED.get(obj.cls)
    touched = world.db.touched
    if functions is None or (obj.shown is not None and obj.ref not in touched):
        return
    touched.pop(obj.ref, None)
    if world.db.lookup(obj.cls, obj.ref) is not obj:
        return  # it is gone: what it once allowed stays as it was
    before, obj.shown = obj.shown, {name: function(world, obj) for name, function in functions.items()}
    obj.texts.clear()
    if before is not None and before != obj.shown:
        world.db.bump(obj)


def settle_all(world: World) -> None:
    """Number anew all objects whose derived fields are others than those last shown."""
    touched = world.db.touched
    for obj in list(touched.values()):
        if obj.shown is None:
            touched.pop(obj.ref, None)
        else:
            settle(world, obj)


def show(world: World, obj: Object) -> dict[str, Any]:
    """Return the record of an object, in the values of Python."""
    settle(world, obj)
    kept = obj.fields
    record = {one.name: kept[one.name] for one in shown_fields(obj.cls, world.options.api)}
    if obj.shown:
        record |= {name: value for name, value in obj.shown.items() if name in record}
    return record


def value_of(world: World, obj: Object, field: str) -> Any:
    """Return one field as it is now."""
    function = DERIVED.get(obj.cls, {}).get(field)
    return obj.fields[field] if function is None else function(world, obj)
