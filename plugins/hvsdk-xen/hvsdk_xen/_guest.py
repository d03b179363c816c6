"""What the tools in a guest told: addresses, names, its system, and the state of its PV drivers.

XAPI keeps the last word of a guest that is off, or whose tools have gone silent: it counts only while the guest runs and its
tools are heard.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from sys import intern
from typing import Any, Literal

from hvsdk.driver import Address, guest_ip, prefix_length

from hvsdk_xen._fields import Record, Related, entry, mapping, text

__all__ = ["GUEST_FIELDS", "addresses_of", "drivers_detected", "drivers_state", "drivers_version", "guest_fields"]

GUEST_FIELDS = ("addresses", "guest_hostname", "guest_os", "agent")
_SILENT: dict[str, Any] = {"addresses": (), "guest_hostname": None, "guest_os": None}
_ADDRESS = re.compile(r"(\d{1,4})/(?:ip|ipv[46]/\d{1,4})", re.ASCII)
_VERSION = ("major", "minor", "micro", "build")
_MOST = 1000
"""Addresses that are read of one guest, which writes them itself."""


def guest_fields(vm: Record, related: Related) -> dict[str, Any]:
    """Return the fields of the group `guest`."""
    running = text(vm, "power_state") == "Running"
    metrics = related.of("vm_guest_metrics", vm, "guest_metrics")
    if not running:
        return _SILENT | {"agent": "unknown"}
    if not metrics:
        return _SILENT | {"agent": "absent"}
    if metrics.get("live") is False:
        return _SILENT | {"agent": "stopped"}
    macs = {text(vif, "device"): text(vif, "MAC").lower() for vif in related.all_of("vif", vm, "VIFs")}
    return {
        "addresses": addresses_of(mapping(metrics, "networks"), macs),
        "guest_hostname": _hostname(metrics),
        "guest_os": _system(metrics),
        "agent": _agent(metrics),
    }


def _agent(metrics: Record) -> Literal["running", "unknown"]:
    return "running" if metrics.get("PV_drivers_version") or metrics.get("os_version") else "unknown"


def addresses_of(networks: Mapping[str, str], macs: Mapping[str, str]) -> tuple[Address, ...]:
    """Return the addresses of a guest, each once.

    Args:
        networks: Addresses by where they are: `0/ip`, `0/ipv4/0`, `0/ipv6/1`, which begin with the adapter's number.
        macs: MACs by the adapter's number.
    """
    found: dict[tuple[str, str], Address] = {}
    for place, told in list(networks.items())[:_MOST]:
        match = _ADDRESS.fullmatch(place)
        if match is None:
            continue
        plain, _, prefix = told.partition("/")
        ip = guest_ip(plain)
        if ip is not None and (match[1], ip) not in found:
            mac, length = macs.get(match[1]) or None, prefix_length(ip, prefix)
            found[match[1], ip] = Address(ip=ip, source="agent", mac=mac, prefix_length=length)
    return tuple(found[key] for key in sorted(found, key=lambda key: (len(key[0]), key[0])))


def _hostname(metrics: Record) -> str | None:
    return entry(metrics, "netbios_name", "host_name") or entry(metrics, "other", "data-hostname") or None


def _system(metrics: Record) -> str | None:
    """Return the system's name; that of Windows goes on with the paths that it was installed to."""
    told = entry(metrics, "os_version", "name") or entry(metrics, "os_version", "distro")
    return intern(told.partition("|")[0].strip()) or None


def drivers_detected(metrics: Record) -> bool:
    """Whether one of the guest's devices is connected through a PV driver."""
    for field in ("PV_drivers_detected", "PV_drivers_up_to_date"):  # the latter stood for it before API 2.5
        if isinstance(metrics.get(field), bool):
            return bool(metrics[field]) or (field == "PV_drivers_up_to_date" and bool(drivers_version(metrics)))
    return bool(drivers_version(metrics))


def drivers_version(metrics: Record) -> str | None:
    """Return the version of the PV drivers, such as `9.3.2-58`."""
    major, minor, micro, build = (entry(metrics, "PV_drivers_version", part) for part in _VERSION)
    numbers = [number for number in (major, minor, micro) if number]
    if not numbers:
        return None
    return intern(".".join(numbers) + (f"-{build}" if build else ""))


def drivers_state(vm: Record, metrics: Record) -> Literal["current", "outdated", "absent"] | None:
    """Return the state of the PV drivers, `None` where it cannot be seen: the guest is off, or has not said anything."""
    if text(vm, "power_state") not in ("Running", "Paused"):
        return None
    if not metrics or not drivers_detected(metrics):
        return "absent"
    return "outdated" if metrics.get("PV_drivers_up_to_date") is False else "current"
