"""What fixtures must return, so that a wrong one is told by its name and not by what breaks later."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from numbers import Real
from typing import Any, Final

import pytest

from hvsdk import Host
from hvsdk.models import DomainSpec

__all__ = ["EXPECTED", "check_fixture", "misspelt", "overridden"]

KIT: Final = __name__.rpartition(".")[0]


def _is_host(value: object) -> bool:
    return isinstance(value, Host)


def _callable_or_none(value: object) -> bool:
    return value is None or callable(value)


def _are_texts(value: object) -> bool:
    return isinstance(value, (tuple, list, set, frozenset)) and all(isinstance(item, str) for item in value)


EXPECTED: Final[Mapping[str, tuple[str, Callable[[Any], bool]]]] = {
    "host": ("an hvsdk.Host, as hvsdk.connect returns it", _is_host),
    "spec": ("an hvsdk.DomainSpec", lambda value: isinstance(value, DomainSpec)),
    "patience": ("a number of seconds", lambda value: isinstance(value, Real)),
    "round_trips": ("a function () -> int that counts the requests so far", callable),
    "boot_id": ("a function (domain) -> object", callable),
    "force_state": ("a function (domain, state), or None", _callable_or_none),
    "guest_ignores": ("a function (domain, count), or None", _callable_or_none),
    "connect_readonly": ("a function (allow=frozenset()) -> Host", callable),
    "lose_connection": ("a function (when)", callable),
    "expire_session": ("a function ()", callable),
    "spare_host": ("an hvsdk.Host", _is_host),
    "second_host": ("an hvsdk.Host", _is_host),
    "secrets": ("a tuple of texts", _are_texts),
    "image": ("a text", lambda value: isinstance(value, str)),
}
"""What each fixture returns, in words and as a check."""


def check_fixture(name: str, value: object) -> None:
    """Fail the test when a fixture returned something else than it must. The value is not shown: it may be a secret."""
    words, fits = EXPECTED[name]
    if not fits(value):
        pytest.fail(f"the fixture {name} must return {words}, not {type(value).__name__}", pytrace=False)


def overridden(kit: type, names: Iterable[str]) -> Iterator[str]:
    """Yield those names that a subclass outside of the kit defines."""
    own = _own_names(kit)
    return (name for name in names if name in own)


def misspelt(kit: type, names: Iterable[str]) -> dict[str, str]:
    """Return names that a subclass defines and the kit does not know, each with the known one that was likely meant.

    What the subclass overrides under its right name was meant by no other.
    """
    own = _own_names(kit)
    known = [name for name in names if name not in own]
    found = {}
    for name in sorted(own):
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.85)
        if near and not name.startswith("test"):
            found[name] = near[0]
    return found


def _own_names(kit: type) -> set[str]:
    strangers = [cls for cls in kit.__mro__ if not cls.__module__.startswith(KIT) and cls is not object]
    return {name for cls in strangers for name in vars(cls) if not name.startswith("_")}
