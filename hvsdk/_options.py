"""A backend's own options: from the URL's query and from keywords, converted and checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from hvsdk._names import did_you_mean

if TYPE_CHECKING:
    from hvsdk._driver.backend import Backend

__all__ = ["read_options"]

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})
_ARGUMENTS = frozenset(("username", "verify", "tls", "timeout", "deadline", "readonly", "allow", "backend"))
"""What `connect` takes beside options."""
SHOWN = 40
"""Characters of a text that are shown in an error."""


def read_options(
    backend: Backend, query: Iterable[tuple[str, str]], keywords: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the options that were given, converted, and the query's parameters that are none.

    A keyword wins over the URL. A keyword of `None` is one that was not given.

    Raises:
        TypeError: There is no such option, or a value is of the wrong type. A text is shown only where it stands for a
            number or a bool: what a parameter without a meaning holds may be a secret.
        ValueError: A value is none of the choices, or a parameter is given twice.
    """
    given: dict[str, Any] = {}
    others: dict[str, str] = {}
    for name, text in query:
        if name in backend.options:
            if name in given:
                raise ValueError(f"the option {name} is given twice in the URL")
            given[name] = _converted(backend, name, text)
        elif name == "password":
            raise TypeError("a password does not go into the URL's query; give password=, which can be a SecretRef")
        elif backend.pass_query:
            others[name] = text
        elif name in _ARGUMENTS:
            raise TypeError(f"{name}= is an argument of connect, not a parameter of the URL")
        else:
            raise _unknown(backend, name)
    for name, value in keywords.items():
        if name not in backend.options:
            raise _unknown(backend, name)
        if value is not None:
            given[name] = _converted(backend, name, value)
    return given, others


def _converted(backend: Backend, name: str, value: Any) -> Any:
    option = backend.options[name]
    words = f"the option {name} of {backend.schemes[0]}://"
    if isinstance(value, str) and option.type is not str:
        value = _from_text(words, option.type, value)
    elif option.type is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    elif not isinstance(value, option.type) or (isinstance(value, bool) and option.type in (int, float)):
        plain = option.type is not str and isinstance(value, (bool, int, float))
        raise TypeError(f"{words} is {_called(option.type)}, not {value if plain else _called(type(value))}")
    if option.choices is not None and value not in option.choices:
        near = did_you_mean(value, [one for one in option.choices if isinstance(one, str)])
        meant = f" ({near})" if near else ""
        raise ValueError(f"{words} is one of {', '.join(map(repr, option.choices))}{meant}")
    return value


def _from_text(words: str, kind: type, text: str) -> Any:
    if kind is bool:
        lowered = text.lower()
        if lowered in _TRUE or lowered in _FALSE:
            return lowered in _TRUE
    elif kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    elif kind is object:
        return text
    found = repr(text if len(text) <= SHOWN else f"{text[:SHOWN]}…") if kind in (int, float, bool) else "a text"
    raise TypeError(f"{words} is {_called(kind)}, not {found}")


def _called(kind: type) -> str:
    return {
        bool: "a bool (true or false, yes or no, 1 or 0)",
        int: "a whole number",
        float: "a number",
        str: "a text",
    }.get(kind, kind.__name__)


def _unknown(backend: Backend, name: str) -> TypeError:
    known = ", ".join(sorted(backend.options)) or "none"
    more = "; parameters of its client library go into the URL" if backend.pass_query else ""
    near = did_you_mean(name, {*backend.options, *_ARGUMENTS, "username", "password"})
    meant = f" ({near})" if near else ""
    return TypeError(f"{backend.name} has no option {name!r}{meant}; it has: {known}{more}")
