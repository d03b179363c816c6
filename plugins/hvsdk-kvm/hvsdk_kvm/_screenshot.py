"""Screenshots, always as PNG: QEMU hands out PNG or PPM."""

from __future__ import annotations

import re
import struct
import zlib

from hvsdk.driver import Deadline, errors

from hvsdk_kvm._session import Session

__all__ = ["ScreenshotReads", "png_of"]

_PNG = b"\x89PNG\r\n\x1a\n"
_PPM = re.compile(rb"P6\s+(?:#[^\n]*\n\s*)*(\d{1,5})\s+(\d{1,5})\s+255\s")
_CHUNK = 256 * 1024
_MOST = 256 * 2**20
"""Bytes of a picture: 8K in PPM is 95 MiB."""


class ScreenshotReads(Session):
    """`screenshot`."""

    def screenshot(self, native_id: str, *, deadline: Deadline) -> bytes:
        domain = self.find(native_id)
        if not domain.isActive():  # the test driver has a picture of it all the same
            raise errors.PowerStateError(
                f"domain {domain.name()!r} has no screen while it is off", hint="start it first"
            )
        stream = self.connection.newStream()
        try:
            domain.screenshot(stream, 0)
            picture = bytearray()
            while data := stream.recv(_CHUNK):
                picture += data
                if len(picture) > _MOST or deadline.expired:
                    raise errors.OperationFailedError("the picture does not end; it was given up")
        except BaseException:
            stream.abort()
            raise
        stream.finish()
        return png_of(bytes(picture))


def png_of(picture: bytes) -> bytes:
    """Return a PNG or PPM picture as PNG.

    Raises:
        OperationFailedError: It is neither.
    """
    if picture.startswith(_PNG):
        return picture
    match = _PPM.match(picture)
    if match is None:
        raise errors.OperationFailedError(f"the screenshot is neither PNG nor PPM; it begins with {picture[:8]!r}")
    width, height = int(match[1]), int(match[2])
    row = width * 3
    pixels = picture[match.end() :]
    if not row or not height or len(pixels) < row * height:
        raise errors.OperationFailedError(f"the screenshot of {width} x {height} pixels is not complete")
    lines = b"".join(b"\0" + pixels[start : start + row] for start in range(0, row * height, row))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return _PNG + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(lines, 6)) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
