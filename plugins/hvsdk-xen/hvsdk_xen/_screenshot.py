"""Screenshots: a look at the console as a viewer has it. What `/vncsnapshot` hands out is JPEG, which has lost something."""

from __future__ import annotations

import struct
import zlib

from hvsdk.driver import Deadline, errors

from hvsdk_xen._console import ConsoleReads
from hvsdk_xen._rfb import Picture, take_picture
from hvsdk_xen._tunnel import TimedStream

__all__ = ["ScreenshotReads", "png_of"]


class ScreenshotReads(ConsoleReads):
    """`screenshot`."""

    def screenshot(self, native_id: str, *, deadline: Deadline) -> bytes:
        place = self.find_console(native_id, deadline)
        if place.protocol != "rfb":
            raise errors.UnsupportedError(
                "the domain has a serial line, and no screen to take a picture of", capability="screenshot"
            )
        with self.connect_console(place, deadline) as sock:
            return png_of(take_picture(TimedStream(sock, deadline)))


def png_of(picture: Picture) -> bytes:
    """Return a picture as PNG."""
    row = 3 * picture.width
    lines = b"".join(b"\0" + picture.dots[start : start + row] for start in range(0, row * picture.height, row))
    header = struct.pack(">IIBBBBB", picture.width, picture.height, 8, 2, 0, 0, 0)
    chunks = (b"IHDR", header), (b"IDAT", zlib.compress(lines, 6)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
