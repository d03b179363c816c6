"""Public names that load when they are first used."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import TypeAlias

    Load: TypeAlias = Callable[[str], Any]
    Listing: TypeAlias = Callable[[], list[str]]


def attach(module: str, names: Mapping[str, Iterable[str]]) -> tuple[Load, Listing]:
    """Return `__getattr__` and `__dir__` for `module`, whose public `names` are told by the module that has them."""
    home = {name: source for source, found in names.items() for name in found}

    def load(name: str) -> Any:
        if name not in home:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        source = import_module(home[name])
        value = source if home[name] == f"{module}.{name}" else getattr(source, name)
        setattr(sys.modules[module], name, value)
        return value

    def listing() -> list[str]:
        return sorted({*vars(sys.modules[module]), *home})

    return load, listing
