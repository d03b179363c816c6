"""MAC and IP addresses as callers write them."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_interface

from hvsdk_simulators.xapi.failure import Failure

_MAC = re.compile(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}")
_MULTICAST = 1


def checked_mac(text: str) -> str:
    """Return the MAC of one station as it was written, or raise MAC_INVALID."""
    if not _MAC.fullmatch(text) or int(text[:2], 16) & _MULTICAST:
        raise Failure("MAC_INVALID", text)
    return text


def checked_address(text: str, parameter: str, *, version: int) -> str:
    """Return an address of an IP version, or raise INVALID_IP_ADDRESS_SPECIFIED with the parameter's name."""
    try:
        IPv4Address(text) if version == 4 else IPv6Address(text)
    except ValueError:
        raise Failure("INVALID_IP_ADDRESS_SPECIFIED", parameter) from None
    return text


def checked_interface(text: str, parameter: str, *, version: int) -> str:
    """Return an address with the length of its prefix, or raise INVALID_CIDR_ADDRESS_SPECIFIED."""
    try:
        known = ip_interface(text).version == version and "/" in text
    except ValueError:
        known = False
    if not known:
        raise Failure("INVALID_CIDR_ADDRESS_SPECIFIED", parameter)
    return text
