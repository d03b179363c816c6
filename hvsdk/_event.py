"""`Event`: one thing that happened to a domain or to a host."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

import attrs

from hvsdk.enums import EventKind
from hvsdk.models._base import Record, plain
from hvsdk.models._domain import DomainInfo

if TYPE_CHECKING:
    from hvsdk._domain import Domain
    from hvsdk._host import Host

__all__ = ["Event"]


@attrs.frozen(kw_only=True, repr=False)
class Event(Record):
    """One change of a domain, or the loss and return of a connection (`HOST_LOST`, `HOST_BACK`: those have no domain).

    `before` is `None` for a domain that is new, `after` for one that is gone. A listing is kept true by replacing what
    it has under `native_id` by `after`.
    """

    _json_names: ClassVar[Mapping[str, Any]] = {"Host": str, "Domain": str}

    host: Host
    """In `to_dict()` its URL."""
    kind: EventKind
    domain: Domain | None = None
    """A handle whose record is `after`, or what was last seen of it where it is gone; in `to_dict()` its native id."""
    before: DomainInfo | None = None
    """The summary as it was, as far as this watch knew."""
    after: DomainInfo | None = None
    """The summary as it is."""
    at: datetime = attrs.field(factory=lambda: datetime.now(UTC))
    """When it was noticed, by this machine's clock."""

    @property
    def info(self) -> DomainInfo | None:
        """What is known of the domain: `after`, or `before` where it is gone."""
        return self.after or self.before

    @property
    def native_id(self) -> str | None:
        """The domain's native id."""
        return self.info.native_id if self.info else None

    def to_dict(self) -> dict[str, Any]:
        """Return the event as JSON values, with the host's URL and the domain's native id in place of the handles."""
        return {
            "host": self.host.url,
            "kind": self.kind.value,
            "domain": self.native_id,
            "before": plain(self.before),
            "after": plain(self.after),
            "at": plain(self.at),
        }

    def __repr__(self) -> str:
        if self.info is None:
            return f"<Event {self.kind} {self.host.url!r}>"
        states = " -> ".join(str(info.power_state) for info in (self.before, self.after) if info)
        return f"<Event {self.kind} {self.info.name!r} {states}>"
