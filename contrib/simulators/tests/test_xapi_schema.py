"""The tables of classes, fields and enums agree with the real product's data model."""

from __future__ import annotations

from typing import Any

from hvsdk_simulators.xapi.schema import ENUMS, FIRST, SCHEMA, Api
from xapi_reference import api_of, enums, model, since, until

_MODES = {"RO/runtime": "RO", "RO/constructor": "CTOR", "RW": "RW"}
_ON_TRIAL = "Prototyped_s"


def _fields() -> dict[str, Any]:
    return {f"{cls}.{one['name']}": one for cls in SCHEMA for one in model()[cls]["fields"]}


def _agree(ours: Api, lifecycle: Any) -> bool:
    first = since(lifecycle)
    if first is None:
        return True
    theirs = api_of(first)
    return ours > (2, 15) if theirs is None else max(theirs, FIRST) == max(ours, FIRST)


def test_every_class_is_one_of_the_model_and_only_prototypes_are_left_out() -> None:
    assert SCHEMA.keys() <= model().keys()
    left_out = {name for name, cls in model().items() if cls["lifecycle"]["state"] != _ON_TRIAL} - SCHEMA.keys()
    assert left_out <= {"Driver_variant", "Host_driver", "Observer", "VM_group", "Caller", "Rate_limit"}, left_out


def test_fields_are_those_of_the_model_but_for_prototypes() -> None:
    theirs = _fields()
    ours = {f"{cls.name}.{name}" for cls in SCHEMA.values() for name in cls.fields}
    assert ours <= theirs.keys()
    assert [name for name in theirs.keys() - ours if theirs[name]["lifecycle"]["state"] != _ON_TRIAL] == []


def test_types_and_modes_are_those_of_the_model() -> None:
    theirs = _fields()
    wrong = [
        f"{cls.name}.{name}: {one.type} {one.mode}"
        for cls in SCHEMA.values()
        for name, one in cls.fields.items()
        if (one.type, one.mode)
        != (theirs[f"{cls.name}.{name}"]["type"], _MODES[theirs[f"{cls.name}.{name}"]["qualifier"]])
    ]
    assert wrong == []


def test_fields_came_and_went_with_the_releases_of_the_model() -> None:
    theirs = _fields()
    wrong = []
    for cls in SCHEMA.values():
        for name, one in cls.fields.items():
            lifecycle = theirs[f"{cls.name}.{name}"]["lifecycle"]
            gone = until(lifecycle)
            begun = max(one.since, cls.since)
            if not (_agree(begun, lifecycle) or _agree(one.since, lifecycle)):
                wrong.append(f"{cls.name}.{name} since {one.since}, {since(lifecycle)} in the model")
            if (gone is None) != (one.until is None) or (gone and api_of(gone) not in (None, one.until)):
                wrong.append(f"{cls.name}.{name} until {one.until}, {gone} in the model")
    assert wrong == []


def test_classes_came_and_went_with_the_releases_of_the_model() -> None:
    wrong = [
        name
        for name, cls in SCHEMA.items()
        if not _agree(cls.since, model()[name]["lifecycle"])
        or (until(model()[name]["lifecycle"]) is None) != (cls.until is None)
    ]
    assert wrong == []


def test_enums_have_the_values_of_the_model() -> None:
    assert {name: set(values) for name, values in ENUMS.items()} == {name: enums()[name] for name in ENUMS}


def test_every_field_has_a_value_of_its_own_type_when_nobody_gave_one() -> None:
    for cls in SCHEMA.values():
        for one in cls.fields.values():
            if one.kind.name == "record":
                continue
            value = one.new_value()
            assert value is not one.new_value() or not isinstance(value, (list, dict)), (cls.name, one.name)
