"""Writing a snapshot: all of it in one transaction, or nothing."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import attrs

from hvsdk._inventory.content import differ_by_the_clock_alone, digest, encode
from hvsdk._inventory.records import HostOutcome, InventorySnapshot
from hvsdk._inventory.schema import guarded, open_writer, transaction
from hvsdk._inventory.texts import kept, time_of, time_text
from hvsdk.errors import NotFoundError
from hvsdk.models._domain import DomainInfo

__all__ = ["HostAnswer", "Recording"]


class _Row(NamedTuple):
    native_id: str | bytes
    uuid: str | bytes | None
    name: str | bytes
    hash: bytes
    json: str


class _Known(NamedTuple):
    id: int
    hash: bytes
    first: int


@attrs.define
class HostAnswer:
    """What came of one host: how it went, and its domains, which are given up as they are written."""

    outcome: HostOutcome
    domains: list[DomainInfo] | None = None


@attrs.define
class _Counts:
    added: int = 0
    changed: int = 0
    removed: int = 0


class Recording:
    """One snapshot in the making. The file is looked at first, before any host is asked.

    Args:
        wait: Seconds to wait for another process that writes.

    Raises:
        InvalidSpecError: The file is something else, or of a later version.
        BusyError: Another process did not end in time.
        NotFoundError: Its directory is not there.
        OSError: It cannot be made.
    """

    def __init__(self, path: str | os.PathLike[str], *, wait: float) -> None:
        self._place = os.path.realpath(path)
        self._wait = wait
        self.began = datetime.now(UTC)
        self._base = 0
        if not os.path.exists(self._place):  # it is made once there is something to write
            folder = os.path.dirname(self._place)
            if not os.path.isdir(folder):
                raise NotFoundError(f"there is no directory {folder} for an inventory", hint="make it first")
            with os.scandir(folder):
                return
        connection = open_writer(self._place, wait)
        try:
            with guarded(self._place):
                ((self._base,),) = connection.execute("SELECT coalesce(max(id), 0) FROM snapshot")
        finally:
            connection.close()

    def write(self, answers: Sequence[HostAnswer]) -> InventorySnapshot:
        """Write what the hosts answered, and return the snapshot.

        Raises:
            BusyError: Another process did not end in time; nothing was written.
        """
        rows = [_rows(answer) for answer in answers]  # what takes time comes before the transaction
        with guarded(self._place):
            connection = open_writer(self._place, self._wait)
            try:
                with transaction(connection):
                    return _Writing(connection, self._base).snapshot(self.began, answers, rows)
            finally:
                connection.close()


def _rows(answer: HostAnswer) -> list[_Row] | None:
    """Return what is to be kept of a host's domains; `None` for one that did not answer."""
    infos, answer.domains = answer.domains, None
    if infos is None:
        return None
    found: dict[str | bytes, _Row] = {}
    for info in infos:
        text = encode(info)
        native_id = kept(info.native_id)
        uuid = info._items().get("uuid")
        found[native_id] = _Row(native_id, uuid and kept(uuid), kept(info.name), digest(text), text)
    infos.clear()
    return list(found.values())


class _Writing:
    """The transaction of one snapshot.

    Args:
        base: The newest snapshot when the hosts began to be asked.
    """

    def __init__(self, connection: sqlite3.Connection, base: int) -> None:
        self._connection = connection
        self._execute = connection.execute
        self._base = base
        self._counts = _Counts()

    def snapshot(
        self, began: datetime, answers: Sequence[HostAnswer], rows: Sequence[list[_Row] | None]
    ) -> InventorySnapshot:
        ended = datetime.now(UTC)  # snapshots that wait for each other have times in the order of their numbers
        ((before,),) = self._execute("SELECT coalesce((SELECT domains FROM snapshot ORDER BY id DESC LIMIT 1), 0)")
        number = self._execute(
            "INSERT INTO snapshot (began, ended, domains, added, changed, removed) VALUES (?, ?, 0, 0, 0, 0)",
            (time_text(began), time_text(ended)),
        ).lastrowid
        assert number is not None
        outcomes = [self._host(number, answer.outcome, found) for answer, found in zip(answers, rows, strict=True)]
        counts = self._counts
        domains = before + counts.added - counts.removed
        self._execute(
            "UPDATE snapshot SET domains = ?, added = ?, changed = ?, removed = ? WHERE id = ?",
            (domains, counts.added, counts.changed, counts.removed, number),
        )
        return InventorySnapshot(
            id=number,
            began=began,
            ended=ended,
            domains=domains,
            added=counts.added,
            changed=counts.changed,
            removed=counts.removed,
            answered=sum(outcome.ok for outcome in outcomes),
            failures=tuple(outcome for outcome in outcomes if not outcome.ok),
        )

    def _host(self, number: int, outcome: HostOutcome, rows: Iterable[_Row] | None) -> HostOutcome:
        host = self._host_id(outcome.host)
        newer = self._newer(host, outcome) if rows is not None else None
        if newer is not None:
            outcome = outcome.replace(seen_at=newer)
        self._execute(
            "INSERT INTO outcome VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                host,
                number,
                kept(outcome.url),
                outcome.ok,
                outcome.kind,
                outcome.error and kept(outcome.error),
                outcome.seconds,
                outcome.seen_at and time_text(outcome.seen_at),
            ),
        )
        if rows is not None and newer is None:
            self._domains(number, host, rows)
        return outcome

    def _host_id(self, name: str) -> int:
        self._execute("INSERT OR IGNORE INTO host (name) VALUES (?)", (kept(name),))
        ((found,),) = self._execute("SELECT id FROM host WHERE name = ?", (kept(name),))
        return int(found)

    def _newer(self, host: int, outcome: HostOutcome) -> datetime | None:
        """Return when the host answered a recording that went on beside this one, where that was later: it stands."""
        for (text,) in self._execute(
            "SELECT seen_at FROM outcome WHERE host = ? AND snapshot > ? AND ok ORDER BY snapshot DESC LIMIT 1",
            (host, self._base),
        ):
            seen_at = time_of(text)
            if outcome.seen_at is not None and seen_at > outcome.seen_at:
                return seen_at
        return None

    def _is_the_same(self, hash: bytes, text: str) -> bool:
        found = self._execute("SELECT json FROM content WHERE hash = ?", (hash,)).fetchone()
        return found is not None and differ_by_the_clock_alone(found[0], text)

    def _domains(self, number: int, host: int, rows: Iterable[_Row]) -> None:
        """Write what is new or otherwise than it is known, and end what is no longer there."""
        found = self._execute("SELECT native_id, id, hash, first FROM domain WHERE host = ? AND until IS NULL", (host,))
        known = {native_id: _Known(*rest) for native_id, *rest in found}
        ended, begun = [], []
        for row in rows:
            old = known.pop(row.native_id, None)
            if old is not None and (old.hash == row.hash or self._is_the_same(old.hash, row.json)):
                continue
            if old is None:
                self._counts.added += 1
            else:
                self._counts.changed += 1
                ended.append((number, old.id))
            begun.append((row, number if old is None else old.first))
        self._counts.removed += len(known)
        ended += [(number, old.id) for old in known.values()]
        many = self._connection.executemany
        many("UPDATE domain SET until = ? WHERE id = ?", ended)
        many("INSERT OR IGNORE INTO content VALUES (?, ?)", ((row.hash, row.json) for row, _ in begun))
        many(
            "INSERT INTO domain (host, native_id, uuid, name, hash, first, since) VALUES (?, ?, ?, ?, ?, ?, ?)",
            ((host, row.native_id, row.uuid, row.name, row.hash, first, number) for row, first in begun),
        )
