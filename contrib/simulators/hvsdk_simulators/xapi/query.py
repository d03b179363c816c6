"""The expressions of `get_all_records_where`: `field "name__label" = "web" and not field "is_a_template" = "true"`."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from .database import Object
from .failure import Failure
from .records import value_of
from .world import World

__all__ = ["matcher"]

Test = Callable[[World, Object], bool]
_TOKENS = re.compile(r'\s*(?:(?P<word>true|false|and|or|not|field|[()=])|(?P<quote>["\'])(?P<text>.*?)(?P=quote))')


def matcher(expression: str) -> Test:
    """Read an expression; a field's value is compared as text.

    Raises:
        Failure: INVALID_VALUE, when it is none.
    """
    try:
        parser = _Parser(_split(expression))
        test = parser.either()
        parser.end()
    except (LookupError, ValueError):
        raise Failure("INVALID_VALUE", "expr", expression) from None
    return test


def _split(expression: str) -> list[tuple[str, str]]:
    tokens = []
    place = 0
    text = expression.rstrip()
    while place < len(text):
        found = _TOKENS.match(text, place)
        if found is None:
            raise ValueError(expression)
        tokens.append(("text", found["text"]) if found["quote"] else ("word", found["word"]))
        place = found.end()
    return tokens


class _Parser:
    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self._tokens = tokens
        self._place = 0

    def end(self) -> None:
        if self._place != len(self._tokens):
            raise ValueError

    def either(self) -> Test:
        test = self._both()
        while self._took("or"):
            test = _or(test, self._both())
        return test

    def _both(self) -> Test:
        test = self._one()
        while self._took("and"):
            test = _and(test, self._one())
        return test

    def _one(self) -> Test:
        if self._took("not"):
            test = self._one()
            return lambda world, obj: not test(world, obj)
        if self._took("("):
            test = self.either()
            self._need("(", ")")
            return test
        if self._took("true"):
            return lambda world, obj: True
        if self._took("false"):
            return lambda world, obj: False
        one = self._value()
        self._need("=", "=")
        other = self._value()
        return lambda world, obj: one(world, obj) == other(world, obj)

    def _value(self) -> Callable[[World, Object], str]:
        if not self._took("field"):
            text = self._text()
            return lambda world, obj: text
        name = self._text().replace("__", "_")
        return lambda world, obj: _as_text(value_of(world, obj, name)) if name in obj.fields else ""

    def _text(self) -> str:
        kind, text = self._tokens[self._place]
        if kind != "text":
            raise ValueError
        self._place += 1
        return text

    def _took(self, word: str) -> bool:
        if self._place < len(self._tokens) and self._tokens[self._place] == ("word", word):
            self._place += 1
            return True
        return False

    def _need(self, after: str, word: str) -> None:
        if not self._took(word):
            raise ValueError(f"{word} is missing after {after}")


def _or(one: Test, other: Test) -> Test:
    return lambda world, obj: one(world, obj) or other(world, obj)


def _and(one: Test, other: Test) -> Test:
    return lambda world, obj: one(world, obj) and other(world, obj)


def _as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
