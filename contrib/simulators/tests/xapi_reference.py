"""The data model of the real product, where it is at hand: `HVSDK_REFERENCE` names its directory."""

from __future__ import annotations

import gzip
import json
import os
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hvsdk_simulators.xapi.schema import Api, version

_BESIDE = Path(__file__).resolve().parents[4] / "shared" / "reference"
_LAST_NAMED: Api = (2, 15)
"""The last version whose releases all have code names; what came later says the version of the server program."""


@cache
def reference(name: str) -> Any:
    """Return one file of the reference data, or skip the test."""
    path = Path(os.environ.get("HVSDK_REFERENCE") or _BESIDE) / name
    if not path.exists():
        pytest.skip(
            f"the reference data of the real product are not here ({name}); HVSDK_REFERENCE names their directory"
        )
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return json.load(file)


@cache
def model() -> dict[str, Any]:
    """Return the classes of the model by name."""
    return {cls["name"]: cls for cls in reference("xenapi.json.gz")}


@cache
def enums() -> dict[str, set[str]]:
    """Return the values of each enum of the model."""
    found = (enum for cls in model().values() for enum in cls["enums"])
    return {enum["name"]: {value["name"] for value in enum["values"]} for enum in found}


@cache
def errors() -> dict[str, list[str]]:
    """Return the parameters of each error code that has documented ones."""
    return {one["name"]: one["params"] for one in reference("xenapi-extras.json.gz")["errors"]}


@cache
def model_messages() -> dict[str, Any]:
    """Return the messages of the model by their full names."""
    return {f"{cls['name']}.{one['name']}": one for cls in model().values() for one in cls["messages"]}


@cache
def _releases() -> dict[str, Api]:
    return {one["code_name"]: version(one["api_version"]) for one in reference("xenapi-extras.json.gz")["releases"]}


def api_of(release: str) -> Api | None:
    """Return the API version of a release; None when the model gives the server program's version instead."""
    return _releases().get(release)


def _first(lifecycle: Any, *kinds: str) -> str | None:
    found = (one["release"] for one in lifecycle["transitions"] if one["transition"] in kinds)
    return next(found, None)


def since(lifecycle: Any) -> str | None:
    """Return the release that has it for good, or for trial when none has."""
    return _first(lifecycle, "published") or _first(lifecycle, "prototyped")


def until(lifecycle: Any) -> str | None:
    """Return the release that no longer has it."""
    return _first(lifecycle, "removed")


def is_there(lifecycle: Any, api: Api) -> bool | None:
    """Whether a server of an API version has it; None when it may be either way."""
    last, first = until(lifecycle), since(lifecycle)
    if last is not None:
        gone = api_of(last)
        if gone is None:
            return None if api > _LAST_NAMED else is_there({"transitions": lifecycle["transitions"][:-1]}, api)
        if api >= gone:
            return False
    if _first(lifecycle, "published") is None:
        return None
    assert first is not None
    begun = api_of(first)
    if begun is None:
        return False if api <= _LAST_NAMED else (True if api >= (2, 23) else None)
    if api >= begun:
        return True
    trial = _first(lifecycle, "prototyped")
    trial_api = api_of(trial) if trial is not None else None
    return None if trial_api is not None and api >= trial_api else False


def fits(kind: str, value: Any, *, json_rpc: bool) -> bool:
    """Whether a value that came over the wire is of a type of the model."""
    if kind.endswith(" option"):
        return value in (None, "") or fits(kind.removesuffix(" option"), value, json_rpc=json_rpc)
    if kind.endswith(" set"):
        inner = kind.removesuffix(" set")
        return isinstance(value, list) and all(fits(inner, item, json_rpc=json_rpc) for item in value)
    if found := re.fullmatch(r"\((.+?) -> (.+)\) map", kind):
        # Keys are names of members, which are text whatever they stand for.
        keys_fit = isinstance(value, dict) and all(fits(found[1], key, json_rpc=False) for key in value)
        return keys_fit and all(fits(found[2], item, json_rpc=json_rpc) for item in value.values())
    if kind.endswith(" ref"):
        return isinstance(value, str) and value.startswith("OpaqueRef:")
    if kind.startswith("enum "):
        return value in enums()[kind.removeprefix("enum ")]
    if kind.endswith(" record"):
        return isinstance(value, dict)
    return _plain_fits(kind, value, json_rpc)


def _plain_fits(kind: str, value: Any, json_rpc: bool) -> bool:
    match kind:
        case "string":
            return isinstance(value, str)
        case "int" if json_rpc:
            return isinstance(value, int) and not isinstance(value, bool)
        case "int":
            return isinstance(value, str) and re.fullmatch(r"-?\d+", value) is not None
        case "float":
            return isinstance(value, float)
        case "bool":
            return isinstance(value, bool)
        case "datetime":
            text = value if json_rpc else getattr(value, "value", "")
            return isinstance(text, str) and re.fullmatch(r"\d{8}T\d\d:\d\d:\d\dZ", text) is not None
    raise ValueError(f"no type of the model: {kind}")


def faults_of(cls: str, record: dict[str, Any], api: Api, *, json_rpc: bool) -> list[str]:
    """Return what is wrong with a record: fields that are missing, unknown, too new or too old, and wrong values."""
    fields = {one["name"]: one for one in model()[cls]["fields"]}
    wrong = [f"{cls}.{name} is not in the model" for name in record.keys() - fields.keys()]
    for name, one in fields.items():
        there = is_there(one["lifecycle"], api)
        if name not in record:
            wrong += [f"{cls}.{name} is missing"] if there else []
        elif there is False:
            wrong.append(f"{cls}.{name} is not there at {api}")
        elif not fits(one["type"], record[name], json_rpc=json_rpc):
            wrong.append(f"{cls}.{name} is no {one['type']}: {record[name]!r}")
    return wrong
