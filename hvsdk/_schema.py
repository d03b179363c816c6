"""JSON Schema of what `to_dict()` returns."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from itertools import pairwise
from types import NoneType, UnionType
from typing import Any, Literal, Union, cast, get_args, get_origin, get_type_hints

import attrs

from hvsdk import models
from hvsdk.models._base import Record

__all__ = ["json_schema"]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_PLAIN = {str: "string", int: "integer", float: "number", bool: "boolean", NoneType: "null"}


def json_schema(record_class: type[Record]) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of what `to_dict()` of a record class returns.

    It allows further properties: later versions may add fields.

    Example:
        >>> import hvsdk
        >>> hvsdk.json_schema(hvsdk.DomainInfo)["properties"]["vcpus"]
        {'description': 'How many vCPUs it boots with.', 'type': ['integer', 'null']}
    """
    definitions: dict[str, Any] = {}
    schema = {"$schema": _DIALECT, **_object(record_class, definitions)}
    return schema | ({"$defs": dict(sorted(definitions.items()))} if definitions else {})


def _object(cls: type[Record], definitions: dict[str, Any]) -> dict[str, Any]:
    types = get_type_hints(cls, localns=_records() | dict(getattr(cls, "_json_names", {})))
    said = _field_docs(cls)
    fields = attrs.fields(cast("Any", cls))
    said |= {field.name: said[field.alias] for field in fields if field.alias in said}
    names = [field.name for field in fields]
    properties = {}
    for name in names:
        properties[name] = _schema_of(types[name], definitions)
        if name in said:
            properties[name] = {"description": said[name], **properties[name]}
    return {
        "title": cls.__name__,
        "description": _one_line(inspect.getdoc(cls) or ""),
        "type": "object",
        "properties": properties,
        "required": [name for name in names if name not in cls._left_out],
    }


def _records() -> dict[str, Any]:
    """Return what the annotations of records name and their modules import for type checkers only."""
    return {name: getattr(models, name) for name in models.__all__}


def _schema_of(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    origin, args = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return _any_of([_schema_of(arg, definitions) for arg in args])
    if origin is Literal:
        return {"enum": list(args)}
    if origin in (tuple, frozenset):
        unique = {"uniqueItems": True} if origin is frozenset else {}
        return {"type": "array", "items": _schema_of(args[0], definitions), **unique}
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {"type": "object", "additionalProperties": _schema_of(args[1], definitions)}
    return _schema_of_class(kind, definitions)


def _schema_of_class(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    if kind is Any:
        return {}
    if kind in _PLAIN:
        return {"type": _PLAIN[kind]}
    if issubclass(kind, datetime):
        return {"type": "string", "format": "date-time"}
    if issubclass(kind, Enum):
        return {"enum": [member.value for member in kind]}
    if not issubclass(kind, Record):
        raise TypeError(f"no JSON Schema for a field of type {kind!r}")
    if kind.__name__ not in definitions:
        definitions[kind.__name__] = {}
        definitions[kind.__name__] = _object(kind, definitions)
    return {"$ref": f"#/$defs/{kind.__name__}"}


def _any_of(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the schema for "one of these", in its shortest form."""
    if all(part.keys() == {"type"} for part in parts):
        return {"type": [part["type"] for part in parts]}
    null = {"type": "null"}
    if len(parts) == 2 and null in parts and "enum" in parts[0]:
        return {"enum": [*parts[0]["enum"], None]}
    return {"anyOf": parts}


def _field_docs(cls: type[Record]) -> dict[str, str]:
    """Return what a class says of its fields: below each of them, or in its docstring's list of attributes."""
    return _texts_below(cls) | _listed(inspect.getdoc(cls) or "")


def _listed(docstring: str) -> dict[str, str]:
    section = re.search(r"^Attributes:\n((?: +.*\n?)+)", docstring, re.MULTILINE)
    entries = re.findall(r"^ {4}(\w+): (.*(?:\n {5,}.*)*)", section[1] if section else "", re.MULTILINE)
    return {name: _one_line(text) for name, text in entries}


def _texts_below(cls: type[Record]) -> dict[str, str]:
    """Return the texts below the fields, as far as the source is at hand."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(cls)))
    except OSError:
        return {}
    body = cast("ast.ClassDef", tree.body[0]).body
    found = {}
    for statement, after in pairwise(body):
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            match after:
                case ast.Expr(value=ast.Constant(value=str(text))):
                    found[statement.target.id] = _one_line(text)
    return found


def _one_line(text: str) -> str:
    return " ".join(text.split("\n\n")[0].split())
