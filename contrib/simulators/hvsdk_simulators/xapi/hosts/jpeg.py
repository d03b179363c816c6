"""A baseline JPEG of a picture in grey, as much of the format as a screenshot needs.

The Huffman tables travel in the file, so the plainest do: every code of a table has the same length.
"""

from __future__ import annotations

import math
import struct
from functools import lru_cache

_QUANTUM = 4
"""Every coefficient is a multiple of this: fine enough for letters."""

_AC_SYMBOLS = [0x00, 0xF0] + [run << 4 | size for run in range(16) for size in range(1, 11)]
_AC_CODES = {symbol: code for code, symbol in enumerate(_AC_SYMBOLS)}
_DC_BITS, _AC_BITS = 4, 8

_ZIGZAG = sorted(
    ((x, y) for y in range(8) for x in range(8)),
    key=lambda at: (sum(at), at[1] if sum(at) % 2 else at[0]),
)
_COSINES = [
    [(math.sqrt(0.125) if u == 0 else 0.5) * math.cos((2 * x + 1) * u * math.pi / 16) for x in range(8)]
    for u in range(8)
]


def encode(picture: bytes, width: int, height: int) -> bytes:
    """Encode one byte of brightness per dot; both sides must be multiples of eight."""
    if width % 8 or height % 8 or len(picture) != width * height:
        raise ValueError(f"not a picture of {width} by {height} dots in blocks of eight")
    bits = _Bits()
    before = 0
    for top in range(0, height, 8):
        for left in range(0, width, 8):
            block = b"".join(picture[(top + y) * width + left : (top + y) * width + left + 8] for y in range(8))
            coefficients = _coefficients(block)
            _put_block(bits, coefficients, before)
            before = coefficients[0]
    return _head(width, height) + bits.finish() + b"\xff\xd9"


def _head(width: int, height: int) -> bytes:
    dc = bytes([0] * (_DC_BITS - 1) + [12] + [0] * (16 - _DC_BITS)) + bytes(range(12))
    ac = bytes([0] * (_AC_BITS - 1) + [len(_AC_SYMBOLS)] + [0] * (16 - _AC_BITS)) + bytes(_AC_SYMBOLS)
    return b"\xff\xd8" + b"".join(
        b"\xff" + bytes([marker]) + struct.pack(">H", len(body) + 2) + body
        for marker, body in (
            (0xE0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0"),
            (0xDB, b"\0" + bytes([_QUANTUM] * 64)),
            (0xC0, struct.pack(">BHHB", 8, height, width, 1) + b"\x01\x11\0"),
            (0xC4, b"\0" + dc),
            (0xC4, b"\x10" + ac),
            (0xDA, b"\x01\x01\0\0\x3f\0"),
        )
    )


@lru_cache(maxsize=4096)
def _coefficients(block: bytes) -> tuple[int, ...]:
    levels = [[block[y * 8 + x] - 128 for x in range(8)] for y in range(8)]
    across = [[sum(cosines[x] * row[x] for x in range(8)) for cosines in _COSINES] for row in levels]
    return tuple(round(sum(_COSINES[v][y] * across[y][u] for y in range(8)) / _QUANTUM) for u, v in _ZIGZAG)


def _put_block(bits: _Bits, coefficients: tuple[int, ...], before: int) -> None:
    difference = coefficients[0] - before
    size = abs(difference).bit_length()
    bits.put(size, _DC_BITS)
    bits.put_amount(difference, size)
    run = 0
    for value in coefficients[1:]:
        if value == 0:
            run += 1
            continue
        while run > 15:
            bits.put(_AC_CODES[0xF0], _AC_BITS)
            run -= 16
        size = abs(value).bit_length()
        bits.put(_AC_CODES[run << 4 | size], _AC_BITS)
        bits.put_amount(value, size)
        run = 0
    if run:
        bits.put(_AC_CODES[0x00], _AC_BITS)


class _Bits:
    def __init__(self) -> None:
        self._done = bytearray()
        self._held = 0
        self._count = 0

    def put(self, value: int, count: int) -> None:
        self._held = self._held << count | value
        self._count += count
        while self._count >= 8:
            self._count -= 8
            byte = self._held >> self._count & 0xFF
            self._done += bytes([byte, 0]) if byte == 0xFF else bytes([byte])
            self._held &= (1 << self._count) - 1

    def put_amount(self, value: int, size: int) -> None:
        if size:
            self.put(value if value > 0 else value + (1 << size) - 1, size)

    def finish(self) -> bytes:
        if self._count:
            spare = 8 - self._count
            self.put((1 << spare) - 1, spare)
        return bytes(self._done)
