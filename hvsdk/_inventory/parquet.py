"""Parquet, by pyarrow, which is an extra."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import IO, Any

from hvsdk._inventory.records import RecordedDomain
from hvsdk.errors import InvalidSpecError

__all__ = ["write_parquet"]

ROWS = 10_000
"""Rows that are in memory at a time, and in one group of the file."""
_NUMBERS = ("vcpus", "max_vcpus", "memory_bytes", "max_memory_bytes")
_TRUTHS = ("is_template", "is_control", "secure_boot", "autostart", "stale")
_TIMES = ("created_at", "started_at", "seen_at", "first_seen", "last_seen")
_LISTS = ("tags",)
_NESTED = ("cpu_topology", "disks", "nics", "metadata", "moved_from", "superseded_by", "fenced", "details", "addresses")
"""Columns that hold JSON."""


def write_parquet(stream: IO[bytes], found: Iterator[RecordedDomain], columns: Sequence[str]) -> None:
    """Write domains; what has parts of its own is JSON in a column of text.

    Raises:
        InvalidSpecError: The extra is missing, or the stream takes texts.
    """
    if isinstance(stream, io.TextIOBase):
        raise InvalidSpecError("Parquet is written to a stream of bytes", hint='open(path, "wb")')
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as exc:
        raise InvalidSpecError("Parquet needs pyarrow", hint="pip install 'hvsdk[parquet]'") from exc
    schema = pyarrow.schema([(name, _type(pyarrow, name)) for name in columns])
    with parquet.ParquetWriter(stream, schema) as writer:
        while rows := [_row(one, columns) for one in islice(found, ROWS)]:
            writer.write_table(pyarrow.Table.from_pylist(rows, schema=schema))


def _type(pyarrow: Any, name: str) -> Any:
    if name in _NUMBERS:
        return pyarrow.int64()
    if name in _TRUTHS:
        return pyarrow.bool_()
    if name in _TIMES:
        return pyarrow.timestamp("us", tz="UTC")
    return pyarrow.list_(pyarrow.string()) if name in _LISTS else pyarrow.string()


def _row(one: RecordedDomain, columns: Sequence[str]) -> dict[str, Any]:
    values = one.to_dict()
    times = {**one.info._items(), "first_seen": one.first_seen, "last_seen": one.last_seen}
    row: dict[str, Any] = {}
    for name in columns:
        value = values.get(name)
        if name in _TIMES:
            value = times.get(name)
        elif name in _NESTED and value is not None:
            value = json.dumps(value, default=str)
        elif name in _LISTS and value is not None:
            value = [_whole(text) for text in value]
        row[name] = _whole(value) if isinstance(value, str) else value
    return row


def _whole(text: str) -> str:
    """Return a text without half characters, for which UTF-8 has no form; they become escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
