"""What differs between two snapshots, and what became of one domain."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

import attrs

from hvsdk._inventory.content import decode
from hvsdk._inventory.domains import Times
from hvsdk._inventory.lists import InventoryDiff
from hvsdk._inventory.records import DomainChange, InventorySnapshot
from hvsdk._inventory.snapshots import HostSeen, hosts_seen
from hvsdk._listing import uuid_spellings
from hvsdk.models._domain import DomainInfo

__all__ = ["diff", "with_moves"]

_BEGUN = """
    SELECT d.host, d.native_id, d.since, c.json FROM domain d JOIN content c ON c.hash = d.hash
    WHERE d.since > :low AND d.since <= :high AND (d.until IS NULL OR d.until > :high)"""
_ENDED = """
    SELECT d.host, d.native_id, (SELECT max(e.until) FROM domain e WHERE e.host = d.host
        AND e.native_id = d.native_id AND e.until <= :high), c.json
    FROM domain d JOIN content c ON c.hash = d.hash
    WHERE d.until > :low AND d.until <= :high AND d.since <= :low"""


_Known = tuple[int, dict[int, HostSeen]]
"""A snapshot, and the hosts that had answered by then."""


class _Side(NamedTuple):
    at: int
    info: DomainInfo


def diff(connection: sqlite3.Connection, before: InventorySnapshot, after: InventorySnapshot) -> InventoryDiff:
    """Compare two snapshots: what they know of each host, by the last answer that it had given."""
    low, high = sorted((before.id, after.id))
    earlier = {seen.id: seen for seen in hosts_seen(connection, low)}
    later = {seen.id: seen for seen in hosts_seen(connection, high)}
    backwards = before.id > after.id
    changes = [_turned(one) if backwards else one for one in _changes(connection, (low, earlier), (high, later))]
    found = InventoryDiff(with_moves(changes))
    found.before, found.after = before, after
    found.stale_hosts = tuple(
        seen.name for seen in earlier.values() if seen.snapshot != low or later[seen.id].snapshot != high
    )
    found.unknown_hosts = tuple(seen.name for seen in later.values() if seen.id not in earlier)
    return found


def _changes(connection: sqlite3.Connection, earlier: _Known, later: _Known) -> list[DomainChange]:
    limits = {"low": earlier[0], "high": later[0]}
    ended, begun = (
        {
            (host, native_id): _Side(at, decode(text, hosts[host].seen_at))
            for host, native_id, at, text in connection.execute(query, limits)
            if host in earlier[1]
        }
        for query, (_, hosts) in ((_ENDED, earlier), (_BEGUN, later))
    )
    times = Times(connection)
    found = []
    for place in dict.fromkeys([*ended, *begun]):
        old, new = ended.get(place), begun.get(place)
        change = _change(earlier[1][place[0]].name, old, new, times)
        if change is not None:
            found.append(change)
    return sorted(found, key=lambda one: (one.host, one.name, one.native_id))


def _change(host: str, old: _Side | None, new: _Side | None, times: Times) -> DomainChange | None:
    if new is None:
        assert old is not None
        return DomainChange(kind="removed", host=host, at=times[old.at], before=old.info)
    if old is None:
        return DomainChange(kind="added", host=host, at=times[new.at], after=new.info)
    change = DomainChange(kind="changed", host=host, at=times[new.at], before=old.info, after=new.info)
    return change if change.fields else None


def _turned(change: DomainChange) -> DomainChange:
    """Return a change as it looks from the other side."""
    kinds: dict[str, Any] = {"added": "removed", "removed": "added"}
    return DomainChange(
        kind=kinds.get(change.kind, change.kind),
        host=change.host,
        at=change.at,
        before=change.after,
        after=change.before,
    )


def with_moves(changes: Iterable[DomainChange], *, same_time: bool = False) -> list[DomainChange]:
    """Make one change of a domain that is gone from one host and new on another.

    Args:
        same_time: Only where both were found at the same time.
    """
    changes = list(changes)
    gone: dict[Any, list[DomainChange]] = defaultdict(list)
    new: dict[Any, list[DomainChange]] = defaultdict(list)
    for one in changes:
        if one.kind in ("removed", "added"):
            key = _move_key(one, one.at if same_time else None)
            if key is not None:
                (gone if one.kind == "removed" else new)[key].append(one)
    moves: dict[int, DomainChange] = {}
    merged: set[int] = set()
    for key, arrivals in new.items():
        if len(arrivals) == 1 and len(gone[key]) == 1 and gone[key][0].host != arrivals[0].host:
            old, arrival = gone[key][0], arrivals[0]
            merged.add(id(old))
            moves[id(arrival)] = attrs.evolve(arrival, kind="moved", from_host=old.host, before=old.before)
    return [moves.get(id(one), one) for one in changes if id(one) not in merged]


def _move_key(change: DomainChange, at: datetime | None) -> Any:
    uuid = change.info._items().get("uuid")
    return (min(uuid_spellings(uuid) or {uuid}), at) if uuid else None
