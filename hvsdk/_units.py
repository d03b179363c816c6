"""Sizes as people write them."""

from __future__ import annotations

import re

from hvsdk.errors import InvalidSpecError

_FACTORS: dict[str, int] = {"": 1, "B": 1} | {
    f"{prefix}{suffix}": base**power
    for power, prefix in enumerate("KMGTPE", 1)
    for suffix, base in (("iB", 1024), ("B", 1000), ("i", 1024))
}
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", re.ASCII)


def parse_size(value: int | str) -> int:
    """Return a size in bytes: `1073741824`, `"1GiB"` (1024-based) and `"1GB"` (1000-based) are understood.

    Raises:
        InvalidSpecError: It is negative, not whole, or in a unit that nobody knows (`"4G"` could mean two things).
    """
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise InvalidSpecError(f"a size is a number of bytes or a text such as '8GiB', not {value!r}")
    if isinstance(value, int):
        if value < 0:
            raise InvalidSpecError(f"a size cannot be negative: {value}")
        return value
    match = _SIZE.fullmatch(value)
    factor = _FACTORS.get(match[2]) if match else None
    if match is None or factor is None:
        raise InvalidSpecError(f"{value!r} is not a size", hint="write bytes, or '512MiB', '8GiB', '1TiB', '10GB'")
    whole, _, fraction = match[1].partition(".")
    scaled = int(whole + fraction) * factor
    divisor: int = 10 ** len(fraction)
    size, rest = divmod(scaled, divisor)
    if rest:
        raise InvalidSpecError(f"{value!r} is not a whole number of bytes")
    return size


def format_size(size: int | None) -> str:
    """Return `size` bytes as a short text for people: `"4 GiB"`, `"1.5 GiB"`, or `"-"` where it is not known."""
    if size is None:
        return "-"
    value, unit = float(size), "B"
    for unit in ("B", "KiB", "MiB", "GiB", "TiB", "PiB"):
        if value < 1024 or unit == "PiB":
            break
        value /= 1024
    return f"{value:.1f}".removesuffix(".0") + f" {unit}"
