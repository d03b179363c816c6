"""What servers say, in a form that SQLite keeps as it is; and times."""

from __future__ import annotations

from datetime import UTC, datetime

__all__ = ["kept", "time_of", "time_text", "told"]


def kept(text: str) -> str | bytes:
    """Return a text as a column takes it: bytes where it has half characters or NUL, which no text there may have."""
    if "\0" not in text:
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            pass
        else:
            return text
    return text.encode("utf-8", "surrogatepass")


def told(value: str | bytes) -> str:
    """Return what `kept` was given."""
    return value if isinstance(value, str) else value.decode("utf-8", "surrogatepass")


def time_text(time: datetime) -> str:
    """Return an aware time as a text; later times sort after earlier ones."""
    return time.astimezone(UTC).isoformat(timespec="microseconds")


def time_of(text: str) -> datetime:
    """Return what `time_text` was given, in UTC."""
    return datetime.fromisoformat(text)
