"""The file: what is in it, which version that is, and how it is told from others."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from hvsdk.errors import BusyError, InsufficientResourcesError, InvalidSpecError, NotFoundError, OperationFailedError

__all__ = ["guarded", "open_reader", "open_writer", "transaction"]

APPLICATION: Final = int.from_bytes(b"hvsd")
"""What the file's header says it is of."""
READ_WAIT_SECONDS: Final = 30.0
"""How long a reader waits where the file has to be put in order after a crash; otherwise it never waits."""
AGAIN_SECONDS: Final = 0.02
LONGEST_WAIT_SECONDS: Final = 1_000_000.0
"""SQLite counts milliseconds in 32 bits."""
LOG_BYTES: Final = 64 * 2**20
"""What the write-ahead log keeps of the disk after a large snapshot."""

_FIRST: Final = (
    """CREATE TABLE snapshot (
        id INTEGER PRIMARY KEY AUTOINCREMENT, began TEXT NOT NULL, ended TEXT NOT NULL, domains INTEGER NOT NULL,
        added INTEGER NOT NULL, changed INTEGER NOT NULL, removed INTEGER NOT NULL, pruned INTEGER NOT NULL DEFAULT 0)""",
    "CREATE TABLE host (id INTEGER PRIMARY KEY, name NOT NULL UNIQUE)",
    """CREATE TABLE outcome (
        host INTEGER NOT NULL, snapshot INTEGER NOT NULL, url NOT NULL, ok INTEGER NOT NULL, kind, error,
        seconds REAL NOT NULL, seen_at TEXT, PRIMARY KEY (host, snapshot)) WITHOUT ROWID""",
    "CREATE INDEX outcome_snapshot ON outcome (snapshot)",
    "CREATE TABLE content (hash BLOB PRIMARY KEY, json TEXT NOT NULL)",
    """CREATE TABLE domain (
        id INTEGER PRIMARY KEY, host INTEGER NOT NULL, native_id NOT NULL, uuid, name NOT NULL, hash BLOB NOT NULL,
        first INTEGER NOT NULL, since INTEGER NOT NULL, until INTEGER)""",
    "CREATE UNIQUE INDEX domain_place ON domain (host, native_id, since)",
    "CREATE INDEX domain_uuid ON domain (uuid) WHERE uuid IS NOT NULL",
    "CREATE INDEX domain_name ON domain (name)",
    "CREATE INDEX domain_since ON domain (since)",
    "CREATE INDEX domain_until ON domain (until) WHERE until IS NOT NULL",
    "CREATE INDEX domain_current ON domain (host) WHERE until IS NULL",
)
MIGRATIONS: Final = (_FIRST,)
"""What leads from each version to the next; a new file is of version 0."""
VERSION: Final = len(MIGRATIONS)


def open_writer(path: str | os.PathLike[str], wait: float) -> sqlite3.Connection:
    """Open a file to write to, made when it is not there, for its owner only, and brought up to this version.

    Args:
        wait: Seconds to wait for another process that writes.

    Raises:
        InvalidSpecError: It is something else, or of a later version; it is as it was.
        BusyError: Another process did not end in time.
    """
    place = os.path.realpath(path)  # where a link leads to nothing yet, that is what is made, for its owner only
    with contextlib.suppress(FileExistsError):
        os.close(os.open(place, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    with guarded(place):
        connection = sqlite3.connect(
            place, timeout=min(wait, LONGEST_WAIT_SECONDS), isolation_level=None, check_same_thread=False
        )
        try:
            if _looked_at(connection, place) < VERSION:
                _migrate(connection, place)
            _write_ahead(connection, place, time.monotonic() + wait)
            connection.execute("PRAGMA synchronous = FULL")  # what is recorded outlives the power, too
            connection.execute("PRAGMA cache_size = -65536")
            connection.execute(f"PRAGMA journal_size_limit = {LOG_BYTES:d}")
        except BaseException:
            connection.close()
            raise
    return connection


def open_reader(path: str | os.PathLike[str]) -> sqlite3.Connection:
    """Open a file to read; nothing in it can be changed through what is returned.

    Raises:
        NotFoundError: It is not there, or nothing was recorded in it.
        InvalidSpecError: It is something else, or of another version.
    """
    place = os.path.realpath(path)
    if not os.path.exists(place):
        raise NotFoundError(
            f"there is no inventory {place}", hint="Fleet.record(), or `hvsdk inventory record`, makes one"
        )
    with guarded(place):
        uri = f"{Path(place).as_uri()}?mode=ro"
        connection = sqlite3.connect(
            uri, uri=True, timeout=READ_WAIT_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            version = _looked_at(connection, place)
            if version == 0:
                raise NotFoundError(f"nothing has been recorded in {place} yet", hint="Fleet.record() does")
            if version < VERSION:
                raise InvalidSpecError(
                    f"{place} is of version {version}, and this hvsdk reads {VERSION}",
                    hint="Fleet.record() brings it up to date",
                )
            connection.execute("PRAGMA cache_size = -65536")
        except BaseException:
            connection.close()
            raise
    return connection


def _looked_at(connection: sqlite3.Connection, place: str) -> int:
    """Return the version of a file, all of it read at one moment: another process may be making it just now."""
    with transaction(connection, "DEFERRED"):
        return _version(connection, place)


def _version(connection: sqlite3.Connection, place: str) -> int:
    """Return the version of a file; 0 for one that is empty.

    Raises:
        InvalidSpecError: It is no inventory, or of a later version.
    """
    ((application,),) = connection.execute("PRAGMA application_id")
    ((version,),) = connection.execute("PRAGMA user_version")
    if application == APPLICATION:
        if version > VERSION:
            raise InvalidSpecError(
                f"{place} was written by a later hvsdk: it is of version {version}, this one knows {VERSION}",
                hint="update hvsdk",
            )
        return int(version)
    ((tables,),) = connection.execute("SELECT count(*) FROM sqlite_master")
    if application or version or tables:
        raise InvalidSpecError(f"{place} is a database of something else", hint="name another file")
    return 0


def _migrate(connection: sqlite3.Connection, place: str) -> None:
    with transaction(connection):
        version = _version(connection, place)  # another process may have done it meanwhile
        for statement in (one for step in MIGRATIONS[version:] for one in step):
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION:d}")
        connection.execute(f"PRAGMA user_version = {VERSION:d}")


def _write_ahead(connection: sqlite3.Connection, place: str, until: float) -> None:
    """Let readers read while somebody writes. SQLite does not wait by itself while another process is about the same."""
    while True:
        try:
            ((mode,),) = connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as exc:
            if not _is_busy(exc) or time.monotonic() > until:
                raise
            time.sleep(AGAIN_SECONDS)
            continue
        if mode != "wal":
            raise OperationFailedError(
                f"{place} cannot have a write-ahead log, but only {mode!r}", hint="keep it on a local disk"
            )
        return


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection, kind: str = "IMMEDIATE") -> Iterator[None]:
    """Do all that follows, or nothing of it."""
    connection.execute(f"BEGIN {kind}")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _is_busy(exc: sqlite3.Error) -> bool:
    return _code(exc) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _code(exc: sqlite3.Error) -> int | None:
    code = getattr(exc, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


@contextlib.contextmanager
def guarded(place: str | os.PathLike[str]) -> Iterator[None]:
    """Say in hvsdk's errors what is wrong with a file."""
    try:
        yield
    except sqlite3.Error as exc:
        error = _translated(exc, os.fspath(place))
        if error is None:
            raise
        raise error from exc
    except json.JSONDecodeError as exc:
        raise _damaged(os.fspath(place), exc) from exc


def _damaged(place: str, exc: Exception) -> OperationFailedError:
    return OperationFailedError(f"{place} is damaged: {exc}", hint="take the last copy of it")


def _translated(exc: sqlite3.Error, place: str) -> Exception | None:
    code = _code(exc)
    if _is_busy(exc):
        return BusyError(f"another process is writing to {place}; nothing was written", hint="try again later")
    if getattr(exc, "sqlite_errorcode", None) == sqlite3.SQLITE_READONLY_ROLLBACK:
        return NotFoundError(
            f"{place} was left half made by a process that ended", hint="Fleet.record() goes on with it"
        )
    if code == sqlite3.SQLITE_NOTADB:
        return InvalidSpecError(f"{place} is no inventory, and no database at all", hint="name another file")
    if code == sqlite3.SQLITE_CORRUPT:
        return _damaged(place, exc)
    if code == sqlite3.SQLITE_FULL:
        return InsufficientResourcesError(f"there is no room for {place}; nothing was written")
    if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_IOERR):
        hint = (
            "it and its directory must be yours to read and write, on a local disk: readers keep a file beside it, too"
        )
        return OperationFailedError(f"{place} cannot be used: {exc}", hint=hint)
    return None
