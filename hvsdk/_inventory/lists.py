"""Lists of recorded domains and of changes, which print as tables."""

from __future__ import annotations

from collections.abc import Iterable, Set
from typing import Any, ClassVar

from hvsdk._display import neutralise
from hvsdk._inventory.records import DomainChange, InventorySnapshot, RecordedDomain
from hvsdk._record_list import RecordList
from hvsdk._table import DOMAIN_COLUMNS, Column

__all__ = ["DomainChanges", "InventoryDiff", "RecordedDomains", "Snapshots"]

_SHOWN_HOSTS = 20


class _Row:
    """A row of a table: a record's fields, and what is known beside it."""

    def __init__(self, record: Any, **more: Any) -> None:
        self._record = record
        vars(self).update(more)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._record, name)


def _named(hosts: Iterable[str]) -> str:
    names = list(hosts)
    more = f" and {len(names) - _SHOWN_HOSTS} more" if len(names) > _SHOWN_HOSTS else ""
    return ", ".join(map(neutralise, names[:_SHOWN_HOSTS])) + more


class Snapshots(RecordList[InventorySnapshot]):
    """Snapshots, the oldest first."""

    __slots__ = ()
    _of: ClassVar[str] = "snapshots"


class RecordedDomains(RecordList[RecordedDomain]):
    """The domains of a fleet as a snapshot has them.

    Attributes:
        snapshot: Which one that is; `None` for a list put together from others.
        stale_hosts: Hosts of which it shows what was last known.
    """

    __slots__ = ("snapshot", "stale_hosts")
    _of: ClassVar[str] = "domains"

    snapshot: InventorySnapshot | None
    stale_hosts: tuple[str, ...]

    def __init__(self, items: Iterable[RecordedDomain] = ()) -> None:
        super().__init__(items)
        self.snapshot = None
        self.stale_hosts = ()

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return each as JSON values, with its `host`, `first_seen`, `last_seen` and whether it is `stale`."""
        return [one.to_dict() for one in self]

    def _records(self) -> list[Any]:
        return [_Row(one.info, host=one.host, stale=one.stale, last_seen=one.last_seen) for one in self]

    def _columns(self, records: list[Any]) -> tuple[Column, ...]:
        columns: tuple[Column, ...] = (Column("host", "host", gives=2), *DOMAIN_COLUMNS)
        if any(record.stale for record in records):
            columns = (*columns, Column("last_seen", "last seen", minimum=11, whole=True, rank=2))
        return columns

    def __repr__(self) -> str:
        shown = super().__repr__()
        if not self.stale_hosts:
            return shown
        return f"{shown}\nas last known, since these hosts did not answer: {_named(self.stale_hosts)}"


class DomainChanges(RecordList[DomainChange]):
    """Changes, as a list that prints as a table."""

    __slots__ = ()
    _of: ClassVar[str] = "changes"

    @property
    def added(self) -> list[DomainChange]:
        """The domains that are new."""
        return [one for one in self if one.kind == "added"]

    @property
    def changed(self) -> list[DomainChange]:
        """The domains that are otherwise than before."""
        return [one for one in self if one.kind == "changed"]

    @property
    def removed(self) -> list[DomainChange]:
        """The domains that are gone, as a host says that answered."""
        return [one for one in self if one.kind == "removed"]

    @property
    def moved(self) -> list[DomainChange]:
        """The domains that are on another host."""
        return [one for one in self if one.kind == "moved"]

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return each as JSON values."""
        return [one.to_dict() for one in self]

    def _records(self) -> list[Any]:
        return [
            _Row(one, host=one.host if one.from_host is None else f"{one.from_host} -> {one.host}", what=_what(one))
            for one in self
        ]

    def _columns(self, records: list[Any]) -> tuple[Column, ...]:
        return (
            Column("at", "at", minimum=11, whole=True),
            Column("kind", "change", whole=True, rank=2),
            Column("host", "host", gives=2),
            Column("name", "name", gives=2, rank=2),
            Column("what", "what"),
        )


def _what(change: DomainChange) -> str:
    """Return what differs, in short."""
    texts = []
    for name, (old, new) in change.fields.items():
        if all(value is None or isinstance(value, (str, int)) for value in (old, new)):
            texts.append(f"{name} {old} -> {new}")
        elif isinstance(old, Set) and isinstance(new, Set):
            signed = [f"+{one}" for one in sorted(new - old)] + [f"-{one}" for one in sorted(old - new)]
            texts.append(" ".join((name, *signed)))
        else:
            texts.append(name)
    return ", ".join(texts)


class InventoryDiff(DomainChanges):
    """What differs between two snapshots; empty when nothing does.

    Attributes:
        before: The one snapshot.
        after: The other one.
        stale_hosts: Hosts that did not answer for one of them, or were not asked: what was last known is compared.
        unknown_hosts: Hosts of which nothing is known as of one of them: their domains are neither new nor gone.
    """

    __slots__ = ("after", "before", "stale_hosts", "unknown_hosts")

    before: InventorySnapshot | None
    after: InventorySnapshot | None
    stale_hosts: tuple[str, ...]
    unknown_hosts: tuple[str, ...]

    def __init__(self, items: Iterable[DomainChange] = ()) -> None:
        super().__init__(items)
        self.before = self.after = None
        self.stale_hosts = self.unknown_hosts = ()

    def __repr__(self) -> str:
        lines = [super().__repr__()]
        if self.stale_hosts:
            lines.append(f"by what was last known of these hosts: {_named(self.stale_hosts)}")
        if self.unknown_hosts:
            lines.append(f"not compared, since one side knows nothing of them: {_named(self.unknown_hosts)}")
        return "\n".join(lines)
