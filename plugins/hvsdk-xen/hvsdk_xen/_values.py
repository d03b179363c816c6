"""Values as XAPI writes them, in either of its two ways: XML-RPC has its integers as texts and its times as `DateTime`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

__all__ = ["NULL", "as_bool", "as_float", "as_int", "as_time", "is_ref"]

NULL = "OpaqueRef:NULL"
"""The reference to nothing."""

_FORMATS = ("%Y%m%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%SZ", "%Y%m%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S")


def is_ref(value: Any) -> bool:
    """Whether it is a reference to something."""
    return isinstance(value, str) and value.startswith("OpaqueRef:") and value != NULL


def as_int(value: Any) -> int | None:
    """Return a whole number, `None` for what is none."""
    if isinstance(value, bool):
        return None
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return None


def as_float(value: Any) -> float | None:
    """Return a number, `None` for what is none."""
    if isinstance(value, bool):
        return None
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def as_bool(value: Any) -> bool:
    """Return a truth value; maps such as `platform` hold them as texts."""
    return value is True or (isinstance(value, str) and value.strip().lower() in ("true", "1", "yes", "on"))


def as_time(value: Any) -> datetime | None:
    """Return a moment, aware and in UTC; `None` for what is none, and for 1970, which stands for "never"."""
    text = str(value).partition(".")[0]
    found = _usual(text)
    if found is not None:
        return None if found.year == 1970 else found
    for form in _FORMATS:
        try:
            found = datetime.strptime(text, form).replace(tzinfo=UTC)
        except ValueError:
            continue
        return None if found.year == 1970 else found
    return None


def _usual(text: str) -> datetime | None:
    """Return a moment in XAPI's usual spelling, `20260102T03:04:05Z`; a listing has many."""
    if len(text) != 18 or text[8::3] != "T::Z" or not (text[:8] + text[9:11] + text[12:14] + text[15:17]).isdecimal():
        return None
    try:
        return datetime(
            *(int(text[:4]), int(text[4:6]), int(text[6:8]), int(text[9:11]), int(text[12:14]), int(text[15:17])),
            tzinfo=UTC,
        )
    except ValueError:
        return None
