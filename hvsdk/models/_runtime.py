"""Records of what happens: statistics, snapshots, consoles, what a change did."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar, Literal

import attrs

from hvsdk.models._base import Record
from hvsdk.models._mapping import EMPTY, FrozenDict, frozen

__all__ = ["Applied", "Console", "DomainStats", "Extent", "SnapshotInfo"]


@attrs.frozen(kw_only=True, repr=False)
class SnapshotInfo(Record):
    """One snapshot of a domain."""

    id: str
    name: str
    created_at: datetime | None = None
    parent: str | None = None
    """Id of the snapshot it was made on."""
    is_current: bool = False
    """Whether the domain's present state was made on it."""
    has_memory: bool | None = None
    quiesced: bool | None = None
    description: str = ""
    details: FrozenDict[str, Any] = attrs.field(default=EMPTY, converter=frozen, hash=False)


@attrs.frozen(kw_only=True, repr=False)
class Console(Record):
    """Where and how a domain's screen or serial line can be reached."""

    _left_out: ClassVar[frozenset[str]] = frozenset({"password", "token"})

    kind: str
    """`vnc spice rdp webmks mks rfb-connect serial`."""
    url: str | None = None
    host: str | None = None
    port: int | None = None
    path: str | None = None
    """A unix socket or device, where the console is one."""
    password: str | None = attrs.field(default=None, repr=False)
    token: str | None = attrs.field(default=None, repr=False)
    fingerprint: str | None = None
    """`"sha256:…"` of the certificate to expect there; `"sha1:…"` from products that tell no better."""
    expires_at: datetime | None = None

    def to_dict(self, *, secrets: bool = False) -> dict[str, Any]:
        """Return the record as JSON values, without password and token unless they are asked for."""
        values = super().to_dict()
        return values if secrets else {k: v for k, v in values.items() if k not in self._left_out}


@attrs.frozen(kw_only=True, repr=False)
class Applied(Record):
    """What a reconfiguration did."""

    live: frozenset[str] = frozenset()
    """Names of the settings that are in effect now."""
    next_boot: frozenset[str] = frozenset()
    """Names of the settings that wait until the domain is shut off and started again."""


@attrs.frozen(kw_only=True, repr=False)
class Extent(Record):
    """A run of bytes of a disk."""

    offset: int
    length: int
    zero: bool = False
    """Whether it is known to read as zeros (a hole)."""


@attrs.frozen(kw_only=True, repr=False)
class DomainStats(Record):
    """Figures of one domain at one moment.

    Counters count from the domain's start; rates hold for the `interval_seconds` before `at`. A product that has only
    one form leaves the other `None`; `rate_since` makes rates of two readings of counters.
    """

    native_id: str
    at: datetime
    name: str | None = None
    vcpus: int | None = None
    cpu_seconds: float | None = None
    """Counter: CPU time used, all vCPUs together."""
    cpu_ratio: float | None = None
    """Rate: share of one vCPU's time; 2.0 is two vCPUs busy."""
    memory_bytes: int | None = None
    """Memory the guest has now."""
    memory_used_bytes: int | None = None
    """What the guest uses of it, where agent or balloon tell."""
    disk_read_bytes: int | None = None
    disk_write_bytes: int | None = None
    disk_read_requests: int | None = None
    disk_write_requests: int | None = None
    net_rx_bytes: int | None = None
    net_tx_bytes: int | None = None
    net_rx_packets: int | None = None
    net_tx_packets: int | None = None
    interval_seconds: float | None = None
    disk_read_bytes_per_second: float | None = None
    disk_write_bytes_per_second: float | None = None
    disk_read_requests_per_second: float | None = None
    disk_write_requests_per_second: float | None = None
    net_rx_bytes_per_second: float | None = None
    net_tx_bytes_per_second: float | None = None
    net_rx_packets_per_second: float | None = None
    net_tx_packets_per_second: float | None = None
    details: FrozenDict[str, Any] = attrs.field(default=EMPTY, converter=frozen, hash=False)

    def rate_since(self, earlier: DomainStats) -> DomainStats:
        """Return the rates between an earlier reading of the same domain and this one.

        A counter that went down (the domain was started anew) gives `None`, never a negative rate. Of a product that tells
        rates and no counters this reading itself is returned: its rates hold for its own `interval_seconds`.

        Raises:
            ValueError: The readings are of two domains, or not one after the other.
        """
        if earlier.native_id != self.native_id:
            raise ValueError(f"readings of two domains: {earlier.native_id} and {self.native_id}")
        if self.interval_seconds is not None and all(getattr(self, name) is None for name in _COUNTERS):
            return self
        seconds = (self.at - earlier.at).total_seconds()
        if seconds <= 0:
            raise ValueError("the other reading is not earlier than this one")
        rates: dict[str, Any] = {}
        for name in _COUNTERS:
            now, then = getattr(self, name), getattr(earlier, name)
            rate = None if now is None or then is None or now < then else (now - then) / seconds
            rates["cpu_ratio" if name == "cpu_seconds" else f"{name}_per_second"] = rate
        return self.replace(interval_seconds=seconds, **rates)


_COUNTERS: tuple[
    Literal[
        "cpu_seconds",
        "disk_read_bytes",
        "disk_write_bytes",
        "disk_read_requests",
        "disk_write_requests",
        "net_rx_bytes",
        "net_tx_bytes",
        "net_rx_packets",
        "net_tx_packets",
    ],
    ...,
] = (
    "cpu_seconds",
    "disk_read_bytes",
    "disk_write_bytes",
    "disk_read_requests",
    "disk_write_requests",
    "net_rx_bytes",
    "net_tx_bytes",
    "net_rx_packets",
    "net_tx_packets",
)
