"""The messages that the server answers: what each takes, returns and asks of a role, and the function behind it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, TypeVar

from attrs import frozen

from .schema import FIRST, NULL, Api, Kind, kind_of, version

_F = TypeVar("_F", bound=Callable[..., Any])
_SIGNATURE = re.compile(r"\s*([\w]+)\.(\w+)\s*\((.*)\)\s*->\s*(.+?)\s*", re.DOTALL)
_REQUIRED = object()


@frozen
class Param:
    """One parameter."""

    name: str
    kind: Kind
    type: str
    default: Any = _REQUIRED

    @property
    def required(self) -> bool:
        """Whether a caller may not leave it off."""
        return self.default is _REQUIRED


@frozen
class Message:
    """One message."""

    cls: str
    name: str
    params: tuple[Param, ...]
    result: Kind
    result_type: str
    function: Callable[..., Any]
    role: str = "read-only"
    since: Api = FIRST
    until: Api | None = None
    session: bool = True
    """Whether its first parameter is the session."""
    asynchronous: bool = True
    on_slaves: bool = False
    """Whether every member answers it, not only the master."""
    elsewhere: frozenset[str] = frozenset()
    """The maps among the parameters whose values may be in another pool; the function gets those as references."""

    @property
    def full_name(self) -> str:
        """Such as `VM.start`."""
        return f"{self.cls}.{self.name}"

    def exists_at(self, api: Api) -> bool:
        """Whether a server of this API version has it."""
        return self.since <= api and (self.until is None or api < self.until)


MESSAGES: dict[str, Message] = {}
"""By name: those with a function of their own. `implicit.py` makes the rest from the schema."""


def message(
    signature: str,
    *,
    role: str = "read-only",
    since: str = "1.1",
    until: str | None = None,
    session: bool = True,
    asynchronous: bool = True,
    on_slaves: bool = False,
    elsewhere: frozenset[str] = frozenset(),
) -> Callable[[_F], _F]:
    """Let a function answer a message.

    Args:
        signature: As the product writes it, without the session: `VM.start(VM ref vm, bool force = false) -> void`.
        role: The least role that may call it.
        since: The first API version that has it.
        until: The first one that no longer has it.
        session: Whether its first parameter is a session.
        asynchronous: Whether there is an `Async.` form.
        on_slaves: Whether members that are not the master answer it too.
        elsewhere: The maps whose values may be in another pool; they stay references.
    """
    cls, name, params, result = _read(signature)
    last = version(until) if until else None

    def register(function: _F) -> _F:
        MESSAGES[f"{cls}.{name}"] = Message(
            cls, name, params, kind_of(result), result, function, role, version(since), last, session, asynchronous,
            on_slaves, elsewhere=elsewhere,
        )  # fmt: skip
        return function

    return register


def _read(signature: str) -> tuple[str, str, tuple[Param, ...], str]:
    found = _SIGNATURE.fullmatch(signature)
    if found is None:
        raise ValueError(f"not a signature: {signature}")
    cls, name, params, result = found.groups()
    return cls, name, tuple(_param(text) for text in _split(params)), result


def _split(text: str) -> list[str]:
    parts = re.split(r",(?![^(\[{\"]*[)\]}])", text)
    return [part.strip() for part in parts if part.strip()]


def _param(text: str) -> Param:
    declared, equals, default = text.partition("=")
    kind, _, name = declared.strip().rpartition(" ")
    return Param(name, kind_of(kind), kind, _default(default.strip()) if equals else _REQUIRED)


def _default(text: str) -> Any:
    if text in ("NULL", NULL):
        return NULL
    try:
        return json.loads(text)
    except ValueError:
        return text
