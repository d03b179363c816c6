"""Forgetting old snapshots."""

from __future__ import annotations

import contextlib
import sqlite3
from datetime import datetime

from hvsdk._inventory.schema import guarded, open_writer, transaction
from hvsdk._inventory.texts import time_text
from hvsdk.errors import InvalidSpecError

__all__ = ["check_time", "prune"]


def prune(place: str, before: datetime, wait: float) -> int:
    """Forget snapshots, and return how many there were."""
    check_time(before)
    with guarded(place), contextlib.closing(open_writer(place, wait)) as connection, transaction(connection):
        return _prune(connection, time_text(before))


def check_time(before: datetime) -> None:
    """Refuse a time that has no zone, or is none."""
    if not isinstance(before, datetime) or before.tzinfo is None:
        raise InvalidSpecError(f"before= is a time with a zone, not {before!r}", hint="datetime.now(UTC) has one")


def _prune(connection: sqlite3.Connection, before: str) -> int:
    """Forget what had ended before a time.

    Their rows stay, marked: domains that are still there say by them when they were first seen. The last answer of each
    host stays as well.
    """
    execute = connection.execute
    ((newest,),) = execute("SELECT max(id) FROM snapshot")
    ((first,),) = execute("SELECT coalesce(min(id), ?) FROM snapshot WHERE NOT pruned AND ended >= ?", (newest, before))
    count = execute("UPDATE snapshot SET pruned = 1 WHERE NOT pruned AND id < ?", (first,)).rowcount
    execute("DELETE FROM domain WHERE until <= ?", (first,))
    execute("DELETE FROM content WHERE hash NOT IN (SELECT hash FROM domain)")
    execute(
        """DELETE FROM outcome WHERE snapshot < ? AND snapshot IS NOT
            (SELECT max(o.snapshot) FROM outcome o WHERE o.host = outcome.host AND o.ok AND o.snapshot <= ?)""",
        (first, first),
    )
    return count
