"""A snapshot as JSON, CSV or Parquet, written as it is read."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from hvsdk._csv import csv_cell
from hvsdk._inventory.domains import domains_at
from hvsdk._inventory.records import InventorySnapshot, RecordedDomain
from hvsdk.errors import InvalidSpecError, NotFoundError
from hvsdk.models._domain import _NAMES

__all__ = ["COLUMNS", "FORMATS", "export"]

COLUMNS = ("host", *_NAMES, "first_seen", "last_seen", "stale")
"""Of CSV and Parquet: the same for every snapshot; a field that was not loaded is empty."""


def export(
    connection: sqlite3.Connection,
    snapshot: InventorySnapshot,
    target: str | os.PathLike[str] | IO[Any],
    format: str | None,
) -> None:
    """Write the domains of a snapshot."""
    path = None if hasattr(target, "write") else os.fspath(target)
    write = _writer(format or _ending(path))
    found = domains_at(connection, snapshot.id)
    if path is None:
        write(target, snapshot, found)  # type: ignore[arg-type]
        return
    with _in_place_of(os.path.abspath(path)) as stream:
        write(stream, snapshot, found)


def _ending(path: str | None) -> str:
    if path is None:
        raise InvalidSpecError("format= says how a stream is written", hint=f"there are: {', '.join(FORMATS)}")
    return Path(path).suffix.removeprefix(".").lower()


def _writer(format: str) -> Write:
    found = FORMATS.get(format)
    if found is None:
        raise InvalidSpecError(f"there is no format {format!r}", hint=f"there are: {', '.join(FORMATS)}")
    return found


@contextlib.contextmanager
def _in_place_of(path: str) -> Iterator[IO[bytes]]:
    """Give a file to write that takes this place when it is whole, and goes when it is not."""
    folder = os.path.dirname(path)
    if folder and not os.path.isdir(folder):
        raise NotFoundError(f"there is no directory {folder} for {path}", hint="make it first")
    handle, made = tempfile.mkstemp(prefix=".hvsdk-", dir=folder or None)
    try:
        with os.fdopen(handle, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(made, path)
    except BaseException:
        os.unlink(made)
        raise


@contextlib.contextmanager
def _as_text(stream: IO[Any]) -> Iterator[IO[str]]:
    """Give a stream that takes texts; half characters, which UTF-8 has no form for, become escapes."""
    if isinstance(stream, io.TextIOBase):
        yield stream
        return
    text = io.TextIOWrapper(stream, "utf-8", errors="backslashreplace", newline="", write_through=False)
    try:
        yield text
    finally:
        text.detach()  # flushes; the stream stays the caller's


def _write_json(stream: IO[Any], snapshot: InventorySnapshot, found: Iterator[RecordedDomain]) -> None:
    encoder = json.JSONEncoder(default=str)
    with _as_text(stream) as text:
        text.write('{"snapshot": ' + encoder.encode(snapshot.to_dict()) + ', "items": [')
        for number, one in enumerate(found):
            text.write((",\n" if number else "\n") + encoder.encode(one.to_dict()))
        text.write('\n], "failures": ' + encoder.encode([failure.to_dict() for failure in snapshot.failures]) + "}\n")


def _write_csv(stream: IO[Any], snapshot: InventorySnapshot, found: Iterator[RecordedDomain]) -> None:
    import csv

    with _as_text(stream) as text:
        writer = csv.writer(text)
        writer.writerow(COLUMNS)
        for one in found:
            values = one.to_dict()
            writer.writerow([csv_cell(values.get(name)) for name in COLUMNS])


def _write_parquet(stream: IO[Any], snapshot: InventorySnapshot, found: Iterator[RecordedDomain]) -> None:
    from hvsdk._inventory.parquet import write_parquet

    write_parquet(stream, found, COLUMNS)


Write = Callable[[IO[Any], InventorySnapshot, Iterator[RecordedDomain]], None]
FORMATS: dict[str, Write] = {"json": _write_json, "csv": _write_csv, "parquet": _write_parquet}
