"""`Fleet`: many hosts as one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar

from hvsdk._fleet import reads
from hvsdk._fleet.config import read_file
from hvsdk._fleet.fan_out import FanOut, Job
from hvsdk._fleet.members import Members
from hvsdk._fleet.result import Answer, FleetDomains, FleetList, raise_all
from hvsdk.errors import HvsdkError, InvalidSpecError

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from hvsdk._domain import Domain
    from hvsdk._fleet.config import Endpoint
    from hvsdk._fleet.duplicates import Duplicate
    from hvsdk._fleet.member import Member
    from hvsdk._fleet.result import FleetValue
    from hvsdk._fleet.watch import FleetWatch
    from hvsdk._host import Host
    from hvsdk._inventory.records import InventorySnapshot
    from hvsdk.models import DomainStats, Network, StoragePoolInfo

__all__ = ["Fleet"]

T = TypeVar("T")
L = TypeVar("L", bound=FleetList[Any])
Progress = Callable[[int, int, Answer[Any]], object]
PARALLEL = 32
PER_HOST = 4
SECONDS = 60.0


class Fleet:
    """Many hosts of any products, asked at the same time.

    A host that does not answer costs at most its deadline, and comes back as data: results have `failures` beside what
    the others said, unless `strict=True` asks for an `ExceptionGroup`. One that fails three times in a row is left alone
    for a while, and a credential that two hosts in a row have refused is tried nowhere else until `retry()`; such hosts
    fail with `NotTriedError`. Hosts are connected to when something is first asked of them.

    A context manager; safe to share between threads.

    Example:
        >>> import hvsdk
        >>> with hvsdk.Fleet({"a": "fake://a?domains=2", "b": "fake://b?domains=3"}) as fleet:
        ...     len(fleet.domains()), fleet.names
        (5, ('a', 'b'))
    """

    def __init__(
        self,
        hosts: Mapping[str, str | Mapping[str, Any] | Host] | Iterable[Endpoint],
        *,
        parallel: int = PARALLEL,
        per_host: int = PER_HOST,
        deadline: float | None = SECONDS,
        executor: Executor | None = None,
    ) -> None:
        """Name the hosts; nothing is connected to.

        Args:
            hosts: By name: a URL, a mapping with `url`, arguments of `connect`, and `tags`, or a `Host` that is connected
                already, which stays yours to close. `load` reads a file.
            parallel: How many hosts are asked at once.
            per_host: How many domains of one host `run` works on at once.
            deadline: Seconds by the clock on the wall that one host may take for a question, from when it is asked; a
                host's own `deadline` goes before it. `run` and `watch` have no limit but the host's own.
            executor: Where the work is done, such as that of `dask.distributed.Client`; threads of this process without.

        Raises:
            InvalidSpecError: A host is named twice, or an argument makes no sense.
        """
        if parallel < 1 or per_host < 1:
            raise InvalidSpecError("parallel= and per_host= are whole numbers from 1")
        self._members = Members(hosts)
        self._parallel = parallel
        self._per_host = per_host
        self._seconds = deadline
        self._executor = executor

    @classmethod
    def load(cls, path: str | os.PathLike[str], **arguments: Any) -> Self:
        """Read a fleet's file (TOML): `[defaults]`, and `[hosts.NAME]` with `url`, `secret`, `tags`, arguments of `connect`.

        Args:
            arguments: Of `Fleet`: `parallel`, `per_host`, `deadline`, `executor`.

        Raises:
            InvalidSpecError: The file is wrong; the message names the line.
            OSError: It cannot be read.
        """
        return cls(read_file(path), **arguments)

    # ---- the hosts ---------------------------------------------------------------------------------------

    @property
    def names(self) -> tuple[str, ...]:
        """What the hosts are called, in the order in which they were named."""
        return self._members.names

    def tags(self, name: str) -> frozenset[str]:
        """Return the tags of a host."""
        return self._members.named(name).endpoint.tags

    def name_of(self, host: Host) -> str:
        """Return what a host is called here, such as the one of an event of `watch`, or of a domain.

        Raises:
            NotFoundError: It is none of the fleet's.
        """
        return self._members.name_of(host)

    def host(self, name: str) -> Host:
        """Return one host by its name in the fleet; it is connected to when something is first asked of it.

        Raises:
            NotFoundError: The fleet has no such host.
            TypeError, ValueError: What was said of it makes no sense to its backend.
        """
        return self._members.named(name).host()

    def select(self, *, hosts: Iterable[str] | str | None = None, tags: Iterable[str] | str | None = None) -> list[str]:
        """Return the names of hosts: those named by patterns such as `"xen-*"`, that have all these tags.

        Raises:
            NotFoundError: A pattern fits none, or no host of the fleet has these tags.
        """
        return [member.name for member in self._members.select(hosts, tags)]

    def retry(self, name: str | None = None) -> None:
        """Let a host, or all, be asked again at once, with the credentials that were refused too."""
        members = self._members if name is None else [self._members.named(name)]
        for member in members:
            member.circuit.close()
            if member.credential is not None:
                member.credential.close()

    # ---- what is asked of all ----------------------------------------------------------------------------

    def domains(
        self,
        *,
        hosts: Iterable[str] | str | None = None,
        host_tags: Iterable[str] | str | None = None,
        strict: bool = False,
        progress: Progress | None = None,
        **wanted: Any,
    ) -> FleetDomains:
        """Return the domains of all hosts, bound to them; it prints as a table.

        Args:
            hosts: Names or patterns of hosts; all without.
            host_tags: Only hosts with all these tags.
            strict: Raise what went wrong instead of returning it in `failures`.
            progress: Called with how many hosts are done, how many there are, and the last answer.
            wanted: Filters and field groups as `Host.domains` takes them: `state="running"`, `tag=`, `full=True`, …
                A predicate `where=` stays in this process.

        Raises:
            InvalidSpecError: A filter makes no sense.
            ExceptionGroup: Only with `strict`: the errors of the hosts that did not answer.
        """
        from hvsdk._listing import Filter, groups

        names = set(wanted)
        include = groups(wanted.pop("include", ()), full=wanted.pop("full", False), tag=wanted.get("tag"))
        try:
            where = Filter(**wanted)
        except TypeError:
            known = (
                "include",
                "full",
                "name",
                "state",
                "tag",
                "hypervisor",
                "where",
                "templates",
                "control",
                "superseded",
            )
            odd = sorted(names - set(known))
            raise TypeError(f"domains() has no argument {', '.join(odd)}; it has: {', '.join(known)}") from None
        everything = {"include": include, "templates": True, "control": True, "superseded": True}

        def bound(member: Member, found: list[Any]) -> list[Domain]:
            host = member.host()
            return [host._handle(info) for info in where.keep(found, config="config" in include)]

        answers = self._ask(hosts, host_tags, reads.infos, (everything,), bound, progress)
        return _gathered(FleetDomains(), answers, "list domains", strict)

    def stats(
        self,
        *,
        hosts: Iterable[str] | str | None = None,
        host_tags: Iterable[str] | str | None = None,
        strict: bool = False,
        progress: Progress | None = None,
    ) -> FleetList[DomainStats]:
        """Return the figures of all domains that run, one bulk call for each host."""
        answers = self._ask(hosts, host_tags, reads.stats, (), None, progress)
        return _gathered(FleetList["DomainStats"](), answers, "stats", strict)

    def networks(
        self,
        *,
        hosts: Iterable[str] | str | None = None,
        host_tags: Iterable[str] | str | None = None,
        strict: bool = False,
        progress: Progress | None = None,
    ) -> FleetList[Network]:
        """Return the networks of all hosts."""
        answers = self._ask(hosts, host_tags, reads.networks, (), None, progress)
        return _gathered(FleetList["Network"](), answers, "list networks", strict)

    def storage_pools(
        self,
        *,
        hosts: Iterable[str] | str | None = None,
        host_tags: Iterable[str] | str | None = None,
        strict: bool = False,
        progress: Progress | None = None,
    ) -> FleetList[StoragePoolInfo]:
        """Return the storage pools of all hosts, as records; `fleet.host(name).storage_pool(…)` is the handle of one."""
        answers = self._ask(hosts, host_tags, reads.storage_pools, (), None, progress)
        return _gathered(FleetList["StoragePoolInfo"](), answers, "list storage pools", strict)

    def find(self, key: str, *, strict: bool = False, progress: Progress | None = None) -> FleetDomains:
        """Return the domains that a key fits, wherever they are.

        Args:
            key: A UUID (in either byte order), a MAC or IP address, a disk's serial number, a native id, or a name, which
                may be a pattern such as `"web-*"`.
        """
        from hvsdk._fleet.find import search

        return search(self, key, strict=strict, progress=progress)

    def duplicates(self, *, progress: Progress | None = None) -> list[Duplicate]:
        """Return the UUIDs that stand for more than one domain, or for one that runs twice, and that no move explains."""
        from hvsdk._fleet.duplicates import duplicates

        return duplicates(self.domains(include=("config",), templates=True, superseded=True, progress=progress))

    def run(
        self,
        function: Callable[[Any], T],
        *,
        domains: Iterable[Domain] | None = None,
        hosts: Iterable[str] | str | None = None,
        strict: bool = False,
        progress: Progress | None = None,
    ) -> FleetList[FleetValue[T]]:
        """Call a function with each of these domains, or with each host, and return what came of it.

        Args:
            function: Takes a `Domain`, or a `Host` when no domains are given. For an executor it can be pickled.
            domains: Domains of this fleet, such as `fleet.domains(tag="lab")`.
            hosts: Names or patterns of hosts, when no domains are given; all without.
            strict: Raise what went wrong instead of returning it in `failures`.

        Raises:
            TypeError: The function is none.
            ExceptionGroup: Only with `strict`: the errors of the hosts or domains on which it failed.

        Example:
            >>> import hvsdk
            >>> with hvsdk.Fleet({"a": "fake://a", "b": "fake://b"}) as fleet:
            ...     off = fleet.domains(state="shutoff")
            ...     len(fleet.run(hvsdk.Domain.start, domains=off)) == len(off)
            True
        """
        from hvsdk._fleet.run import run_on_domains, run_on_hosts

        if not callable(function):
            raise TypeError(f"run takes a function, such as hvsdk.Domain.start, not {function!r}")
        if domains is not None:
            return run_on_domains(self, function, list(domains), strict=strict, progress=progress)
        return run_on_hosts(self, function, hosts, strict=strict, progress=progress)

    def record(
        self,
        path: str | os.PathLike[str],
        *,
        hosts: Iterable[str] | str | None = None,
        host_tags: Iterable[str] | str | None = None,
        include: Iterable[str] = ("config",),
        full: bool = False,
        strict: bool = False,
        progress: Progress | None = None,
        lock_timeout: float = 60.0,
    ) -> InventorySnapshot:
        """Ask the hosts for their domains, and write these down as one more snapshot of an inventory; return that.

        The file is one of SQLite, made when it is not there, for its owner only; `Inventory.open` reads it. A snapshot is
        in it as a whole or not at all, however this process ends. How it went with each host is written down as well:
        domains of one that did not answer stay as they were last known. Keep the file on a local disk.

        Args:
            path: The file.
            hosts: Names or patterns of hosts; all without.
            host_tags: Only hosts with all these tags.
            include: Field groups, as `Host.domains` takes them. Always ask for the same ones: snapshots compare by
                what both have.
            full: All groups.
            strict: Raise what went wrong, and write nothing.
            progress: Called with how many hosts are done, how many there are, and the last answer.
            lock_timeout: Seconds to wait for another process that writes to the file.

        Raises:
            InvalidSpecError: An argument makes no sense, or the file is something else; it is as it was.
            BusyError: Another process did not end in time; nothing was written.
            ExceptionGroup: Only with `strict`: the errors of the hosts that did not answer.
            NotFoundError: The file's directory is not there.
            OSError: The file cannot be made.
        """
        from hvsdk._fleet.record import record
        from hvsdk._listing import groups

        return record(
            self,
            path,
            hosts=hosts,
            host_tags=host_tags,
            include=groups(include, full=full, tag=None),
            strict=strict,
            progress=progress,
            lock_timeout=lock_timeout,
        )

    def watch(
        self,
        *,
        hosts: Iterable[str] | str | None = None,
        host_tags: Iterable[str] | str | None = None,
        interval: float = 2.0,
        limit: int = 10_000,
        overflow: str = "coalesce",
    ) -> FleetWatch:
        """Follow what happens to all domains, as one stream; hosts that cannot be reached come in when they can.

        Args:
            hosts: Names or patterns of hosts; all without.
            host_tags: Only hosts with all these tags.
            interval: Seconds between two listings of a host, where its product cannot push.
            limit: Events that may wait for a slow reader.
            overflow: What happens beyond that: `"coalesce"` folds them into one event for each domain, `"error"` ends
                the watch with an error.
        """
        from hvsdk._fleet.watch import FleetWatch

        members = self._members.select(hosts, host_tags)
        return FleetWatch(self, members, interval=interval, limit=limit, overflow=overflow)

    # ---- for the other parts -----------------------------------------------------------------------------

    def _ask(
        self,
        hosts: Iterable[str] | str | None,
        tags: Iterable[str] | str | None,
        function: Callable[..., Any],
        arguments: tuple[Any, ...],
        take: Callable[[Member, Any], Any] | None,
        progress: Progress | None,
    ) -> list[Answer[Any]]:
        def job(member: Member) -> Job[Any]:
            def here() -> Any:
                return taken(function(member.host(), *arguments))

            def taken(value: Any) -> Any:
                return value if take is None else take(member, value)

            return Job(member, here, self._there(member, function, *arguments), taken)

        return self._round([job(member) for member in self._members.select(hosts, tags)], progress, self._seconds)

    def _there(
        self, member: Member, function: Callable[..., Any], *arguments: Any
    ) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        """Return what an executor is given to do; a password itself is not among it."""
        if member.has_literal_secret:
            return reads.refuse_literal, (member.name, member.url)
        return reads.remote, (member.endpoint, os.getpid(), function, *arguments)

    def _round(self, jobs: list[Job[Any]], progress: Progress | None, seconds: float | None) -> list[Answer[Any]]:
        round_: FanOut[Any] = FanOut(
            jobs, parallel=self._parallel, seconds=seconds, executor=self._executor, progress=progress
        )
        return round_.all()

    def close(self) -> None:
        """Close all connections; what is asked afterwards opens them again."""
        for member in self._members:
            member.close()

    def __iter__(self) -> Iterator[str]:
        return iter(self._members.names)

    def __len__(self) -> int:
        return len(self._members)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Fleet of {len(self)} hosts>"


def _gathered(found: L, answers: list[Answer[Any]], what: str, strict: bool) -> L:
    """Put into a list what each host answered."""
    _raise_mistakes(answers)
    found.take(answers)
    if strict:
        raise_all(found.failures, what)
    return found


def _raise_mistakes(answers: Iterable[Answer[Any]]) -> None:
    """Raise what is nobody's failure but a bug: errors that are not hvsdk's own."""
    for answer in answers:
        known = (HvsdkError, OSError, TypeError, ValueError)  # the latter two: what was said of one host
        if answer.error is not None and not isinstance(answer.error, known):
            raise answer.error
