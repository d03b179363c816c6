"""Reading objects as the server wrote them: what is missing or of another type is as if it were empty, and never raises.

Bulk answers are not made into pyvmomi's objects: that takes three to four times as long as all the rest of a listing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TypeAlias, TypeVar
from xml.etree.ElementTree import Element

import attrs
from hvsdk.driver import CpuTopology, FrozenDict, frozen

__all__ = [
    "NOTHING",
    "NS",
    "Element",
    "Found",
    "Sharing",
    "Values",
    "as_flag",
    "as_moment",
    "as_number",
    "child",
    "children",
    "flag",
    "kind_of",
    "moment",
    "number",
    "options",
    "text",
]

NS = "{urn:vim25}"
_KIND = "{http://www.w3.org/2001/XMLSchema-instance}type"
Values: TypeAlias = Mapping[str, Element]
"""Properties by path."""
NOTHING = Element("nothing")
T = TypeVar("T")


@attrs.frozen
class Found:
    """An object of the server's, as far as its properties were asked for."""

    kind: str
    """`VirtualMachine`, `HostSystem` …"""
    id: str
    """Its managed object id, such as `vm-42`."""
    values: Values
    """What is not set, or not shown to this user, is not in it."""


def text(values: Values, path: str) -> str:
    """Return a text, `""` for what is not set."""
    element = values.get(path)
    return (element.text or "") if element is not None else ""


def number(values: Values, path: str) -> int | None:
    """Return a whole number, `None` for what is none."""
    element = values.get(path)
    return as_number(element.text) if element is not None else None


def flag(values: Values, path: str) -> bool | None:
    """Return a truth value, `None` for what is none."""
    element = values.get(path)
    return as_flag(element.text) if element is not None else None


def moment(values: Values, path: str) -> datetime | None:
    """Return a moment, aware and in UTC; `None` for what is none."""
    element = values.get(path)
    return as_moment(element.text) if element is not None else None


def child(element: Element, *path: str) -> str:
    """Return the text of what is inside of an object, `""` for what is not set: `child(device, "backing", "fileName")`."""
    *above, last = path
    for name in above:
        inner = element.find(NS + name)
        if inner is None:
            return ""
        element = inner
    return element.findtext(NS + last) or ""


def children(element: Element, *path: str) -> list[Element]:
    """Return what an object holds under a name: all members of a list."""
    return element.findall("/".join([NS + name for name in path]))


def kind_of(element: Element) -> str:
    """Return an object's type without its namespace, such as `VirtualDisk`."""
    return element.get(_KIND, "").rpartition(":")[2]


def options(values: Values, path: str) -> Iterator[tuple[str, str]]:
    """Return the keys and values of a list of `OptionValue`."""
    element = values.get(path)
    for option in element if element is not None else ():
        key = child(option, "key")
        if key:
            yield key, child(option, "value")


def as_number(told: str | None) -> int | None:
    """Return a whole number, `None` for what is none."""
    try:
        return int(told or "")
    except ValueError:
        return None


def as_flag(told: str | None) -> bool | None:
    """Return a truth value, `None` for what is none."""
    return {"true": True, "1": True, "false": False, "0": False}.get((told or "").strip())


def as_moment(told: str | None) -> datetime | None:
    """Return a moment, aware and in UTC; `None` for what is none, and for 1970, which stands for "never"."""
    try:
        found = datetime.fromisoformat(told or "")
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return None if found.year <= 1970 else found


class Sharing:
    """Makes values of which equal ones are one object: most domains of a vCenter differ in few things.

    Use one for each listing.
    """

    def __init__(self) -> None:
        self._mappings: dict[object, FrozenDict[str, object]] = {}
        self._tags: dict[frozenset[str], frozenset[str]] = {}
        self._topologies: dict[tuple[int, int], CpuTopology] = {}

    def known(self, values: Mapping[str, object]) -> FrozenDict[str, object]:
        """Return a mapping of those values that are there: no `None`, and no empty texts."""
        there = {key: value for key, value in values.items() if value is not None and value not in ("", ())}
        try:
            return self._mappings.setdefault(tuple(there.items()), frozen(there))
        except TypeError:  # what few domains have is not shared
            return frozen(there)

    def tags(self, values: Iterable[str]) -> frozenset[str]:
        """Return a set of tags."""
        found = frozenset(values)
        return self._tags.setdefault(found, found)

    def topology(self, sockets: int, cores: int) -> CpuTopology:
        """Return how vCPUs are laid out."""
        found = self._topologies.get((sockets, cores))
        if found is None:
            found = self._topologies[sockets, cores] = CpuTopology(sockets=sockets, cores=cores)
        return found
