"""What VMware Tools told of a guest: addresses, its name, its system.

vSphere keeps the last word of a guest that is off: it counts only while the guest runs and its tools are heard.
"""

from __future__ import annotations

from collections.abc import Iterator
from sys import intern
from typing import Any, Literal

from hvsdk.driver import Address, guest_ip, prefix_length

from hvsdk_vmware._fields import NOTHING, Element, Values, as_number, child, children, text

__all__ = ["GUEST_PATHS", "guest_fields", "tools_state"]

GUEST_PATHS = (
    "guest.net",
    "guest.ipAddress",
    "guest.hostName",
    "guest.guestFullName",
    "guest.toolsRunningStatus",
    "guest.toolsVersionStatus2",
)
_SILENT: dict[str, Any] = {"addresses": (), "guest_hostname": None, "guest_os": None}
_RUNNING = frozenset(("guestToolsRunning", "guestToolsExecutingScripts"))
_MOST = 1000
"""Addresses that are read of one guest, which tells them itself."""


def tools_state(values: Values) -> Literal["running", "stopped", "absent", "unknown"]:
    """Return the state of the tools in the guest; of one that is off nobody knows it."""
    if text(values, "runtime.powerState") != "poweredOn":
        return "unknown"
    told = text(values, "guest.toolsRunningStatus")
    if told in _RUNNING:
        return "running"
    if text(values, "guest.toolsVersionStatus2") == "guestToolsNotInstalled":
        return "absent"
    return "stopped" if told == "guestToolsNotRunning" else "unknown"


def guest_fields(values: Values) -> dict[str, Any]:
    """Return the fields of the group `guest`."""
    state = tools_state(values)
    if state != "running":
        return _SILENT | {"agent": state}
    return {
        "addresses": _addresses(values),
        "guest_hostname": text(values, "guest.hostName") or None,
        "guest_os": intern(text(values, "guest.guestFullName")) or None,
        "agent": state,
    }


def _addresses(values: Values) -> tuple[Address, ...]:
    """Return the addresses of a guest, each once for each adapter."""
    found: dict[tuple[str, str], Address] = {}
    for nic in list(values.get("guest.net", NOTHING))[:_MOST]:
        mac = child(nic, "macAddress").lower() or None
        for told, prefix in _told(nic):
            ip = guest_ip(told)
            if ip is not None and len(found) < _MOST:
                length = prefix_length(ip, prefix)
                found.setdefault((mac or "", ip), Address(ip=ip, source="agent", mac=mac, prefix_length=length))
    main = guest_ip(text(values, "guest.ipAddress"))
    if main is not None and not found:
        return (Address(ip=main, source="agent"),)
    return tuple(found.values())


def _told(nic: Element) -> Iterator[tuple[str, int | None]]:
    configured = children(nic, "ipConfig", "ipAddress")
    for entry in configured:
        yield child(entry, "ipAddress"), as_number(child(entry, "prefixLength"))
    if not configured:
        for plain in children(nic, "ipAddress"):
            yield plain.text or "", None
