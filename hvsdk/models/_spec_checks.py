"""Converters and validators of what a new domain, disk or adapter is to be. Each names the field and what it takes."""

from __future__ import annotations

import re
import uuid as _uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from hvsdk._units import parse_size
from hvsdk.errors import InvalidSpecError
from hvsdk.models._checks import check_name, check_text
from hvsdk.models._mapping import FrozenDict, frozen

T = TypeVar("T")
Validator = Callable[[Any, Any, Any], None]

_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")


def size(value: int | str | None) -> int | None:
    """Return a size in bytes."""
    return None if value is None else parse_size(value)


def several(what: str, kind: type[T], values: Iterable[T]) -> tuple[T, ...]:
    """Return several records as a tuple; one alone is not several."""
    name = kind.__name__
    if isinstance(values, kind):
        raise InvalidSpecError(f"{what} are several {name}s, not one", hint=f"write {what}=[{name}(...)]")
    if not isinstance(values, Iterable) or isinstance(values, (str, bytes)):
        raise InvalidSpecError(f"{what} are several {name}s, not {values!r}")
    found = tuple(values)
    for one in found:
        if not isinstance(one, kind):
            raise InvalidSpecError(f"{what} are {name}s, not {one!r}")
    return found


def mac(value: str | None) -> str | None:
    """Return a MAC address, lower case with colons."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise InvalidSpecError(f"mac is a text, not {value!r}")
    found = value.strip().lower().replace("-", ":")
    if not _MAC.fullmatch(found):
        raise InvalidSpecError(f"{value!r} is not a MAC address", hint="write it as 52:54:00:12:34:56")
    if int(found[:2], 16) & 1:
        raise InvalidSpecError(f"{value!r} is a multicast address; an adapter cannot have it")
    return found


def uuid_text(value: str | _uuid.UUID | None) -> str | None:
    """Return a UUID as a text, lower case with hyphens."""
    try:
        return None if value is None else str(_uuid.UUID(str(value)))
    except ValueError:
        raise InvalidSpecError(f"{value!r} is not a UUID") from None


def hints(values: Mapping[str, Any]) -> FrozenDict[str, Any]:
    """Return the settings of single products; each key says which product it is for."""
    for key in _mapping("hints", values):
        product, dot, name = key.partition(".") if isinstance(key, str) else ("", "", "")
        if not (product and dot and name):
            raise InvalidSpecError(f"hints are named for a product, such as kvm.cpu_mode; {key!r} is not")
    return frozen(values)


def metadata(values: Mapping[str, str]) -> FrozenDict[str, str]:
    """Return metadata; what it may hold is checked with the rest of the spec."""
    return frozen(_mapping("metadata", values))


def smbios(values: Mapping[str, str]) -> FrozenDict[str, str]:
    """Return what the guest reads in its SMBIOS."""
    for key, value in _mapping("smbios", values).items():
        check_text("a key of smbios", key)
        check_text(f"smbios {key}", value)
    return frozen(values)


def _mapping(what: str, values: Any) -> Mapping[Any, Any]:
    if not isinstance(values, Mapping):
        raise InvalidSpecError(f"{what} is a mapping, not {values!r}")
    return values


def name(instance: Any, attribute: Any, value: Any) -> None:
    """Refuse what cannot be a name anywhere."""
    check_name(value)


def text(instance: Any, attribute: Any, value: Any) -> None:
    """Refuse what is neither a text nor `None`."""
    if value is not None and not isinstance(value, str):
        named = getattr(value, "name", None)  # a handle or a record, such as a volume, a pool, a network
        hint = f"name it: {attribute.name}={named!r}" if isinstance(named, str) else None
        raise InvalidSpecError(f"{attribute.name} is a text, not {value!r}", hint=hint)


def private_text(instance: Any, attribute: Any, value: Any) -> None:
    """Refuse what is no text, without showing it; `None` only where it is the default."""
    if not isinstance(value, str) and (value is not None or attribute.default is not None):
        raise InvalidSpecError(f"{attribute.name} is a text, not a {type(value).__name__}")


def flag(instance: Any, attribute: Any, value: Any) -> None:
    """Refuse what is neither `True` nor `False`."""
    if not isinstance(value, bool):
        raise InvalidSpecError(f"{attribute.name} is True or False, not {value!r}")


def at_least_one(instance: Any, attribute: Any, value: Any) -> None:
    """Refuse what is neither a whole number from 1 nor `None`."""
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        raise InvalidSpecError(f"{attribute.name} must be a whole number of at least 1, not {value!r}")


def vlan(instance: Any, attribute: Any, value: Any) -> None:
    """Refuse what is neither a VLAN's number nor `None`."""
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 4095):
        raise InvalidSpecError(f"{attribute.name} is a whole number from 0 to 4095, not {value!r}")


def positive(instance: Any, attribute: Any, value: Any) -> None:
    """Refuse a size of nothing."""
    if value is not None and value < 1:
        raise InvalidSpecError(f"{attribute.name.removesuffix('_bytes')} must be more than 0")


def clock(instance: Any, attribute: Any, value: Any) -> None:
    """Refuse what is neither a kind of clock nor an offset in seconds."""
    if value not in ("utc", "localtime") and (isinstance(value, bool) or not isinstance(value, int)):
        raise InvalidSpecError(f"clock is 'utc', 'localtime' or a number of seconds, not {value!r}")


def one_of(*choices: str) -> Validator:
    """Refuse what is none of these texts."""
    words = " or ".join(map(repr, choices))

    def check(instance: Any, attribute: Any, value: Any) -> None:
        if value not in choices:
            raise InvalidSpecError(f"{attribute.name} is {words}, not {value!r}")

    return check


def a(kind: type) -> Validator:
    """Refuse what is neither such a record nor `None`."""

    def check(instance: Any, attribute: Any, value: Any) -> None:
        if value is not None and not isinstance(value, kind):
            raise InvalidSpecError(f"{attribute.name} is a {kind.__name__}, not a {type(value).__name__}")

    return check
