"""What became of one domain, wherever it was."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator
from itertools import groupby
from typing import Any, NamedTuple

from hvsdk._inventory.changes import with_moves
from hvsdk._inventory.content import decode
from hvsdk._inventory.domains import Times
from hvsdk._inventory.lists import DomainChanges
from hvsdk._inventory.records import DomainChange
from hvsdk._inventory.texts import kept, told
from hvsdk._listing import uuid_spellings
from hvsdk.errors import DomainNotFoundError

__all__ = ["history"]


class _Version(NamedTuple):
    host: str
    native_id: str | bytes
    first: int
    since: int
    until: int | None
    uuid: str | bytes | None
    json: str


_PLACES = "SELECT host, native_id, uuid FROM domain WHERE"
_BY_ID = """
    SELECT d.host, d.native_id, d.uuid FROM host h CROSS JOIN domain d ON d.host = h.id AND d.native_id = ?"""
"""A cross join goes host by host, which the index of places is made for."""
_VERSIONS = """
    SELECT h.name, d.native_id, d.first, d.since, d.until, d.uuid, c.json
    FROM domain d JOIN content c ON c.hash = d.hash JOIN host h ON h.id = d.host
    WHERE d.host = ? AND d.native_id = ? ORDER BY d.since"""


def history(connection: sqlite3.Connection, key: str, host: str | None) -> DomainChanges:
    """Return the changes of the domains that a key fits, the oldest first.

    Raises:
        DomainNotFoundError: It fits none.
    """
    uuids, versions = _versions(connection, key)
    if host is not None:
        versions = [one for one in versions if one.host == host]
    if not versions:
        where = "" if host is None else f" on {host}"
        raise DomainNotFoundError(
            f"no domain {key!r}{where} was ever recorded",
            hint="Inventory.at(), or `hvsdk inventory show`, lists what was",
        )
    times = Times(connection)
    changes: list[DomainChange] = []
    for _, group in groupby(versions, key=lambda one: (one.host, one.native_id)):
        mine = [one for one in group if not uuids or one.uuid in uuids]
        changes += _steps(mine, times)
    return DomainChanges(sorted(with_moves(changes, same_time=True), key=lambda one: one.at))


def _versions(connection: sqlite3.Connection, key: str) -> tuple[Collection[str], list[_Version]]:
    """Return all versions at the places where a domain was that fits; and the UUIDs, where it is one that was meant."""
    spellings = uuid_spellings(key)
    found = _by_uuid(connection, spellings)
    meant = spellings if found else frozenset[str]()
    if not found:
        text = kept(key)
        rows = connection.execute(f"{_PLACES} name = ?", (text,)).fetchall()
        rows += connection.execute(_BY_ID, (text,)).fetchall()
        found = dict.fromkeys((host, native_id) for host, native_id, _ in rows)
        for uuid in {told(uuid) for _, _, uuid in rows if uuid is not None}:
            found |= _by_uuid(connection, uuid_spellings(uuid) or {uuid})
    versions = []
    for place in found:
        versions += [_Version(told(name), *rest) for name, *rest in connection.execute(_VERSIONS, place)]
    return meant, versions


def _by_uuid(connection: sqlite3.Connection, spellings: Collection[str]) -> dict[tuple[Any, Any], None]:
    found: dict[tuple[Any, Any], None] = {}
    for uuid in sorted(spellings):
        for host, native_id, _ in connection.execute(f"{_PLACES} uuid = ?", (kept(uuid),)):
            found[host, native_id] = None
    return found


def _steps(versions: list[_Version], times: Times) -> Iterator[DomainChange]:
    """Yield what happened at one place."""
    before = None
    last: _Version | None = None
    for one in versions:
        after = decode(one.json, times[one.since])
        if last is not None and last.until != one.since:
            yield DomainChange(kind="removed", host=one.host, at=times[last.until or 0], before=before)
            before = None
        if one.first == one.since:
            yield DomainChange(kind="added", host=one.host, at=times[one.since], after=after)
        else:
            change = DomainChange(kind="changed", host=one.host, at=times[one.since], before=before, after=after)
            if change.fields or before is None:
                yield change
        before, last = after, one
    if last is not None and last.until is not None:
        yield DomainChange(kind="removed", host=last.host, at=times[last.until], before=before)
