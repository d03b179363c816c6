"""Reading records that a server wrote: what is missing or of another type is as if it were empty, and never raises."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import attrs
from hvsdk.driver import CpuTopology, FrozenDict, errors, frozen

from hvsdk_xen._values import as_int, is_ref

__all__ = [
    "NOTHING",
    "Record",
    "Records",
    "Related",
    "Sharing",
    "count",
    "entry",
    "mapping",
    "record_of",
    "records_of",
    "reference",
    "references",
    "text",
]

Record: TypeAlias = Mapping[str, Any]
Records: TypeAlias = Mapping[str, Record]
"""Records by reference."""
NOTHING: Record = {}


def text(record: Record, field: str) -> str:
    """Return a text, `""` for what is none."""
    value = record.get(field)
    return value if isinstance(value, str) else ""


def reference(record: Record, field: str) -> str | None:
    """Return a reference, `None` for what refers to nothing."""
    value = record.get(field)
    return value if is_ref(value) else None


def references(record: Record, field: str) -> list[str]:
    """Return the references of a set."""
    values = record.get(field)
    return [value for value in values if is_ref(value)] if isinstance(values, list) else []


def mapping(record: Record, field: str) -> dict[str, str]:
    """Return a map of texts, without entries that are none."""
    values = record.get(field)
    if not isinstance(values, dict):
        return {}
    return {key: value for key, value in values.items() if isinstance(key, str) and isinstance(value, str)}


def entry(record: Record, field: str, key: str) -> str:
    """Return a text in a map, `""` where there is none."""
    values = record.get(field)
    value = values.get(key) if isinstance(values, dict) else None
    return value if isinstance(value, str) else ""


def count(record: Record, field: str) -> int | None:
    """Return a number of things or bytes; `None` for what is none, such as the -1 that stands for "not known"."""
    value = record.get(field)
    number = value if type(value) is int else as_int(value)
    return number if number is not None and number >= 0 else None


def records_of(answer: Any, method: str) -> dict[str, dict[str, Any]]:
    """Return an answer that is to be records by reference.

    Raises:
        OperationFailedError: It is something else.
    """
    if not isinstance(answer, dict) or not all(isinstance(record, dict) for record in answer.values()):
        raise errors.OperationFailedError(f"the server's answer to {method} is no map of records")
    return answer


def record_of(answer: Any, method: str) -> dict[str, Any]:
    """Return an answer that is to be one record.

    Raises:
        OperationFailedError: It is something else.
    """
    if not isinstance(answer, dict):
        raise errors.OperationFailedError(f"the server's answer to {method} is no record")
    return answer


@attrs.frozen
class Related:
    """Records of several classes, which refer to each other."""

    classes: Mapping[str, Records] = attrs.field(factory=dict)
    """By the class's name in lower case."""

    def get(self, cls: str, ref: str | None) -> Record:
        """Return a record, an empty one where there is none: it may have gone between two answers."""
        return NOTHING if ref is None else self.classes.get(cls, NOTHING).get(ref, NOTHING)

    def of(self, cls: str, record: Record, field: str) -> Record:
        """Return the record that a field refers to."""
        return self.get(cls, reference(record, field))

    def all_of(self, cls: str, record: Record, field: str) -> list[Record]:
        """Return the records that a field with a set refers to, as far as they are there."""
        known = self.classes.get(cls, NOTHING)
        return [known[ref] for ref in references(record, field) if ref in known]


class Sharing:
    """Makes values of which equal ones are one object: most domains of a pool differ in few things.

    Use one for each listing.
    """

    def __init__(self) -> None:
        self._mappings: dict[Any, FrozenDict[str, Any]] = {}
        self._tags: dict[frozenset[str], frozenset[str]] = {}
        self._topologies: dict[tuple[int, int], CpuTopology] = {}

    def known(self, values: dict[str, Any]) -> FrozenDict[str, Any]:
        """Return a mapping of those values that are there: no empty ones, and no zeros."""
        return self.mapping({key: value for key, value in values.items() if value or value is False})

    def mapping(self, values: dict[str, Any]) -> FrozenDict[str, Any]:
        """Return a mapping. What is in it are plain values, tuples, and mappings that were made here."""
        # Mappings cannot be hashed; equal ones are the same object, which is kept.
        key = (*values, *[id(value) if type(value) is FrozenDict else value for value in values.values()])
        try:
            found = self._mappings.get(key)
        except TypeError:  # what few domains have is not shared
            return frozen(values)
        if found is None:
            found = self._mappings[key] = frozen(values)
        return found

    def tags(self, values: frozenset[str]) -> frozenset[str]:
        """Return a set of tags."""
        return self._tags.setdefault(values, values)

    def topology(self, sockets: int, cores: int) -> CpuTopology:
        """Return how vCPUs are laid out."""
        found = self._topologies.get((sockets, cores))
        if found is None:
            found = self._topologies[sockets, cores] = CpuTopology(sockets=sockets, cores=cores)
        return found
