"""Which snapshots there are, and how it went with each host."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from datetime import datetime
from typing import Any, NamedTuple

from hvsdk._inventory.records import HostOutcome, InventorySnapshot
from hvsdk._inventory.texts import time_of, time_text, told
from hvsdk.errors import InvalidSpecError, NotFoundError

__all__ = ["HostSeen", "When", "all_snapshots", "hosts_seen", "outcomes", "resolved"]

When = datetime | int | InventorySnapshot | None
_COLUMNS = "id, began, ended, domains, added, changed, removed"
_OUTCOME = """
    SELECT o.snapshot, h.name, o.url, o.ok, o.kind, o.error, o.seconds, o.seen_at
    FROM outcome o JOIN host h ON h.id = o.host"""


class HostSeen(NamedTuple):
    """What is known of a host as of a snapshot."""

    id: int
    name: str
    snapshot: int
    """The last one that it answered for, up to that one."""
    seen_at: datetime


def resolved(connection: sqlite3.Connection, when: When) -> InventorySnapshot:
    """Return the snapshot that is meant: by a time the last one that had ended by then, `None` the newest.

    Raises:
        InvalidSpecError: It is neither, or a time without a zone.
        NotFoundError: There is none.
    """
    query = f"SELECT {_COLUMNS} FROM snapshot WHERE NOT pruned"
    if when is None:
        rows = connection.execute(f"{query} ORDER BY id DESC LIMIT 1")
    elif isinstance(when, datetime):
        if when.tzinfo is None:
            raise InvalidSpecError(
                f"{when} has no time zone", hint="say which: datetime.now(UTC), or time.astimezone() for local time"
            )
        rows = connection.execute(f"{query} AND ended <= ? ORDER BY id DESC LIMIT 1", (time_text(when),))
    elif isinstance(when, (int, InventorySnapshot)) and not isinstance(when, bool):
        number = when if isinstance(when, int) else when.id
        rows = connection.execute(f"{query} AND id = ?", (number,))
    else:
        raise InvalidSpecError(
            f"a snapshot is named by a time, its number or its record, not by {when!r}",
            hint="datetime.fromisoformat(…).astimezone() makes a time of a text" if isinstance(when, str) else None,
        )
    found = _snapshots(connection, rows.fetchall(), "WHERE o.snapshot = ?")
    if not found:
        raise _none(connection, when)
    return found[0]


def _none(connection: sqlite3.Connection, when: When) -> NotFoundError:
    first = connection.execute("SELECT id, ended FROM snapshot WHERE NOT pruned ORDER BY id LIMIT 1").fetchone()
    if first is None:
        return NotFoundError(
            "no snapshot has been recorded", hint="Fleet.record(), or `hvsdk inventory record`, makes one"
        )
    what = f"as old as {when}" if isinstance(when, datetime) else str(when if isinstance(when, int) else None)
    return NotFoundError(f"there is no snapshot {what}", hint=f"the oldest is {first[0]}, of {first[1]}")


def all_snapshots(connection: sqlite3.Connection) -> list[InventorySnapshot]:
    """Return all, the oldest first."""
    rows = connection.execute(f"SELECT {_COLUMNS} FROM snapshot WHERE NOT pruned ORDER BY id").fetchall()
    return _snapshots(connection, rows, "")


def _snapshots(connection: sqlite3.Connection, rows: list[Any], which: str) -> list[InventorySnapshot]:
    """Make records of rows; `which` chooses the outcomes, of the one row or of all."""
    if not rows:
        return []
    values = (rows[0][0],) if which else ()
    failures: dict[int, list[HostOutcome]] = defaultdict(list)
    answered: dict[int, int] = defaultdict(int)
    for number, *row in connection.execute(f"{_OUTCOME} {which} ORDER BY o.host", values):
        if row[2]:
            answered[number] += 1
        else:
            failures[number].append(_outcome(*row))
    return [
        InventorySnapshot(
            id=number,
            began=time_of(began),
            ended=time_of(ended),
            domains=domains,
            added=added,
            changed=changed,
            removed=removed,
            answered=answered[number],
            failures=tuple(failures[number]),
        )
        for number, began, ended, domains, added, changed, removed in rows
    ]


def outcomes(connection: sqlite3.Connection, snapshot: int) -> list[HostOutcome]:
    """Return how it went with each host that was to be asked."""
    return [
        _outcome(*row)
        for _, *row in connection.execute(f"{_OUTCOME} WHERE o.snapshot = ? ORDER BY o.host", (snapshot,))
    ]


def _outcome(name: Any, url: Any, ok: int, kind: str | None, error: Any, seconds: float, seen_at: Any) -> HostOutcome:
    return HostOutcome(
        host=told(name),
        url=told(url),
        ok=bool(ok),
        kind=kind,
        error=None if error is None else told(error),
        seconds=seconds,
        seen_at=None if seen_at is None else time_of(seen_at),
    )


def hosts_seen(connection: sqlite3.Connection, snapshot: int) -> list[HostSeen]:
    """Return the hosts that had answered by a snapshot, in the order in which they were first recorded."""
    rows = connection.execute(
        """SELECT h.id, h.name, o.snapshot, o.seen_at FROM host h JOIN outcome o ON o.host = h.id AND o.snapshot =
            (SELECT max(snapshot) FROM outcome WHERE host = h.id AND ok AND snapshot <= ?) ORDER BY h.id""",
        (snapshot,),
    )
    return [HostSeen(number, told(name), last, time_of(seen_at)) for number, name, last, seen_at in rows]
