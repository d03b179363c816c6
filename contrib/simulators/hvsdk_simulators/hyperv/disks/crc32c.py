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
    """Return the checksum of bytes."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF
