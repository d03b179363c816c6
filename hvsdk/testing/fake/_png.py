"""A picture of a screen."""

from __future__ import annotations

import struct
import zlib

from hvsdk.testing.fake._identity import mix, text_seed

__all__ = ["picture"]

_CELL, _COLUMNS, _ROWS = 20, 16, 10


def picture(text: str) -> bytes:
    """Return a PNG of 320 x 200 grey pixels whose pattern follows from a text."""
    seed = text_seed(text, 0)
    rows = []
    for row in range(_ROWS):
        bits = mix(seed + row)
        line = b"".join((b"\xe0" if bits >> column & 1 else b"\x20") * _CELL for column in range(_COLUMNS))
        rows.append((b"\0" + line) * _CELL)
    header = struct.pack(">IIBBBBB", _COLUMNS * _CELL, _ROWS * _CELL, 8, 0, 0, 0, 0)
    chunks = (b"IHDR", header), (b"tEXt", b"Title\0fake://"), (b"IDAT", zlib.compress(b"".join(rows))), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
