"""Pictures are read as they were drawn."""

from __future__ import annotations

import struct
import zlib

import pytest

from hvsdk_testbed.screenshot import read_screenshot

PIXELS = bytes([0, 0, 0, 10, 20, 30, 40, 50, 60, 200, 100, 0])


def png(kinds: list[int], lines: list[bytes]) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    packed = zlib.compress(b"".join(bytes([kind]) + line for kind, line in zip(kinds, lines, strict=True)))
    header = struct.pack(">IIBBBBB", 2, 2, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def test_a_ppm_is_read() -> None:
    screen = read_screenshot(b"P6\n2 2\n255\n" + PIXELS)
    assert (screen.width, screen.height, screen.pixels) == (2, 2, PIXELS)


def test_a_ppm_whose_first_pixels_look_like_blanks_is_read() -> None:
    assert read_screenshot(b"P6\n2 2\n255\n" + b"\n" * 12).pixels == b"\n" * 12


@pytest.mark.parametrize("kind", [0, 1, 2, 3, 4])
def test_a_png_is_read_with_every_filter(kind: int) -> None:
    first, second = PIXELS[:6], PIXELS[6:]
    guesses = {
        0: [0] * 6,
        1: [0, 0, 0, *second[:3]],
        2: list(first),
        3: [first[i] // 2 for i in range(3)] + [(second[i] + first[i + 3]) // 2 for i in range(3)],
        4: [*first[:3]] + [_paeth(second[i], first[i + 3], first[i]) for i in range(3)],
    }
    line = bytes((value - guess) & 0xFF for value, guess in zip(second, guesses[kind], strict=True))
    assert read_screenshot(png([0, kind], [first, line])).pixels == PIXELS


def test_rows_are_asked_for_blackness_one_by_one() -> None:
    screen = read_screenshot(b"P6\n2 2\n255\n" + bytes(6) + PIXELS[6:])
    assert screen.is_black(0, 1)
    assert not screen.is_black(1)


def test_half_a_picture_is_refused() -> None:
    with pytest.raises(ValueError, match="too early"):
        read_screenshot(png([0, 0], [PIXELS[:6], PIXELS[6:]])[:-12])


def test_another_kind_of_file_is_refused() -> None:
    with pytest.raises(ValueError, match="neither"):
        read_screenshot(b"GIF89a")


def _paeth(left: int, up: int, corner: int) -> int:
    p = left + up - corner
    distances = [(abs(p - left), 0, left), (abs(p - up), 1, up), (abs(p - corner), 2, corner)]
    return min(distances)[2]
