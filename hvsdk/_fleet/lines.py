"""On which line of a TOML file a key stands, for messages: `tomllib` tells that of what it cannot read only."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator

__all__ = ["line_of"]


def line_of(text: str, path: tuple[str, ...]) -> int | None:
    """Return the number of the line, from 1, where a table or key is set; `None` when that cannot be told.

    Args:
        path: Such as `("hosts", "xen-1", "timeout")`. Where the key itself is not found, its table's line is returned.
    """
    best: tuple[int, int] | None = None
    for number, found in _keys(text):
        if found[: len(path)] == path:
            return number
        shared = len(found)
        if found == path[:shared] and (best is None or shared > best[1]):
            best = number, shared
    return best[0] if best else None


def _keys(text: str) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Yield the keys that begin on a line of their own, each with all that it lies in."""
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if stripped.startswith("["):
            header = _path(f"{stripped}\n")
            if header:
                table = header
                yield number, table
        elif "=" in stripped and not stripped.startswith("#"):
            key = _path(stripped.partition("=")[0] + "= 0\n")
            if key:
                yield number, (*table, *key)


def _path(snippet: str) -> tuple[str, ...]:
    """Return the one path of keys that a piece of TOML sets."""
    try:
        value = tomllib.loads(snippet)
    except tomllib.TOMLDecodeError:
        return ()
    path = []
    while isinstance(value, list) or (isinstance(value, dict) and value):
        if isinstance(value, list):
            value = value[0]
            continue
        ((name, value),) = value.items()
        path.append(name)
    return tuple(path)
