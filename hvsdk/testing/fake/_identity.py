"""Names, numbers and UUIDs that follow from a seed alone.

Arithmetic instead of the `random` module: it is cheaper to import, the same on every Python, and any domain's facts can
be had without making those before it.
"""

from __future__ import annotations

__all__ = ["ROLES", "domain_name", "mac_address", "mix", "text_seed", "uuid_text"]

ROLES = ("web", "db", "app", "cache", "build", "mail", "proxy", "auth", "queue", "files")
_MASK = (1 << 64) - 1


def mix(value: int) -> int:
    """Return 64 well-mixed bits for a number (the finaliser of SplitMix64)."""
    value = (value + 0x9E3779B97F4A7C15) & _MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
    return value ^ (value >> 31)


def text_seed(text: str, seed: int) -> int:
    """Return a seed made of a text and a number."""
    value = mix(seed & _MASK)
    for byte in text.encode():
        value = ((value ^ byte) * 0x100000001B3) & _MASK
    return value


def uuid_text(high: int, low: int) -> str:
    """Return a random-looking (version 4) UUID of two 64-bit numbers."""
    return (
        f"{high >> 32:08x}-{high >> 16 & 0xFFFF:04x}-4{high & 0xFFF:03x}"
        f"-{0x8000 | (low >> 48 & 0x3FFF):04x}-{low & 0xFFFFFFFFFFFF:012x}"
    )


def mac_address(bits: int) -> str:
    """Return a unicast MAC address in the locally administered range."""
    text = f"{bits & 0xFFFFFFFF:08x}"
    return f"52:54:{text[0:2]}:{text[2:4]}:{text[4:6]}:{text[6:8]}"


def domain_name(index: int) -> str:
    """Return the name of the seeded domain of that index: `web-1`, `db-1`, …, `web-2`, …"""
    return f"{ROLES[index % len(ROLES)]}-{index // len(ROLES) + 1}"
