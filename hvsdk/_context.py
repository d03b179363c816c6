"""Who does something, and under which marks: what hooks and the products' own logs get to know."""

from __future__ import annotations

import contextvars
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Generic, ParamSpec, TypeVar

from hvsdk.models._mapping import EMPTY, FrozenDict

__all__ = ["actor", "carry", "context", "marks"]

P = ParamSpec("P")
T = TypeVar("T")

_MARKS: contextvars.ContextVar[FrozenDict[str, str]] = contextvars.ContextVar("hvsdk_marks", default=EMPTY)


@contextmanager
def context(**marks: object) -> Iterator[None]:
    """Mark all operations inside the `with` block (or the decorated function).

    Marks reach the hooks (`Operation.marks`) and, where there is a place for them, the product's own log. They follow
    the code into `asyncio` tasks and the executors that hvsdk uses, not into threads of your own. An inner block adds to
    the outer one.

    Args:
        marks: Any names, such as `ticket="CHG-17"`; values become texts, `None` takes an outer mark away.
            `on_behalf_of` also becomes the `actor`, for a service that acts for its users.

    Example:
        >>> import hvsdk
        >>> host = hvsdk.connect("fake://demo?domains=1&seed=7")
        >>> with hvsdk.context(ticket="CHG-17", on_behalf_of="alice"):
        ...     host.domains()[0].set_notes("patched")
    """
    merged = {**_MARKS.get(), **{name: str(value) for name, value in marks.items() if value is not None}}
    for name in [name for name, value in marks.items() if value is None]:
        merged.pop(name, None)
    token = _MARKS.set(FrozenDict(merged))
    try:
        yield
    finally:
        _MARKS.reset(token)


def marks() -> FrozenDict[str, str]:
    """Return the marks that hold here."""
    return _MARKS.get()


def actor() -> str:
    """Return for whom things are done: the mark `on_behalf_of`, else the user of this process."""
    return _MARKS.get().get("on_behalf_of") or _process_user(_user_id())


class _Carried(Generic[P, T]):
    """A function that runs in the context it was carried from; pickled, it keeps the marks."""

    def __init__(self, function: Callable[P, T], marks: FrozenDict[str, str]) -> None:
        self._function = function
        self._marks = marks
        self._context: contextvars.Context | None = None

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        # A context can be entered once at a time, and several threads may run this.
        return (self._context or contextvars.Context()).copy().run(self._run, *args, **kwargs)

    def _run(self, *args: P.args, **kwargs: P.kwargs) -> T:
        _MARKS.set(self._marks)
        return self._function(*args, **kwargs)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._function, self._marks)


def carry(function: Callable[P, T]) -> Callable[P, T]:
    """Return `function` for use in another thread or process, with the marks that hold here.

    In this process it runs with all context variables, several threads at once if need be.
    """
    carried = _Carried(function, _MARKS.get())
    carried._context = contextvars.copy_context()
    return carried


def _user_id() -> int | None:
    return os.getuid() if hasattr(os, "getuid") else None


@lru_cache(maxsize=8)
def _process_user(uid: int | None) -> str:
    """Ask the account database, not the environment, which anybody can set."""
    if uid is None:
        from getpass import getuser

        return getuser()
    from pwd import getpwuid

    try:
        return getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
