"""`Inventory`: what a fleet had, and when."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from typing import IO, TYPE_CHECKING, Any, Self
from uuid import UUID

from hvsdk._inventory.lists import DomainChanges, InventoryDiff, RecordedDomains, Snapshots
from hvsdk._inventory.records import HostOutcome, InventorySnapshot
from hvsdk._inventory.schema import guarded, open_reader, transaction
from hvsdk._inventory.snapshots import When, all_snapshots, hosts_seen, outcomes, resolved
from hvsdk.errors import InvalidSpecError, NotFoundError

if TYPE_CHECKING:
    from hvsdk._domain import Domain
    from hvsdk._inventory.records import RecordedDomain
    from hvsdk.models import DomainInfo

__all__ = ["Inventory"]


class Inventory:
    """The snapshots of a fleet that `Fleet.record` has written to a file, to be read.

    A host that did not answer for a snapshot is shown as it was last known, marked stale: its domains are never taken
    for removed. Snapshots are named by an aware time (the last one that had ended by then), by their number, or by their
    record; `None` is the newest.

    Each question opens the file anew and sees one state of it, while others write; nothing keeps them from writing. It
    can be used from several threads, pickled, and as a context manager.

    Example:
        >>> import hvsdk, tempfile, os
        >>> with tempfile.TemporaryDirectory() as directory, hvsdk.Fleet({"a": "fake://a?domains=2"}) as fleet:
        ...     path = os.path.join(directory, "inventory.db")
        ...     _ = fleet.record(path)
        ...     fleet.host("a").domain("web-1").power_off()
        ...     _ = fleet.record(path)
        ...     [(one.kind, one.name, *one.fields["power_state"]) for one in hvsdk.Inventory.open(path).diff(1, 2)]
        [('changed', 'web-1', <PowerState.RUNNING: 'running'>, <PowerState.SHUTOFF: 'shutoff'>)]
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Name the file; `open` looks whether it is one."""
        self._place = os.path.realpath(path)
        self._closed = False

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Self:
        """Open a file.

        Raises:
            NotFoundError: It is not there, or nothing has been recorded in it.
            InvalidSpecError: It is something else, or of a later version of hvsdk.
            OperationFailedError: It is damaged, or may not be read.
        """
        found = cls(path)
        with found._reading():
            return found

    @property
    def path(self) -> str:
        """Where the file is."""
        return self._place

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        if self._closed:
            raise InvalidSpecError(f"the inventory {self._place} was closed", hint="open it again")
        with (
            guarded(self._place),
            contextlib.closing(open_reader(self._place)) as connection,
            transaction(connection, "DEFERRED"),
        ):
            yield connection

    # ---- what is in it -----------------------------------------------------------------------------------

    def snapshots(self) -> Snapshots:
        """Return all snapshots, the oldest first."""
        with self._reading() as connection:
            return Snapshots(all_snapshots(connection))

    def snapshot(self, when: When = None) -> InventorySnapshot:
        """Return one snapshot.

        Raises:
            NotFoundError: There is none so old, or of that number.
            InvalidSpecError: The time has no zone.
        """
        with self._reading() as connection:
            return resolved(connection, when)

    def outcomes(self, when: When = None) -> list[HostOutcome]:
        """Return how it went with each host that a snapshot asked."""
        with self._reading() as connection:
            return outcomes(connection, resolved(connection, when).id)

    def at(self, when: When = None, *, hosts: Iterable[str] | str | None = None) -> RecordedDomains:
        """Return the domains as a snapshot has them, templates and control domains too; it prints as a table.

        Args:
            hosts: Names or patterns of hosts; all without.

        Raises:
            NotFoundError: There is no snapshot so old or of that number, or a pattern fits no host that it knows.
            InvalidSpecError: The time has no zone.
        """
        from hvsdk._inventory.domains import domains_at

        with self._reading() as connection:
            snapshot = resolved(connection, when)
            seen = hosts_seen(connection, snapshot.id)
            asked = [one.host for one in snapshot.failures]
            wanted = None if hosts is None else _fitting(hosts, {host.name for host in seen}.union(asked))
            found = RecordedDomains(domains_at(connection, snapshot.id, wanted))
            found.snapshot = snapshot
            found.stale_hosts = tuple(
                host.name for host in seen if host.snapshot != snapshot.id and (wanted is None or host.name in wanted)
            )
            return found

    def diff(self, before: When, after: When = None) -> InventoryDiff:
        """Return what differs between two snapshots: domains that are new, gone, otherwise or on another host.

        What was last known of a host stands for one that did not answer: its domains are not gone, and what had become
        of them is in the diff with the next snapshot that it answers for.

        Raises:
            NotFoundError: There is no snapshot so old, or of that number.
            InvalidSpecError: A time has no zone.
        """
        from hvsdk._inventory.changes import diff

        with self._reading() as connection:
            return diff(connection, resolved(connection, before), resolved(connection, after))

    def history(
        self, domain: str | UUID | DomainInfo | Domain | RecordedDomain, *, host: str | None = None
    ) -> DomainChanges:
        """Return what became of a domain since it was first recorded, on each host where it was.

        Args:
            domain: A UUID (in either byte order), a name, a native id, a record or a handle. A name may have been that of
                several domains: all are told.
            host: Only on this host of the fleet.

        Raises:
            DomainNotFoundError: None was ever recorded.
        """
        from hvsdk._inventory.history import history

        with self._reading() as connection:
            return history(connection, _key(domain), host)

    def export(
        self, target: str | os.PathLike[str] | IO[Any], *, format: str | None = None, when: When = None
    ) -> InventorySnapshot:
        """Write the domains as a snapshot has them to a file or a stream, and return the snapshot.

        A file is written under another name first, for its owner only, and takes the place of one that is there when it
        is whole. Cells of CSV that a spreadsheet would take for a formula begin with an apostrophe.

        Args:
            target: A path, or a stream: of text or bytes for JSON and CSV, of bytes for Parquet.
            format: `"json"`, `"csv"` or `"parquet"`; by the ending of the path without. Parquet needs the extra `parquet`.

        Raises:
            InvalidSpecError: There is no such format, `pyarrow` is missing, or the target is the inventory itself.
            NotFoundError: There is no such snapshot.
            OSError: It cannot be written.
        """
        from hvsdk._inventory.export import export

        with self._reading() as connection:
            snapshot = resolved(connection, when)
            if not hasattr(target, "write") and os.path.realpath(target) == self._place:
                raise InvalidSpecError(f"{self._place} is the inventory itself", hint="export to another file")
            export(connection, snapshot, target, format)
            return snapshot

    # ---- the file ----------------------------------------------------------------------------------------

    def prunable(self, before: datetime) -> Snapshots:
        """Return the snapshots that `prune` would forget, the oldest first.

        Raises:
            InvalidSpecError: The time has no zone.
        """
        from hvsdk._inventory.pruning import check_time

        check_time(before)
        found = self.snapshots()
        first = next((one.id for one in found if one.ended >= before), found[-1].id if found else 0)
        return Snapshots(one for one in found if one.id < first)

    def prune(self, before: datetime, *, lock_timeout: float = 60.0) -> int:
        """Forget the snapshots that had ended before a time, and what only they have; return how many there were.

        The newest one stays in any case, and what is known as of those that stay. The file is not made smaller: what is
        recorded next takes the room.

        Args:
            lock_timeout: Seconds to wait for another process that writes.

        Raises:
            InvalidSpecError: The time has no zone.
            BusyError: Another process did not end in time; nothing was forgotten.
        """
        from hvsdk._inventory.pruning import prune

        with self._reading():
            pass  # it is an inventory, and not closed
        return prune(self._place, before, lock_timeout)

    def close(self) -> None:
        """End the use of it; nothing is kept open anyway."""
        self._closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Inventory {self._place!r}>"


def _fitting(hosts: Iterable[str] | str, names: Collection[str]) -> frozenset[str]:
    """Return the names that patterns fit.

    Raises:
        NotFoundError: One fits none.
    """
    from fnmatch import fnmatchcase

    found: set[str] = set()
    for pattern in [hosts] if isinstance(hosts, str) else hosts:
        fitting = {name for name in names if fnmatchcase(name, pattern)}
        if not fitting:
            from hvsdk._names import did_you_mean

            raise NotFoundError(f"the snapshot has no host {pattern!r}", hint=did_you_mean(pattern, names))
        found |= fitting
    return frozenset(found)


def _key(domain: Any) -> str:
    """Return what a domain is looked up by.

    Raises:
        InvalidSpecError: It is none.
    """
    if isinstance(domain, (str, UUID)) and str(domain):
        return str(domain)
    info = getattr(domain, "info", domain)
    items = info._items() if hasattr(type(info), "_items") else {}
    found = items.get("uuid") or items.get("native_id")
    if not found:
        raise InvalidSpecError(
            f"a domain is named by a UUID, a name, an id, its record or its handle, not by {domain!r}"
        )
    return str(found)
