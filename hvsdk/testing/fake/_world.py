"""The product itself: what lives on the other side of a connection."""

from __future__ import annotations

import heapq
import os
import threading
import time
import weakref
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from hvsdk.enums import EventKind, PowerState
from hvsdk.testing.fake import _seed
from hvsdk.testing.fake._domain import Config, FakeDomain, Guest
from hvsdk.testing.fake._errors import FakeError
from hvsdk.testing.fake._events import ChangeLog
from hvsdk.testing.fake._faults import Faults
from hvsdk.testing.fake._identity import mix, text_seed, uuid_text

if TYPE_CHECKING:
    from hvsdk._driver.target import Target
    from hvsdk.testing.fake._disks import Drive, Pool, Volume
    from hvsdk.testing.fake._options import Settings

__all__ = ["FakeNetwork", "World", "end_world", "world_of"]


_LOCK = threading.RLock()
"""One for all worlds, since a migration touches two. It is never held while time passes."""
os.register_at_fork(before=_LOCK.acquire, after_in_parent=_LOCK.release, after_in_child=_LOCK.release)


class FakeNetwork(NamedTuple):
    """A network."""

    id: str
    name: str
    bridge: str
    vlan: int | None = None


class World:
    """All that one fake hypervisor has. `lock` is held by whoever reads or changes it."""

    def __init__(self, name: str, settings: Settings) -> None:
        self.name: str = name or "fake"
        self.settings = settings
        self.lock = _LOCK
        self.changes: ChangeLog = ChangeLog(self.lock, settings.history)
        self.faults: Faults = Faults(settings.fault)
        self.seed: int = text_seed(name, settings.seed)
        self.latency: float = settings.latency
        self.nodes: list[str] = _seed.nodes(settings)
        self.networks: list[FakeNetwork] = [
            FakeNetwork("net-1", "default", "br0"),
            FakeNetwork("net-2", "backend", "br1", 100),
            FakeNetwork("net-3", "dmz", "br2", 200),
        ]
        self.pools: dict[str, Pool] = {pool.id: pool for pool in _seed.pools(settings)}
        self.domains: dict[str, FakeDomain] = _seed.domains(settings, self.seed, self.nodes)
        self.sessions: set[int] = set()
        self.logins = 0
        self.outages = 0
        self.down = False
        self.calls: dict[str, int] = {}
        self.hanging: set[threading.Event] = set()
        self._number = len(self.domains)
        self._skipped = 0.0
        self._plans: list[tuple[float, int, Callable[[], None]]] = []
        self._planned = 0
        self._macs = 0
        self._started = time.monotonic()
        if settings.snapshots:
            self._seed_snapshots(settings.snapshots)

    def _seed_snapshots(self, count: int) -> None:
        from hvsdk.testing.fake._snapshots import take_snapshot

        for domain in self.domains.values():
            for number in range(1, count + 1):
                take_snapshot(self, domain, f"snapshot-{number}", at=_seed.EPOCH)

    # ---- time --------------------------------------------------------------------------------------------

    def now(self) -> float:
        """Return the seconds by this world's own clock, which `FakeControl.advance` moves on."""
        return time.monotonic() + self._skipped

    def utc(self) -> datetime:
        """Return the time of day."""
        return datetime.fromtimestamp(time.time() + self._skipped, UTC)

    def skip(self, seconds: float) -> None:
        """Let time pass at once."""
        self._skipped += seconds
        self.settle()
        self.changes.condition.notify_all()

    def plan(self, seconds: float, action: Callable[[], None]) -> None:
        """Do something later, or now when `seconds` is zero."""
        if seconds <= 0:
            action()
            return
        self._planned += 1
        heapq.heappush(self._plans, (self.now() + seconds, self._planned, action))
        self.changes.condition.notify_all()

    def settle(self) -> None:
        """Do what was planned for the time up to now."""
        while self._plans and self._plans[0][0] <= self.now():
            heapq.heappop(self._plans)[2]()

    def idle_seconds(self) -> float:
        """Return how long nothing happens by itself."""
        return max(0.0, self._plans[0][0] - self.now()) if self._plans else float("inf")

    # ---- identities --------------------------------------------------------------------------------------

    def next_number(self) -> int:
        """Return a number that nothing here has had."""
        self._number += 1
        return self._number

    def new_uuid(self, number: int) -> str:
        """Return the UUID that goes with a new domain's number."""
        high = mix(self.seed + number)
        return uuid_text(high, mix(high))

    def new_mac(self) -> str:
        """Return a MAC address that no adapter here has, in another range than those of seeded domains."""
        taken = {a.mac for domain in self.domains.values() if domain.config for a in domain.config.adapters}
        while True:
            self._macs += 1
            mac = f"52:56:{self.seed >> 8 & 255:02x}:{self.seed & 255:02x}:{self._macs >> 8 & 255:02x}:{self._macs & 255:02x}"
            if mac not in taken:
                return mac

    # ---- finding -----------------------------------------------------------------------------------------

    def domain(self, native_id: str) -> FakeDomain:
        """Return the domain of that id."""
        found = self.domains.get(native_id)
        if found is None:
            raise FakeError("DOMAIN_NOT_FOUND", f"there is no domain {native_id!r}")
        return found

    def config(self, domain: FakeDomain) -> Config:
        """Return a domain's settings, made now if nobody asked before."""
        return domain.config or _seed.furnish(self, domain)

    def guest(self, domain: FakeDomain) -> Guest:
        """Return how the system inside behaves."""
        if domain.guest is None:
            domain.guest = Guest(self.settings.boot_seconds, self.settings.shutdown_seconds)
        return domain.guest

    def pool(self, key: str | None) -> Pool:
        """Return the pool of that id or name, the default one for `None`."""
        for pool in self.pools.values():
            if key is None or key in (pool.id, pool.name):
                return pool
        raise FakeError("POOL_NOT_FOUND", f"there is no storage pool {key!r}")

    def network(self, key: str | None) -> FakeNetwork:
        """Return the network of that id or name, the default one for `None`."""
        for network in self.networks:
            if key is None or key in (network.id, network.name):
                return network
        raise FakeError("NETWORK_NOT_FOUND", f"there is no network {key!r}")

    def volume(self, source: str, pool: str | None = None) -> Volume:
        """Return a volume by its path, `pool/name`, or its name or id in `pool` (anywhere without one)."""
        self.furnish_all()
        where = [self.pool(pool)] if pool is not None else list(self.pools.values())
        for place in where:
            for key in (source, source.removeprefix(f"{place.name}/")):
                found = place.find(key)
                if found is not None and (pool is not None or found.id != key):
                    return found
        raise FakeError("VOLUME_NOT_FOUND", f"there is no volume {source!r}" + (f" in pool {pool!r}" if pool else ""))

    def furnish_all(self) -> None:
        """Make every domain's settings, so that every volume is in its pool."""
        for domain in self.domains.values():
            self.config(domain)

    def attached(self, volume: Volume) -> list[tuple[FakeDomain, Drive]]:
        """Return where a volume is plugged in."""
        drives = ((domain, drive) for domain in self.domains.values() for drive in self.config(domain).drives)
        return [(domain, drive) for domain, drive in drives if drive.volume is volume]

    def held(self, volume: Volume, but: FakeDomain | None = None) -> str | None:
        """Return what needs a volume, in words, other than the domain `but`; `None` when nothing does."""
        for domain, _ in self.attached(volume):
            if domain is not but:
                return f"it is attached to domain {domain.name!r}"
        for domain in self.domains.values():
            if domain is not but and any(volume in snapshot.contents for snapshot in domain.snapshots):
                return f"a snapshot of domain {domain.name!r} needs it"
        for pool in self.pools.values():
            for other in pool.volumes.values():
                if other.backing is volume:
                    return f"volume {other.name!r} lies on it"
        return None

    # ---- changing ----------------------------------------------------------------------------------------

    def set_state(self, domain: FakeDomain, state: PowerState, kind: EventKind | None = None) -> None:
        """Set a power state, keep the run-time figures true to it, and tell."""
        now = self.now()
        domain.run_seconds = self.run_time(domain)
        domain.run_since = now if state is PowerState.RUNNING else None
        domain.state = state
        self.changes.record(domain.native_id, kind)

    def run_time(self, domain: FakeDomain) -> float:
        """Return the seconds that it has run since it was last switched on, pauses left out."""
        if domain.state is not PowerState.RUNNING:
            return domain.run_seconds
        return domain.run_seconds + self.now() - (self._started if domain.run_since is None else domain.run_since)

    def changed(self, domain: FakeDomain) -> None:
        """Tell that something of a domain changed that its state does not show."""
        self.changes.record(domain.native_id, EventKind.CHANGED)

    def add(self, domain: FakeDomain) -> None:
        """Take a new domain in, and tell."""
        self.domains[domain.native_id] = domain
        self.changes.record(domain.native_id)

    def remove(self, domain: FakeDomain) -> None:
        """Let a domain go, and tell."""
        del self.domains[domain.native_id]
        self.changes.record(domain.native_id)


_worlds: dict[int, World | None] = {}
_worlds_lock = threading.Lock()


def world_of(target: Target, settings: Settings) -> World | None:
    """Return the world that belongs to a target, made when it is first asked for; `None` when that has ended.

    A world lives as long as its target: as long as the `Host`, whatever connections come and go.
    """
    with _worlds_lock:
        if id(target) not in _worlds:
            weakref.finalize(target, _forget, id(target))
            _worlds[id(target)] = World(_name(target), settings)
        return _worlds[id(target)]


def end_world(target: Target) -> None:
    """End the world of a target: its connection was lost, and it was not durable."""
    with _worlds_lock:
        _worlds[id(target)] = None


def _forget(key: int, worlds: dict[int, Any] = _worlds) -> None:
    worlds.pop(key, None)


def _name(target: Target) -> str:
    return f"{target.hostname or ''}{target.path}".rstrip("/")
