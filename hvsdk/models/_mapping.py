"""A mapping that stays as it was made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

K = TypeVar("K")
V = TypeVar("V")


class FrozenDict(dict[K, V]):
    """A `dict` that cannot be changed; it compares, prints, pickles and becomes JSON as a `dict` does."""

    __slots__ = ()

    def _refuse(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("a mapping in a record cannot be changed; make a dict of it first: dict(mapping)")

    if not TYPE_CHECKING:  # to a type checker the methods of a dict would have the wrong types
        __setitem__ = __delitem__ = _refuse
        __ior__ = clear = pop = popitem = setdefault = update = _refuse

    def __repr__(self) -> str:
        return dict.__repr__(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (dict(self),)

    def __copy__(self) -> FrozenDict[K, V]:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> FrozenDict[K, V]:
        return self


EMPTY: FrozenDict[Any, Any] = FrozenDict()


def frozen(mapping: Mapping[str, Any]) -> FrozenDict[str, Any]:
    """Return `mapping` as a `FrozenDict`, with nested dicts and lists frozen too."""
    if type(mapping) is FrozenDict:
        return mapping
    if not mapping:
        return EMPTY
    return FrozenDict({key: _freeze(value) for key, value in mapping.items()})


def _freeze(value: Any) -> Any:
    if isinstance(value, dict):
        return frozen(value)
    if isinstance(value, (list, tuple)):
        return tuple(map(_freeze, value))
    return value
