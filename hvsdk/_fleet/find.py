"""Finding domains in a fleet by whatever is known of them."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from hvsdk._listing import uuid_spellings
from hvsdk.errors import InvalidSpecError

if TYPE_CHECKING:
    from hvsdk._fleet.fleet import Fleet, Progress
    from hvsdk._fleet.result import FleetDomains
    from hvsdk.models import DomainInfo

__all__ = ["meaning", "search"]

_MAC = re.compile(r"(?:[0-9a-f]{2}[:-]?){5}[0-9a-f]{2}")
_PATTERN = re.compile(r"[*?\[]")
Fits = Callable[["DomainInfo"], bool]


def search(fleet: Fleet, key: str, *, strict: bool, progress: Progress | None) -> FleetDomains:
    """Return the domains that a key fits.

    What the key looks like decides which groups of fields are read. Anything may be a name as well.
    """
    if not isinstance(key, str) or not key:
        raise InvalidSpecError(f"a domain is found by a text, not by {key!r}")
    include, fits = meaning(key)
    everything: dict[str, Any] = {"templates": True, "superseded": True, "control": True}
    return fleet.domains(include=include, where=fits, strict=strict, progress=progress, **everything)


def meaning(key: str) -> tuple[tuple[str, ...], Fits]:
    spellings = uuid_spellings(key)
    if spellings:
        return ("config",), lambda info: _named(info, key) or info.uuid in spellings or _guest_uuid(info) in spellings
    if _MAC.fullmatch(key.lower()):
        mac = re.sub("[:-]", "", key.lower())
        return ("config",), lambda info: _named(info, key) or any(_digits(nic.mac) == mac for nic in info.nics)
    address = _address(key)
    if address is not None:
        return ("guest",), lambda info: _named(info, key) or any(_address(one.ip) == address for one in info.addresses)
    if _PATTERN.search(key):
        from fnmatch import fnmatchcase

        return (), lambda info: fnmatchcase(info.name, key) or _named(info, key)
    return ("config",), lambda info: _named(info, key) or any(disk.serial == key for disk in info.disks)


def _named(info: DomainInfo, key: str) -> bool:
    return key in (info.name, info.native_id)


def _guest_uuid(info: DomainInfo) -> str | None:
    """Return the UUID that the guest sees, where the product has another one for that."""
    for name in ("vmware.bios_uuid", "hyperv.bios_guid"):
        found = info.details.get(name)
        if found:
            return str(found).lower()
    return None


def _digits(mac: str | None) -> str | None:
    return None if mac is None else mac.replace(":", "")


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
