"""Recording what a fleet has in an inventory."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import attrs

from hvsdk._fleet import reads
from hvsdk._fleet.result import Answer, failures_of, raise_all
from hvsdk._inventory.recording import HostAnswer, Recording
from hvsdk._inventory.records import HostOutcome, InventorySnapshot
from hvsdk._redaction import cleaned
from hvsdk._url import parse_url
from hvsdk.credentials import SecretRef
from hvsdk.errors import InvalidSpecError

if TYPE_CHECKING:
    from hvsdk._fleet.fleet import Fleet, Progress
    from hvsdk._fleet.member import Member

__all__ = ["record"]

LONGEST_ERROR = 2_000
"""Characters of an error that are kept: some servers answer with a page."""


def record(
    fleet: Fleet,
    path: str | os.PathLike[str],
    *,
    hosts: Iterable[str] | str | None,
    host_tags: Iterable[str] | str | None,
    include: frozenset[str],
    strict: bool,
    progress: Progress | None,
    lock_timeout: float,
) -> InventorySnapshot:
    """Ask the hosts, and write down what they answered."""
    from hvsdk._fleet.fleet import _raise_mistakes

    if isinstance(lock_timeout, bool) or not isinstance(lock_timeout, (int, float)) or not lock_timeout >= 0:
        raise InvalidSpecError(f"lock_timeout= is a number of seconds, not {lock_timeout!r}")
    recording = Recording(path, wait=lock_timeout)
    wanted = {"include": include, "templates": True, "control": True, "superseded": True}

    def stamped(member: Member, infos: list[Any]) -> tuple[datetime, list[Any]]:
        return datetime.now(UTC), infos

    answers = fleet._ask(hosts, host_tags, reads.infos, (wanted,), stamped, progress)
    _raise_mistakes(answers)
    if strict:
        raise_all(failures_of(answers), "record")
    return recording.write([_host_answer(fleet._members.named(answer.name), answer) for answer in answers])


def _host_answer(member: Member, answer: Answer[Any]) -> HostAnswer:
    secrets = _secrets(member)
    url = cleaned(attrs.evolve(parse_url(answer.url), username=None, password=None).text(), secrets)
    if answer.error is None and answer.value is not None:
        seen_at, infos = answer.value
        outcome = HostOutcome(host=answer.name, url=url, ok=True, seconds=answer.seconds, seen_at=seen_at)
        return HostAnswer(outcome, infos)
    (failure,) = failures_of([answer])
    text = cleaned(str(failure.error), secrets)[:LONGEST_ERROR]
    return HostAnswer(
        HostOutcome(host=answer.name, url=url, ok=False, kind=failure.kind, error=text, seconds=answer.seconds)
    )


def _secrets(member: Member) -> set[str]:
    """Return what must not be written down, in case an error repeats it."""
    found = set(_texts(member.endpoint.arguments.get("password")))
    found.update(_texts(parse_url(member.endpoint.url).password))
    host = member._host
    return found if host is None else found | host._door.target.used_secrets()


def _texts(secret: Any) -> Iterator[str]:
    """Yield the texts of a secret, which may be one itself or have some in its fields."""
    if isinstance(secret, str):
        yield secret
    elif attrs.has(type(secret)) and not isinstance(secret, SecretRef):
        for field in attrs.fields(type(secret)):
            value = getattr(secret, field.name)
            if isinstance(value, str) and not field.repr:
                yield value
