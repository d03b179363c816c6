"""IP addresses as guests tell them: in many spellings, and some that say nothing."""

from __future__ import annotations

from functools import lru_cache

__all__ = ["guest_ip", "prefix_length"]

_LONGEST = 100
"""Characters of an address with its zone and some blanks; a guest may tell anything, which is not to be remembered."""


def guest_ip(told: str) -> str | None:
    """Return an address in its usual spelling and without its zone, for `Address.ip`.

    None for what is no address, and for those that lead nowhere: loopback (`127.0.0.1`), unspecified (`0.0.0.0`).
    """
    return _spelt(told) if len(told) <= _LONGEST else None


@lru_cache(maxsize=4096)
def _spelt(told: str) -> str | None:
    from ipaddress import ip_address

    try:
        ip = ip_address(told.strip().partition("%")[0])
    except ValueError:
        return None
    return None if ip.is_loopback or ip.is_unspecified else str(ip)


def prefix_length(ip: str, told: object) -> int | None:
    """Return how many bits of an address name its network, or None where what was told cannot be that."""
    if isinstance(told, str):
        told = int(told) if len(told) <= 3 and told.isascii() and told.isdecimal() else None
    most = 128 if ":" in ip else 32
    return told if isinstance(told, int) and 0 < told <= most else None
