"""The domains as of a snapshot, host by host."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator
from datetime import datetime

from hvsdk._inventory.content import decode
from hvsdk._inventory.records import RecordedDomain
from hvsdk._inventory.snapshots import HostSeen, hosts_seen
from hvsdk._inventory.texts import time_of

__all__ = ["Times", "domains_at"]


class Times:
    """The times of snapshots, each read once."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._known: dict[int, datetime] = {}

    def __getitem__(self, snapshot: int) -> datetime:
        found = self._known.get(snapshot)
        if found is None:
            ((text,),) = self._connection.execute("SELECT ended FROM snapshot WHERE id = ?", (snapshot,))
            found = self._known[snapshot] = time_of(text)
        return found


def domains_at(
    connection: sqlite3.Connection, snapshot: int, hosts: Collection[str] | None = None
) -> Iterator[RecordedDomain]:
    """Yield the domains of each host, by name; the rows of one host are in memory at a time."""
    ((newest,),) = connection.execute("SELECT max(id) FROM snapshot")
    times = Times(connection)
    for host in hosts_seen(connection, snapshot):
        if hosts is None or host.name in hosts:
            yield from _of_host(connection, host, snapshot, times, newest=snapshot == newest)


def _of_host(
    connection: sqlite3.Connection, host: HostSeen, snapshot: int, times: Times, *, newest: bool
) -> Iterator[RecordedDomain]:
    query = "SELECT d.first, c.json FROM domain d JOIN content c ON c.hash = d.hash WHERE d.host = ? AND "
    if newest:
        rows = connection.execute(f"{query} d.until IS NULL", (host.id,))
    else:
        alive = "d.since <= ? AND (d.until IS NULL OR d.until > ?)"
        rows = connection.execute(f"{query} {alive}", (host.id, snapshot, snapshot))
    stale = host.snapshot != snapshot
    found = [
        RecordedDomain(
            host=host.name,
            info=decode(text, host.seen_at),
            first_seen=times[first],
            last_seen=host.seen_at,
            stale=stale,
        )
        for first, text in rows
    ]
    found.sort(key=lambda one: (one.info.name, one.info.native_id))
    yield from found
