"""What a guest told of itself through the integration services: addresses, its name, its system.

The host keeps the last word of a guest that is off or hangs: it counts only while the heartbeat is heard.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from html import unescape
from sys import intern
from typing import Any, Literal

from hvsdk.driver import Address, guest_ip

__all__ = ["agent_state", "guest_fields", "mac_of"]

_SILENT: dict[str, Any] = {"addresses": (), "guest_hostname": None, "guest_os": None}
_AGENT: Mapping[str | None, Literal["running", "stopped", "absent", "unknown"]] = {
    "OkApplicationsUnknown": "running",
    "OkApplicationsHealthy": "running",
    "OkApplicationsCritical": "running",
    "NoContact": "absent",
    "LostCommunication": "stopped",
    "Error": "stopped",
}
_RUNS = frozenset(("Running", "RunningCritical"))
_MOST = 1000
"""Addresses that are read of one guest, which tells them itself."""
_PROPERTY = re.compile(r'<PROPERTY\b[^>]*\bNAME="(Name|Data)"[^>]*>\s*<VALUE>(.*?)</VALUE>', re.DOTALL)
_MAC = re.compile(r"[0-9A-Fa-f]{12}")


def agent_state(state: str, heartbeat: str | None) -> Literal["running", "stopped", "absent", "unknown"]:
    """Return whether a guest's integration services are heard. Of a guest that is off, or whose heartbeat is disabled,
    nobody knows; one that has not been heard since it was started has none, or is still booting.
    """
    return _AGENT.get(heartbeat, "unknown") if state in _RUNS else "unknown"


def guest_fields(state: str, told: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of the group `guest`, from what the host answered of it."""
    agent = agent_state(state, told["heartbeat"])
    items = dict(filter(None, map(_item, told["items"])))
    addresses = _addresses(told["adapters"])
    if state not in _RUNS or agent in ("stopped", "absent"):
        return _SILENT | {"agent": agent}
    if not addresses:
        addresses = _addresses_told(items)
    return {
        "addresses": addresses,
        "guest_hostname": items.get("FullyQualifiedDomainName") or None,
        "guest_os": intern(items.get("OSName") or "") or None,
        "agent": agent,
    }


def mac_of(digits: str | None) -> str | None:
    """Return a MAC address in its usual spelling; None for one that is not made yet."""
    if not digits or not _MAC.fullmatch(digits) or digits == "0" * 12:
        return None
    return ":".join(digits[at : at + 2] for at in range(0, 12, 2)).lower()


def _item(xml: str) -> tuple[str, str] | None:
    """Return name and value of one item: an instance of Msvm_KvpExchangeDataItem as XML, which the guest fills.

    It is read with a pattern: no parser that knows entities or documents sees what a guest wrote.
    """
    found = dict(_PROPERTY.findall(xml[:16384]))
    name, value = found.get("Name"), found.get("Data")
    return None if not name or value is None else (unescape(name), unescape(value).strip("\0 \t\r\n"))


def _addresses(adapters: Iterable[Mapping[str, Any]]) -> tuple[Address, ...]:
    found: dict[tuple[str | None, str], Address] = {}
    for adapter in adapters:
        mac = mac_of(adapter["mac"])
        for told in adapter["addresses"]:
            ip = guest_ip(str(told))
            if ip is not None and len(found) < _MOST:
                found.setdefault((mac, ip), Address(ip=ip, source="agent", mac=mac))
    return tuple(found.values())


def _addresses_told(items: Mapping[str, str]) -> tuple[Address, ...]:
    """Return the addresses that older guests tell without saying of which adapter."""
    told = ";".join((items.get("NetworkAddressIPv4", ""), items.get("NetworkAddressIPv6", ""))).split(";")
    found = dict.fromkeys(filter(None, map(guest_ip, told[:_MOST])))
    return tuple(Address(ip=ip, source="agent") for ip in found)
