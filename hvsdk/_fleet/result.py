"""What a fleet answers: what the hosts said, and which of them said nothing, and why."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Generic, NoReturn, TypeVar

import attrs

from hvsdk._record_list import RecordList
from hvsdk.errors import ConnectError, HvsdkError, NotTriedError, OperationTimeoutError

if TYPE_CHECKING:
    from hvsdk._domain import Domain  # named below
    from hvsdk._table import Column

__all__ = ["Answer", "Failure", "FleetDomains", "FleetList", "FleetValue", "raise_all"]

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class Answer(Generic[T]):
    """How it went with one host."""

    name: str
    url: str
    value: T | None = None
    error: Exception | None = None
    seconds: float = 0.0


@attrs.frozen(kw_only=True)
class Failure:
    """One host that did not answer, or one domain on which a function failed.

    Attributes:
        host: What the fleet calls the host.
        url: Its URL, without secrets.
        error: What was raised; one of hvsdk's errors unless a function of your own raised it.
        seconds: How long it took.
        domain: Name of the domain, where it was about a single one.
    """

    host: str
    url: str
    error: Exception
    seconds: float = 0.0
    domain: str | None = None

    @property
    def kind(self) -> str:
        """The error's class: of hvsdk's in short, such as `"Authentication"` or `"OperationTimeout"`, of others whole."""
        name = type(self.error).__name__
        return name.removesuffix("Error") if isinstance(self.error, HvsdkError) else name

    @property
    def tried(self) -> bool:
        """Whether the host was asked at all."""
        return not isinstance(self.error, NotTriedError)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        values = {"host": self.host, "url": self.url, "kind": self.kind, "error": str(self.error)}
        more: dict[str, Any] = {"seconds": round(self.seconds, 3), "domain": self.domain}
        return values | more

    def __str__(self) -> str:
        what = self.host if self.domain is None else f"{self.domain} on {self.host}"
        return f"{what}: {self.kind}: {self.error} [{self.seconds:.1f} s]"


class _WithHost:
    """A record as a row of a table that also says which host it is from."""

    __slots__ = ("_record", "host")

    def __init__(self, host: str, record: Any) -> None:
        self.host = host
        self._record = record

    def __getattr__(self, name: str) -> Any:
        return getattr(self._record, name)


class FleetList(RecordList[T]):
    """What the hosts of a fleet have, in the order of the hosts, as a list that prints as a table.

    Attributes:
        failures: The hosts that did not answer; the list has nothing of theirs.
        answered: Names of those that did.
    """

    __slots__ = ("answered", "failures", "hosts")
    _of: ClassVar[str] = "records"

    failures: tuple[Failure, ...]
    answered: tuple[str, ...]
    hosts: tuple[str, ...]
    """For each item, what the fleet calls the host that it came from."""

    def __init__(self, items: Iterable[T] = ()) -> None:
        super().__init__(items)
        self.failures = ()
        self.answered = ()
        self.hosts = ()

    def take(self, answers: Iterable[Answer[Any]]) -> None:
        """Add what each host answered: a sequence of items, or an error."""
        answers = list(answers)
        good = [answer for answer in answers if answer.error is None]
        self.extend(item for answer in good for item in answer.value or ())
        self.hosts = tuple(answer.name for answer in good for _ in answer.value or ())
        self.answered = tuple(answer.name for answer in good)
        self.failures = failures_of(answers)

    @property
    def complete(self) -> bool:
        """Whether every host answered."""
        return not self.failures

    def by_host(self) -> dict[str, list[T]]:
        """Return the items by what the fleet calls their host; a host that answered with none has an empty list."""
        found: dict[str, list[T]] = {name: [] for name in self.answered}
        for name, item in zip(self.hosts, self, strict=False):
            found[name].append(item)
        return found

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return what is loaded of each as JSON values, with the name of its `host`."""
        dicts = [record.to_dict() for record in super()._records()]
        if len(self.hosts) != len(dicts):
            return dicts
        return [{"host": host, **values} for host, values in zip(self.hosts, dicts, strict=True)]

    def _records(self) -> list[Any]:
        records = super()._records()
        if len(self.hosts) != len(records):  # a part of the list, or two lists put together
            return records
        return [
            record if isinstance(record, FleetValue) else _WithHost(host, record)
            for host, record in zip(self.hosts, records, strict=True)
        ]

    def _columns(self, records: list[Any]) -> tuple[Column, ...]:
        from hvsdk._table import Column

        if not records or not isinstance(records[0], _WithHost):
            return self._record_columns(records)
        return Column("host", "host", gives=2), *self._record_columns([row._record for row in records])

    def _record_columns(self, records: list[Any]) -> tuple[Column, ...]:
        return super()._columns(records)

    def _went_wrong(self) -> str:
        """Return the words above the failures: hosts that did not answer, or hosts or domains on which something failed."""
        count = len(self.failures)
        if any(failure.domain is not None for failure in self.failures):
            return f"{count} of {count + len(self)} failed:"
        silent = all(isinstance(failure.error, (ConnectError, OperationTimeoutError)) for failure in self.failures)
        return f"{count} of {count + len(self.answered)} hosts {'did not answer' if silent else 'failed'}:"

    def __repr__(self) -> str:
        lines = [super().__repr__()]
        if self.failures:
            from hvsdk._display import neutralise

            lines.append(self._went_wrong())
            lines += [f"  {neutralise(str(failure))}" for failure in self.failures]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        from hvsdk._table import html_table

        shown = super()._repr_html_()
        if not self.failures:
            return shown
        rows = [_FailureRow(host=one.host, kind=one.kind, error=str(one.error)) for one in self.failures]
        return f"{shown}<p>{self._went_wrong()}</p>{html_table(_failure_columns(), rows)}"


@attrs.frozen
class _FailureRow:
    host: str
    kind: str
    error: str


def _failure_columns() -> tuple[Column, ...]:
    from hvsdk._table import Column

    return Column("host", "host", gives=2), Column("kind", "kind"), Column("error", "error")


class FleetDomains(FleetList["Domain"]):
    """The domains of a fleet. Each is bound to its host, so that its verbs work as ever."""

    __slots__ = ()
    _of: ClassVar[str] = "domains"

    @property
    def domains(self) -> list[Domain]:
        """The domains: the list itself."""
        return self

    def _record_columns(self, records: list[Any]) -> tuple[Column, ...]:
        from hvsdk._table import DOMAIN_COLUMNS

        return DOMAIN_COLUMNS


@attrs.frozen(kw_only=True)
class FleetValue(Generic[T]):
    """What a function returned for one host or one domain."""

    host: str
    value: T
    domain: str | None = None


def failures_of(answers: Iterable[Answer[Any]]) -> tuple[Failure, ...]:
    """Return the failures among answers."""
    return tuple(
        Failure(host=answer.name, url=answer.url, error=answer.error, seconds=answer.seconds)
        for answer in answers
        if answer.error is not None
    )


def raise_all(failures: Iterable[Failure], what: str) -> None:
    """Raise all failures as one, if there are any.

    Raises:
        ExceptionGroup: Of the errors, each with a note that names its host.
    """
    errors = [_noted(failure) for failure in failures]
    if errors:
        _raise(f"{len(errors)} hosts failed: {what}", errors)


def _noted(failure: Failure) -> Exception:
    error = failure.error
    error.add_note(f"of {failure.host}, after {failure.seconds:.1f} s")
    return error


def _raise(message: str, errors: list[Exception]) -> NoReturn:
    raise ExceptionGroup(message, errors)
