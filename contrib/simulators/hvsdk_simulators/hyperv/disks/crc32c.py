"""CRC-32C (Castagnoli), which VHDX files carry."""

from __future__ import annotations

from functools import lru_cache

__all__ = ["crc32c"]


def _table() -> list[int]:
    table = []
    for number in range(256):
        for _ in range(8):
            number = number >> 1 ^ (0x82F63B78 if number & 1 else 0)
        table.append(number)
    return table


_TABLE = _table()


@lru_cache(maxsize=8)
def crc32c(data: bytes) -> int:
    """Return the checksum of bytes. Zeros at the end, of which tables mostly consist, cost next to nothing."""
    crc = 0xFFFFFFFF
    told = data.rstrip(b"\0")
    for byte in told:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    zeros, power = len(data) - len(told), 0
    while zeros:
        if zeros & 1:
            crc = _apply(_zeros(power), crc)
        zeros, power = zeros >> 1, power + 1
    return crc ^ 0xFFFFFFFF


@lru_cache
def _zeros(power: int) -> tuple[int, ...]:
    """Return what each bit of a checksum becomes by 2 to the `power` bytes of zero."""
    if power == 0:
        return tuple(1 << bit >> 8 ^ _TABLE[1 << bit & 0xFF] for bit in range(32))
    half = _zeros(power - 1)
    return tuple(_apply(half, one) for one in half)


def _apply(columns: tuple[int, ...], crc: int) -> int:
    found = 0
    for bit, column in enumerate(columns):
        if crc >> bit & 1:
            found ^= column
    return found
