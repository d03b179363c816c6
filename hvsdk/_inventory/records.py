"""What an inventory answers with: snapshots, how it went with each host, domains, changes."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar, Literal

import attrs

from hvsdk.enums import PowerState
from hvsdk.models._base import Record, plain
from hvsdk.models._domain import DomainInfo
from hvsdk.models._mapping import EMPTY, FrozenDict, frozen

__all__ = ["DomainChange", "HostOutcome", "InventorySnapshot", "RecordedDomain"]


@attrs.frozen(kw_only=True, repr=False)
class HostOutcome(Record):
    """How it went with one host when a snapshot was recorded.

    Attributes:
        host: What the fleet calls the host.
        url: Its URL, without user name and password.
        ok: Whether it answered.
        kind: The error's class in short, such as `"Authentication"`; `"NotTried"` for a host that was left alone.
        error: What the error said, without secrets.
        seconds: How long it took.
        seen_at: When it answered.
    """

    host: str
    url: str
    ok: bool
    kind: str | None = None
    error: str | None = None
    seconds: float = 0.0
    seen_at: datetime | None = None

    def __str__(self) -> str:
        how = "answered" if self.ok else f"{self.kind}: {self.error}"
        return f"{self.host}: {how} [{self.seconds:.1f} s]"


@attrs.frozen(kw_only=True, repr=False)
class InventorySnapshot(Record):
    """One recording of a fleet.

    Attributes:
        id: Its number: later ones are higher.
        began: When the first host was asked.
        ended: When it was written down, after the last one had answered or been given up.
        domains: How many domains are known as of then, those of hosts that did not answer included.
        added: How many of them were not known before.
        changed: How many had changed.
        removed: How many were no longer there, on hosts that answered.
        answered: How many hosts answered.
        failures: The hosts that did not.
    """

    id: int
    began: datetime
    ended: datetime
    domains: int
    added: int
    changed: int
    removed: int
    answered: int = 0
    failures: tuple[HostOutcome, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether every host answered that was asked."""
        return not self.failures

    def __repr__(self) -> str:
        asked = self.answered + len(self.failures)
        counts = f"{self.domains} domains, {self.added} added, {self.changed} changed, {self.removed} removed"
        when = f"{self.ended:%Y-%m-%d %H:%M:%S}Z"
        return f"<InventorySnapshot {self.id} of {when}: {counts}; {self.answered} of {asked} hosts answered>"


@attrs.frozen(kw_only=True, repr=False)
class RecordedDomain(Record):
    """A domain as a snapshot has it.

    Attributes:
        host: What the fleet calls the host that it is on.
        info: Its record; `seen_at` is `last_seen`. In `to_dict()` its fields are beside the others.
        first_seen: When it was first recorded there, without a gap since.
        last_seen: When its host last answered, up to this snapshot.
        stale: Whether its host did not answer for this snapshot, or was not asked: it is shown as last known.
    """

    _left_out: ClassVar[frozenset[str]] = frozenset({"info"})

    host: str
    info: DomainInfo
    first_seen: datetime
    last_seen: datetime
    stale: bool = False

    @property
    def name(self) -> str:
        """What it is called."""
        return self.info.name

    @property
    def native_id(self) -> str:
        """The product's own key."""
        return self.info.native_id

    @property
    def power_state(self) -> PowerState:
        """Whether it ran."""
        return self.info.power_state

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values: those of its record, with the host and what is known of when."""
        more = {"first_seen": plain(self.first_seen), "last_seen": plain(self.last_seen), "stale": self.stale}
        return {"host": self.host, **self.info.to_dict(), **more}

    def __repr__(self) -> str:
        return f"<RecordedDomain {self.name!r} {self.power_state} on {self.host!r}{' stale' if self.stale else ''}>"


def _fields_of(change: DomainChange) -> FrozenDict[str, Any]:
    if change.before is None or change.after is None:
        return EMPTY
    return frozen(changed_fields(change.before, change.after))


@attrs.frozen(kw_only=True, repr=False)
class DomainChange(Record):
    """What became of a domain between two snapshots.

    Attributes:
        kind: `added`, `changed`, `removed` or `moved`: gone from one host and new on another, with the same UUID.
        host: What the fleet calls the host that it is on, or was on.
        from_host: For `moved` the host that it was on.
        at: The time of the snapshot that first shows it so.
        before: Its record before; `None` for `added`.
        after: Its record since; `None` for `removed`.
        fields: What differs, by the name of the field: the value before and the value since. Fields that only one of
            the records has are not among them: they were not asked for the other time.
    """

    kind: Literal["added", "changed", "removed", "moved"]
    host: str
    at: datetime
    from_host: str | None = None
    before: DomainInfo | None = None
    after: DomainInfo | None = None
    fields: FrozenDict[str, Any] = attrs.field(
        init=False, hash=False, default=attrs.Factory(_fields_of, takes_self=True)
    )

    @property
    def info(self) -> DomainInfo:
        """What is known of the domain: `after`, or `before` where it is gone."""
        found = self.after or self.before
        assert found is not None
        return found

    @property
    def name(self) -> str:
        """What it is called."""
        return self.info.name

    @property
    def native_id(self) -> str:
        """The product's own key."""
        return self.info.native_id

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values; each of `fields` is an object with `before` and `after`."""
        fields = {name: {"before": plain(old), "after": plain(new)} for name, (old, new) in self.fields.items()}
        return {
            "kind": self.kind,
            "host": self.host,
            "from_host": self.from_host,
            "name": self.name,
            "native_id": self.native_id,
            "at": plain(self.at),
            "fields": fields,
            "before": plain(self.before),
            "after": plain(self.after),
        }

    def __repr__(self) -> str:
        where = self.host if self.from_host is None else f"{self.from_host} -> {self.host}"
        what = f": {', '.join(self.fields)}" if self.fields else ""
        return f"<DomainChange {self.kind} {self.name!r} on {where}{what}>"


def changed_fields(before: DomainInfo, after: DomainInfo) -> dict[str, tuple[Any, Any]]:
    """Return what differs between two records, among what both have."""
    old, new = before._items(), after._items()
    return {
        name: (value, new[name])
        for name, value in old.items()
        if name != "seen_at" and name in new and new[name] != value
    }
