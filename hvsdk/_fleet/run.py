"""A function of the caller's own, on many domains or hosts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from hvsdk import _worker
from hvsdk._fleet import reads
from hvsdk._fleet.fan_out import Job
from hvsdk._fleet.result import Answer, Failure, FleetList, FleetValue, failures_of, raise_all
from hvsdk.errors import InvalidSpecError

if TYPE_CHECKING:
    from hvsdk._domain import Domain
    from hvsdk._fleet.fleet import Fleet, Progress
    from hvsdk._fleet.member import Member

__all__ = ["run_on_domains", "run_on_hosts"]

T = TypeVar("T")


def run_on_hosts(
    fleet: Fleet,
    function: Callable[[Any], T],
    hosts: Iterable[str] | str | None,
    *,
    strict: bool,
    progress: Progress | None,
) -> FleetList[FleetValue[T]]:
    """Call it with each host."""

    def job(member: Member) -> Job[T]:
        there = fleet._there(member, reads.on_host, function)
        return Job(member, lambda: function(member.host()), there)

    answers = fleet._round([job(member) for member in fleet._members.select(hosts, None)], progress, None)
    values = [FleetValue(host=one.name, value=one.value) for one in answers if one.error is None]
    return _result(answers, values, [], strict)


def run_on_domains(
    fleet: Fleet, function: Callable[[Any], T], domains: list[Domain], *, strict: bool, progress: Progress | None
) -> FleetList[FleetValue[T]]:
    """Call it with each domain: those of one host are one piece of work, so that each host has its own limit."""
    groups = _by_member(fleet, domains)

    def job(member: Member, mine: list[Domain]) -> Job[list[tuple[str, Any, Exception | None]]]:
        ids = [domain.native_id for domain in mine]
        there = fleet._there(member, reads.on_domains, function, ids, fleet._per_host)
        return Job(member, lambda: _each(function, mine, fleet._per_host), there)

    answers = fleet._round([job(member, mine) for member, mine in groups.items()], progress, None)
    order = {(member.name, domain.native_id): domain for member, mine in groups.items() for domain in mine}
    told = {(one.name, item[0]): item for one in answers if one.error is None for item in one.value or ()}
    urls = {member.name: member.url for member in groups}
    values, failures = [], []
    for (name, native_id), domain in order.items():
        if (name, native_id) not in told:
            continue
        _, value, error = told[name, native_id]
        if error is None:
            values.append(FleetValue(host=name, value=value, domain=domain.name))
        else:
            failures.append(Failure(host=name, url=urls[name], error=error, domain=domain.name))
    return _result(answers, values, failures, strict)


def _by_member(fleet: Fleet, domains: list[Domain]) -> dict[Member, list[Domain]]:
    """Sort domains by their hosts.

    Raises:
        InvalidSpecError: One is of a host that is none of the fleet's.
    """
    members = {id(member.host()): member for member in fleet._members if member.has_host}
    groups: dict[Member, list[Domain]] = {}
    for domain in domains:
        member = members.get(id(domain.host))
        if member is None:
            raise InvalidSpecError(
                f"domain {domain.name!r} of {domain.host.url} is none of this fleet's",
                hint="take domains from fleet.domains() or fleet.host(name)",
            )
        groups.setdefault(member, []).append(domain)
    return groups


def _each(
    function: Callable[[Any], Any], domains: list[Domain], parallel: int
) -> list[tuple[str, Any, Exception | None]]:
    """Call it with the domains of one host, so many at a time, on threads that keep nobody from leaving."""
    waiting = list(reversed(domains))
    results: list[tuple[str, Any, Exception | None]] = []

    def work() -> None:
        while True:
            try:
                domain = waiting.pop()
            except IndexError:
                return
            try:
                results.append((domain.native_id, function(domain), None))
            except Exception as exc:  # handed to the caller as data
                results.append((domain.native_id, None, exc))

    others = [_worker.submit(work) for _ in range(min(parallel, len(domains)) - 1)]
    work()
    for other in others:
        other.result(float("inf"))
    return results


def _result(
    answers: Iterable[Answer[Any]], values: list[FleetValue[Any]], failures: list[Failure], strict: bool
) -> FleetList[FleetValue[Any]]:
    answers = list(answers)
    found: FleetList[FleetValue[Any]] = FleetList(values)
    found.hosts = tuple(value.host for value in values)
    found.answered = tuple(answer.name for answer in answers if answer.error is None)
    found.failures = (*failures_of(answers), *failures)
    if strict:
        raise_all(found.failures, "run")
    return found
