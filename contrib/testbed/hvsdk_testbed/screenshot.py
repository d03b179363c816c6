"""The pixels of a screenshot, to see whether a guest shows something."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass


@dataclass(frozen=True)
class Screen:
    """A picture: three bytes a pixel, row after row from the top."""

    width: int
    height: int
    pixels: bytes

    def is_black(self, top: int = 0, bottom: int | None = None) -> bool:
        """Return whether all pixels of the rows from `top` up to but not including `bottom` are black."""
        end = self.height if bottom is None else bottom
        return not any(self.pixels[top * self.width * 3 : end * self.width * 3])


def read_screenshot(data: bytes) -> Screen:
    """Read a PPM (`P6`) or a PNG with 8 bits a colour, the two kinds that QEMU makes.

    Raises:
        ValueError: It is another kind of file, or half of one.
    """
    if data.startswith(b"P6"):
        return _read_ppm(data)
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return _read_png(data)
    raise ValueError(f"a screenshot that starts with {data[:8]!r} is neither PPM nor PNG")


def _read_ppm(data: bytes) -> Screen:
    words = data.split(maxsplit=4)[:4]
    width, height, depth = (int(word) for word in words[1:])
    pixels = data[-width * height * 3 :]
    if depth != 255 or len(pixels) != width * height * 3:
        raise ValueError(f"a PPM of {width} x {height} with depth {depth} and {len(data)} bytes in all")
    return Screen(width, height, pixels)


def _read_png(data: bytes) -> Screen:
    chunks: dict[bytes, bytes] = {}
    at = 8
    while at + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        chunks[kind] = chunks.get(kind, b"") + data[at + 8 : at + 8 + length]
        at += 12 + length
    if b"IEND" not in chunks:
        raise ValueError("the PNG ends too early")
    width, height, depth, colours, _, _, interlaced = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    channels = {0: 1, 2: 3, 6: 4}.get(colours)
    if depth != 8 or channels is None or interlaced:
        raise ValueError(f"a PNG with depth {depth} and colour type {colours} is not what QEMU makes")
    lines = zlib.decompress(chunks[b"IDAT"])
    stride = width * channels
    above = bytes(stride)
    rows = []
    for row in range(height):
        start = row * (stride + 1)
        above = _unfiltered(lines[start], lines[start + 1 : start + 1 + stride], above, channels)
        rows.append(_as_rgb(above, channels))
    return Screen(width, height, b"".join(rows))


def _unfiltered(kind: int, line: bytes, above: bytes, channels: int) -> bytes:
    if kind == 0:
        return line
    out = bytearray(line)
    for index, value in enumerate(line):
        left = out[index - channels] if index >= channels else 0
        corner = above[index - channels] if index >= channels else 0
        up = above[index]
        guess = (left, up, (left + up) // 2, _paeth(left, up, corner))[kind - 1]
        out[index] = (value + guess) & 0xFF
    return bytes(out)


def _paeth(left: int, up: int, corner: int) -> int:
    estimate = left + up - corner
    return min((left, up, corner), key=lambda value: abs(estimate - value))


def _as_rgb(line: bytes, channels: int) -> bytes:
    if channels == 3:
        return line
    rgb = bytearray(len(line) // channels * 3)
    for colour in range(3):
        rgb[colour::3] = line[min(colour, channels - 1) :: channels] if channels == 4 else line
    return bytes(rgb)
