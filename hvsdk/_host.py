"""`Host`: one connection to one endpoint."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar

from hvsdk import _listing
from hvsdk._deadline import Deadline
from hvsdk._domain import Domain
from hvsdk._door import Door
from hvsdk._driver.base import Driver
from hvsdk._names import capability_named
from hvsdk._operation import CONFIG, DEADLINE, READ_ONLY, Doing, may, operate
from hvsdk._record_list import RecordList
from hvsdk.capability import Capability
from hvsdk.errors import AmbiguousNameError, NetworkNotFoundError, StoragePoolNotFoundError

if TYPE_CHECKING:
    from hvsdk._domain_list import DomainList
    from hvsdk._driver.backend import Backend
    from hvsdk._driver.target import Target
    from hvsdk._recipe import Recipe
    from hvsdk._storage import StoragePool
    from hvsdk._waiting import Cancel, Progress
    from hvsdk._watch import Watch
    from hvsdk.enums import PowerState
    from hvsdk.models import DomainInfo, DomainSpec, DomainStats, HostInfo, Network, Node

__all__ = ["Host", "unopened_host"]

T = TypeVar("T")

EVERYTHING = frozenset({"config", "guest"})
_BESIDE = {
    Capability.WATCH: "watch() works all the same: it lists the domains every few seconds",
    Capability.FENCE: "fence() works all the same where domains take metadata: it leaves a mark that hvsdk obeys",
    Capability.UNFENCE: "unfence() works all the same where domains take metadata: it takes the mark away",
}
"""Verbs that the core carries out by itself where a product has nothing for them."""


class Host:
    """One connection to one endpoint: a libvirt daemon, a XAPI pool, a vCenter, a Hyper-V server.

    `hvsdk.connect` makes it. A context manager; safe to share between threads; equal by identity. Its session is closed on
    exit even when you forget to.
    """

    def __init__(
        self,
        door: Door,
        recipe: Recipe,
        *,
        deadline: float | None = None,
        readonly: bool = False,
        allow: Iterable[str] = (),
    ) -> None:
        """Wrap a door; for `connect`, which opens it."""
        self._door = door
        self._recipe = recipe
        self._deadline_seconds = deadline
        self._readonly = readonly
        self._allow = frozenset(allow)
        self._watches: weakref.WeakSet[Watch] = weakref.WeakSet()
        self._finalizer = weakref.finalize(self, door.let_go)
        self._finalizer.atexit = False  # the doors close themselves at exit, all within one time limit

    @property
    def url(self) -> str:
        """Its URL, without secrets."""
        return self._door.target.shown()

    @property
    def backend(self) -> str:
        """Name of the backend, such as `"kvm"`."""
        return self._door.backend.name

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._door.closed

    @property
    def readonly(self) -> bool:
        """Whether verbs that change something are refused."""
        return self._readonly

    # ---- what is possible --------------------------------------------------------------------------------

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What this connection can do; a read-only one changes nothing. Single domains may lack some: `Domain.why_not`."""
        return frozenset(capability for capability in self._offered() if may(self, capability))

    def _offered(self) -> set[Capability]:
        """Return what the host can do, whoever asks."""
        limits = self._door.open(self._deadline()).limits
        found = {capability for capability in self._door.offered if capability not in limits}
        if Capability.SET_METADATA in found:
            found.add(Capability.FENCE_MARK)
        return found

    def supports(self, capability: Capability | str) -> bool:
        """Return whether this connection can do it.

        Raises:
            InvalidSpecError: There is no such capability; the hint has the nearest names.

        Example:
            >>> import hvsdk
            >>> with hvsdk.connect("fake://demo") as host:
            ...     host.supports("snapshot_memory"), host.supports("multiprocess")
            (True, False)
        """
        return capability_named(capability) in self.capabilities

    def why_not(self, capability: Capability | str) -> str | None:
        """Return in words why this connection cannot do it, or `None` if it can."""
        return self._why_not(capability_named(capability), None)

    def _why_not(self, capability: Capability, info: DomainInfo | None) -> str | None:
        if capability in self._offered():
            if not may(self, capability):
                return READ_ONLY
            if info is None:
                return None
            limit = self._driver_limits(info).get(capability)
            return None if limit is None else limit.reason
        limit = self._door.open(self._deadline()).limits.get(capability)
        if limit is not None and (capability in self._door.offered or capability is Capability.FENCE_MARK):
            return limit.reason
        beside = _BESIDE.get(capability)
        return f"the backend {self.backend!r} has no {capability}" + (f" of its own; {beside}" if beside else "")

    def _driver_limits(self, info: DomainInfo) -> Any:
        return self._door.open(self._deadline()).driver.domain_limits(info)

    # ---- domains -----------------------------------------------------------------------------------------

    def domains(
        self,
        *,
        name: str | None = None,
        state: PowerState | str | Iterable[PowerState | str] | None = None,
        tag: str | None = None,
        hypervisor: str | None = None,
        where: Callable[[DomainInfo], bool] | None = None,
        include: Iterable[str] = (),
        full: bool = False,
        templates: bool = False,
        control: bool = False,
        superseded: bool = False,
    ) -> DomainList:
        """Return the domains, in a constant number of round trips; it prints as a table.

        Args:
            name: A pattern such as `"web-*"`; upper and lower case differ.
            state: One state or several.
            tag: Loads the group `config`.
            where: A predicate on `DomainInfo`; ask for the groups it reads with `include`.
            include: Field groups beyond the summary: `"config"` (hardware, labels), `"guest"` (addresses, OS, agent).
            full: Both groups.
            templates, control, superseded: Also list templates, control domains (Xen's dom0), and domains that were moved
                away (as far as the summary can tell).

        Example:
            >>> import hvsdk
            >>> with hvsdk.connect("fake://demo") as host:
            ...     host.domains(name="web-*", state="running")[0].name
            'web-1'
        """
        wanted = _listing.Filter(
            name=name,
            state=state,
            tag=tag,
            hypervisor=hypervisor,
            where=where,
            templates=templates,
            control=control,
            superseded=superseded,
        )
        groups = _listing.groups(include, full=full, tag=tag)
        return _listing.domains(self, wanted, groups)

    def domain(self, key: str) -> Domain:
        """Return one domain by native id, UUID (in either byte order) or name, with everything about it.

        Raises:
            DomainNotFoundError: There is none.
            AmbiguousNameError: Several have that name; `candidates` tells them apart.
        """
        return _listing.find(self, _listing.key_text(key))

    def create_domain(
        self,
        spec: DomainSpec,
        *,
        timeout: float | None = None,
        progress: Progress | None = None,
        cancel: Cancel | None = None,
    ) -> Domain:
        """Make a domain, shut off, with all that its spec asks for, or raise and leave nothing behind.

        Args:
            progress: Called with the share that is done, where the product tells.
            cancel: Anything with `is_set()`; what was begun is undone then.

        Raises:
            InvalidSpecError: The product cannot meet the spec.
            AlreadyExistsError: The name or UUID is taken, on a product where it must be unique.
            InsufficientResourcesError: There is not enough space.

        Example:
            >>> import hvsdk
            >>> spec = hvsdk.DomainSpec(name="db-2", vcpus=2, memory="4GiB", disks=[hvsdk.DiskSpec(size="40GiB")])
            >>> with hvsdk.connect("fake://demo") as host:
            ...     host.create_domain(spec).power_state
            <PowerState.SHUTOFF: 'shutoff'>
        """
        from hvsdk._making import create

        return create(self, spec, timeout=timeout, progress=progress, cancel=cancel)

    # ---- the rest of the host ----------------------------------------------------------------------------

    def info(self) -> HostInfo:
        """Say what is at the other end."""
        return self._reading("host_info", lambda doing: doing.read(lambda d, limit: d.host_info(deadline=limit)))

    def nodes(self) -> list[Node]:
        """Return the physical machines."""
        return RecordList(self._ask("list_nodes", lambda d, limit: list(d.list_nodes(deadline=limit))))

    def networks(self) -> list[Network]:
        """Return the networks that domains can be on."""
        return RecordList(self._ask("list_networks", lambda d, limit: list(d.list_networks(deadline=limit))))

    def network(self, key: str) -> Network:
        """Return one network by id or name.

        Raises:
            NetworkNotFoundError: There is none.
            AmbiguousNameError: Several have that name.
        """
        found: Network = self._one(self.networks(), key, "network", NetworkNotFoundError)
        return found

    def storage_pools(self) -> list[StoragePool]:
        """Return the storage pools."""
        from hvsdk._storage import StoragePool

        found = self._ask("list_storage_pools", lambda d, limit: list(d.list_storage_pools(deadline=limit)))
        return RecordList([StoragePool(self, info) for info in found])

    def storage_pool(self, key: str) -> StoragePool:
        """Return one storage pool by id or name; where any folder can be one, also a folder that is not listed.

        Raises:
            StoragePoolNotFoundError: There is none.
            AmbiguousNameError: Several have that name.
        """
        pools = self.storage_pools()
        if not any(key in (pool.id, pool.name) for pool in pools):
            unlisted = self._unlisted_pool(key)
            if unlisted is not None:
                return unlisted
        found: StoragePool = self._one(pools, key, "storage pool", StoragePoolNotFoundError)
        return found

    def _unlisted_pool(self, key: str) -> StoragePool | None:
        from hvsdk._storage import StoragePool

        if self._door.driver_class.find_storage_pool is Driver.find_storage_pool:
            return None
        info = self._ask("list_storage_pools", lambda d, limit: d.find_storage_pool(key, deadline=limit))
        return None if info is None else StoragePool(self, info)

    def _one(self, items: Iterable[Any], key: str, what: str, missing: Callable[..., Exception]) -> Any:
        items = list(items)
        where = {"backend": self.backend, "host": self.url}
        found = [item for item in items if item.id == key] or [item for item in items if item.name == key]
        if not found:
            names = ", ".join(repr(item.name) for item in items[:10]) or "none"
            raise missing(f"{self.url} has no {what} {key!r}", hint=f"it has: {names}", **where)
        if len(found) > 1:
            candidates = [(item.id, None, None) for item in found]
            raise AmbiguousNameError(
                f"{self.url} has {len(found)} times {what} {key!r}", candidates=candidates, hint="ask by id", **where
            )
        return found[0]

    def stats(self) -> list[DomainStats]:
        """Return the figures of all running domains, from one bulk call."""
        return RecordList(self._ask("stats", lambda d, limit: list(d.stats(None, deadline=limit))))

    def watch(self, *, interval: float = 2.0, limit: int = 10_000, overflow: str = "coalesce") -> Watch:
        """Follow what happens to the domains, on a connection and a thread of its own.

        Args:
            interval: Seconds between two listings, where the product cannot push.
            limit: Events that may wait for a slow reader.
            overflow: What happens beyond that: `"coalesce"` folds them into one event for each domain, `"error"` ends
                the watch with an error.

        Example:
            >>> import hvsdk
            >>> host = hvsdk.connect("fake://demo")
            >>> with host.watch() as watch:
            ...     host.domains(state="shutoff")[0].start()
            ...     print(watch.get(timeout=10).kind)
            started
        """
        from hvsdk._watch import Watch
        from hvsdk._watch_source import HostWatchSource

        watch = Watch(HostWatchSource(self), interval=interval, limit=limit, overflow=overflow)
        self._watches.add(watch)
        return watch

    def native(self) -> Any:
        """Return the client library's own connection, for what only this product has. Hooks are told.

        What is done with it passes by `readonly`, hooks and time limits, and it is void after a reconnect.
        """
        with operate(self, "native", needs=(Capability.NATIVE,), changes=False) as doing:
            return doing.read(lambda driver, limit: driver.native(deadline=limit))

    def close(self) -> None:
        """Log out and end all watches; twice is harmless. Whatever is asked afterwards raises `HostClosedError`."""
        for watch in list(self._watches):
            watch.close()
        self._finalizer.detach()
        self._door.close()

    # ---- for the other parts of the core -----------------------------------------------------------------

    def _deadline(self) -> Deadline:
        return Deadline(self._deadline_seconds, DEADLINE)

    def _words(self, info: DomainInfo | None) -> str:
        if info is None:
            return self.url
        return f"domain {info.name!r}"

    def _handle(self, info: DomainInfo) -> Domain:
        return Domain(self, info)

    def _reading(
        self,
        verb: str,
        body: Callable[[Doing], T],
        *,
        info: DomainInfo | None = None,
        timeout: float | None = None,
        arguments: Mapping[str, Any] | None = None,
    ) -> T:
        with operate(self, verb, info=info, arguments=arguments, changes=False, timeout=timeout) as doing:
            return body(doing)

    def _ask(self, verb: str, call: Callable[[Driver, Deadline], T], *, info: DomainInfo | None = None) -> T:
        """Ask the driver for something that is a capability of its own."""
        with operate(self, verb, needs=(Capability(verb),), info=info, changes=False) as doing:
            return doing.read(call)

    def _get(self, native_id: str, info: DomainInfo | None = None) -> DomainInfo:
        """Read everything about one domain."""
        return _listing.get(self, native_id, EVERYTHING, info)

    def _get_config(self, info: DomainInfo) -> DomainInfo:
        return _listing.get(self, info.native_id, CONFIG, info)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        from hvsdk._recipe import reduce_host

        reduced: tuple[Any, ...] = reduce_host(self)
        return reduced

    def __repr__(self) -> str:
        marks = "".join([", read-only" if self._readonly else "", ", closed" if self.closed else ""])
        return f"<Host {self.url}{marks}>"


def unopened_host(
    backend: Backend,
    driver_class: type[Driver],
    target: Target,
    recipe: Recipe,
    *,
    operation_deadline: float | None,
    readonly: bool,
    allow: Iterable[str],
) -> Host:
    """Return a host whose connection is opened when something is first asked of it."""
    door = Door(backend, driver_class, target)
    return Host(door, recipe, deadline=operation_deadline, readonly=readonly, allow=allow)
