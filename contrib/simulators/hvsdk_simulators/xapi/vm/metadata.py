"""A VM's record as the text that a snapshot keeps of it: nested lists of quoted strings.

    (('uuid' '6a…') ('name_label' 'web') ('tags' '(\'a\' \'b\')'))

Every value is text; sets and maps are lists within it, quoted once more.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from hvsdk_simulators.xapi.database import Object
from hvsdk_simulators.xapi.schema import SCHEMA

_TOKEN = re.compile(r"\(|\)|'((?:[^'\\]|\\.)*)'|\s+", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_TIME = "%Y%m%dT%H:%M:%SZ"


def record_text(obj: Object) -> str:
    """The record of an object as text."""
    pairs = (f"({_quote(name)} {_quote(_to_text(value))})" for name, value in obj.fields.items())
    return "(" + " ".join(pairs) + ")"


def read_record(cls: str, text: str) -> dict[str, Any]:
    """The values in such a text, by field; what the class no longer has is left out."""
    fields = SCHEMA[cls].fields
    pairs = (pair for pair in _parse(text) if pair[0] in fields)
    return {name: _from_text(fields[name].type, value) for name, value in pairs}


def _quote(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _to_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime(_TIME)
    if isinstance(value, Mapping):
        return "(" + " ".join(f"({_quote(_to_text(k))} {_quote(_to_text(v))})" for k, v in value.items()) + ")"
    if isinstance(value, list | tuple | set | frozenset):
        return "(" + " ".join(_quote(_to_text(item)) for item in value) + ")"
    return str(value)


def _from_text(kind: str, text: str) -> Any:
    if kind.endswith(" set"):
        return [_from_text(kind.removesuffix(" set"), item) for item in _parse(text)]
    if kind.endswith(" map"):
        key, value = kind.removesuffix(" map")[1:-1].split(" -> ", 1)
        return {_from_text(key, pair[0]): _from_text(value, pair[1]) for pair in _parse(text)}
    if kind == "datetime":
        return datetime.strptime(text, _TIME).replace(tzinfo=UTC)
    if kind == "bool":
        return text == "true"
    if kind in ("int", "float"):
        return int(text) if kind == "int" else float(text)
    return text


def _parse(text: str) -> list[Any]:
    tokens = _tokens(text)
    if next(tokens, None) != ("(", ""):
        raise ValueError("the text of a record begins with a parenthesis")
    return _items(tokens)


def _items(tokens: Iterator[tuple[str, str]]) -> list[Any]:
    items: list[Any] = []
    for kind, text in tokens:
        if kind == ")":
            return items
        items.append(_items(tokens) if kind == "(" else text)
    raise ValueError("the text of a record ends within a list")


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise ValueError(f"the text of a record has {text[position]!r} outside of quotes")
        position = match.end()
        if not match[0].isspace():
            yield match[0][0], _ESCAPED.sub(r"\1", match[1] or "")
