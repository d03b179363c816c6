"""Screenshots: the host's pictures are RGB565, and are made into PNG here."""

from __future__ import annotations

import base64
import binascii
import struct
import zlib
from collections.abc import Mapping
from typing import Any

from hvsdk.driver import Deadline, errors

from hvsdk_hyperv._session import HyperVSession

__all__ = ["ScreenshotReads", "pixels_of", "png_of"]

_LARGEST = 4096
_GZIP = 16 + zlib.MAX_WBITS
_RED = bytes((high & 0xF8) | high >> 5 for high in range(256))
_BLUE = bytes((low & 0x1F) << 3 | (low & 0x1F) >> 2 for low in range(256))
_GREEN_HIGH = bytes((high & 0x07) << 5 | (high & 0x07) >> 1 for high in range(256))
_GREEN_LOW = bytes((low >> 5) << 2 for low in range(256))
"""Of a pixel's two bytes the higher has red and half of green, the lower the other half and blue."""


class ScreenshotReads(HyperVSession):
    """`screenshot`."""

    def screenshot(self, native_id: str, *, deadline: Deadline) -> bytes:
        """Return what is on the screen.

        Raises:
            PowerStateError: It does not run.
        """
        answer = self.call("screenshot.take", {"id": native_id}, deadline=deadline)
        return png_of(pixels_of(answer), answer["width"], answer["height"])


def pixels_of(answer: Mapping[str, Any]) -> bytes:
    """Return the bytes of the picture in an answer, exactly as many as it has pixels for.

    Raises:
        OperationFailedError: It is none.
    """
    width, height = answer["width"], answer["height"]
    if not (0 < width <= _LARGEST and 0 < height <= _LARGEST):
        raise errors.OperationFailedError(f"the host's picture is said to have {width} x {height} pixels")
    size = width * height * 2
    try:
        pixels = zlib.decompressobj(_GZIP).decompress(base64.b64decode(answer["image"], validate=True), size + 1)
    except (binascii.Error, zlib.error) as exc:
        raise errors.OperationFailedError("the host's picture cannot be read") from exc
    if len(pixels) != size:
        raise errors.OperationFailedError(f"the host's picture is not the {width} x {height} pixels it was asked for")
    return pixels


def png_of(pixels: bytes, width: int, height: int) -> bytes:
    """Return a picture of RGB565, the lower byte of each pixel first, as PNG."""
    low, high = pixels[0::2], pixels[1::2]
    rgb = bytearray(3 * width * height)
    rgb[0::3] = high.translate(_RED)
    rgb[1::3] = _either(high.translate(_GREEN_HIGH), low.translate(_GREEN_LOW))
    rgb[2::3] = low.translate(_BLUE)
    line = 3 * width
    lines = b"".join(b"\0" + rgb[start : start + line] for start in range(0, len(rgb), line))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(lines, 6)) + _chunk(b"IEND", b"")
    )


def _either(one: bytes, other: bytes) -> bytes:
    """Return the bits of both, byte by byte: as two large numbers, which takes no time."""
    return (int.from_bytes(one, "big") | int.from_bytes(other, "big")).to_bytes(len(one), "big")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
