"""The part of WQL that filters have: comparisons joined by AND and OR."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from .records import Record

__all__ = ["FilterError", "parse", "parse_query"]

_TOKEN = re.compile(
    r"\s*(?:(?P<name>[A-Za-z_]\w*)\s*(?P<op>=|<>|!=|>=|<=|>|<|\blike\b)\s*"
    r"(?P<value>'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|-?\d+|true\b|false\b|null\b)|(?P<word>and\b|or\b))",
    re.IGNORECASE,
)
_QUERY = re.compile(r"\s*select\s+.+?\s+from\s+(\w+)(?:\s+where\s+(.*))?\s*", re.IGNORECASE | re.DOTALL)
_LIKE = {"%": ".*", "_": "."}

Test = Callable[[Record], bool]


class FilterError(Exception):
    """It is no filter."""


def parse_query(text: str) -> tuple[str, str | None]:
    """Return class and filter of a query.

    Raises:
        FilterError: It is no query.
    """
    found = _QUERY.fullmatch(text)
    if found is None:
        raise FilterError(text)
    return found[1], found[2]


def parse(text: str) -> Test:
    """Return the test that a filter is.

    Raises:
        FilterError: It is none.
    """
    alternatives: list[list[Test]] = [[]]
    at, joined = 0, True
    while text[at:].strip():
        found = _TOKEN.match(text, at)
        if found is None or bool(found["word"]) == joined:
            raise FilterError(text)
        at, joined = found.end(), bool(found["word"])
        if not joined:
            alternatives[-1].append(_comparison(found["name"], found["op"].lower(), found["value"]))
        elif found["word"].lower() == "or":
            alternatives.append([])
    if joined:
        raise FilterError(text)
    return lambda record: any(all(test(record) for test in tests) for tests in alternatives)


def _comparison(name: str, op: str, value: str) -> Test:
    wanted = _value(value)
    if op == "like":
        pattern = re.compile(
            "".join(_LIKE.get(char) or re.escape(char) for char in str(wanted)), re.IGNORECASE | re.DOTALL
        )
        return lambda record: pattern.fullmatch(str(_property(record, name))) is not None
    return lambda record: _holds(_property(record, name), op, wanted)


def _property(record: Record, name: str) -> Any:
    for known in record.properties:
        if known.lower() == name.lower():
            return record[known]
    raise FilterError(name)


def _holds(found: Any, op: str, wanted: Any) -> bool:
    if isinstance(wanted, str) and found is not None:
        found, wanted = str(found).lower(), wanted.lower()
    if op in ("=", "<>", "!="):
        return bool(found == wanted) == (op == "=")
    if found is None or wanted is None:
        return False
    return bool({">": found > wanted, "<": found < wanted, ">=": found >= wanted, "<=": found <= wanted}[op])


def _value(text: str) -> Any:
    if text[0] in "'\"":
        return re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL)
    words: dict[str, Any] = {"true": True, "false": False, "null": None}
    return words[text.lower()] if text.lower() in words else int(text)
