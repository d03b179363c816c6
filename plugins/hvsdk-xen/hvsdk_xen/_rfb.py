"""One picture over RFB, the protocol of VNC: versions 3.3 to 3.8, without a password, in the raw encoding.

The tunnel to it has checked who we are, so the hosts ask for none.
"""

from __future__ import annotations

import re
import struct

import attrs
from hvsdk.driver import errors

from hvsdk_xen._tunnel import TimedStream

__all__ = ["Picture", "take_picture"]

_VERSION = re.compile(rb"RFB (\d{3})\.(\d{3})\n")
_NO_PASSWORD = 1
_RAW, _SIZE = 0, -223
_FORMAT = struct.pack(">BBBBHHHBBB3x", 32, 24, 0, 1, 255, 255, 255, 16, 8, 0)
"""Four bytes for each dot: blue, green, red, none."""
_MOST_DOTS = 64 * 2**20
_LONGEST_TEXT = 16 * 2**20
_MOST_MESSAGES = 10_000


@attrs.frozen
class Picture:
    """What a screen shows; three bytes for each dot: red, green, blue."""

    width: int
    height: int
    dots: bytes


def take_picture(stream: TimedStream) -> Picture:
    """Return what the screen at the other end shows.

    Raises:
        OperationFailedError: The other end does not speak RFB, wants a password, or has no picture.
    """
    _shake_hands(stream)
    stream.write(b"\x01")  # others may look on
    width, height = struct.unpack(">HH", stream.read(4))
    stream.read(16)
    _skip_text(stream)
    stream.write(b"\x00\x00\x00\x00" + _FORMAT + struct.pack(">BxHii", 2, 2, _RAW, _SIZE))
    screen = _Screen(width, height)
    stream.write(screen.request())
    for _ in range(_MOST_MESSAGES):
        if _take_message(stream, screen):
            return screen.picture()
    raise errors.OperationFailedError("the screen sends no end of messages, and no whole picture")


def _shake_hands(stream: TimedStream) -> None:
    match = _VERSION.fullmatch(stream.read(12))
    if match is None:
        raise errors.OperationFailedError("what is behind the console does not speak RFB")
    version = int(match[1]), int(match[2])
    ours = b"003.008" if version >= (3, 8) else b"003.007" if version == (3, 7) else b"003.003"
    stream.write(b"RFB " + ours + b"\n")
    if ours == b"003.003":
        (kind,) = struct.unpack(">I", stream.read(4))
        kinds = bytes([kind]) if 0 < kind < 256 else b""
    else:
        kinds = bytes(stream.read(stream.read(1)[0]))
    if not kinds:
        raise errors.OperationFailedError(f"the console refuses a viewer: {_text(stream)!r}")
    if _NO_PASSWORD not in kinds:
        raise errors.OperationFailedError("the console wants a password of its own")
    if ours != b"003.003":
        stream.write(bytes([_NO_PASSWORD]))
    if ours == b"003.008" and any(stream.read(4)):
        raise errors.OperationFailedError(f"the console refuses a viewer: {_text(stream)!r}")


def _text(stream: TimedStream) -> str:
    (length,) = struct.unpack(">I", stream.read(4))
    return bytes(stream.read(min(length, 1000))).decode("utf-8", "replace")


def _skip_text(stream: TimedStream) -> None:
    (length,) = struct.unpack(">I", stream.read(4))
    if length > _LONGEST_TEXT:
        raise errors.OperationFailedError(f"the console announces a text of {length} bytes")
    stream.read(length)


def _take_message(stream: TimedStream, screen: _Screen) -> bool:
    """Take one message of the server's, and return whether the picture is whole now."""
    kind = stream.read(1)[0]
    if kind == 0:
        (count,) = struct.unpack(">xH", stream.read(3))
        for _ in range(count):
            screen.take(stream)
        if screen.resized:
            screen.resized = False
            stream.write(screen.request())
        return screen.is_whole
    if kind == 1:
        (count,) = struct.unpack(">3xH", stream.read(5))
        stream.read(6 * count)
    elif kind == 3:
        stream.read(3)
        _skip_text(stream)
    elif kind != 2:
        raise errors.OperationFailedError(f"the console sends a message of kind {kind}, which nobody asked for")
    return False


class _Screen:
    """The picture as far as it has come."""

    def __init__(self, width: int, height: int) -> None:
        self.resized = False
        self._resize(width, height)

    def _resize(self, width: int, height: int) -> None:
        if not 0 < width * height <= _MOST_DOTS:
            raise errors.OperationFailedError(
                f"the screen has {width} x {height} dots, of which no picture can be made"
            )
        self._width, self._height = width, height
        self._dots = bytearray(4 * width * height)
        self._missing = width * height

    @property
    def is_whole(self) -> bool:
        return self._missing <= 0

    def request(self) -> bytes:
        """Return the message that asks for all of it."""
        return struct.pack(">BBHHHH", 3, 0, 0, 0, self._width, self._height)

    def take(self, stream: TimedStream) -> None:
        """Take one rectangle."""
        left, top, width, height, encoding = struct.unpack(">HHHHi", stream.read(12))
        if encoding == _SIZE:
            self._resize(width, height)
            self.resized = True
            return
        if encoding != _RAW or left + width > self._width or top + height > self._height:
            raise errors.OperationFailedError("the console sends a picture that nobody asked for")
        data, row = stream.read(4 * width * height), 4 * width
        for line in range(height):
            start = 4 * ((top + line) * self._width + left)
            self._dots[start : start + row] = data[line * row : (line + 1) * row]
        self._missing -= width * height

    def picture(self) -> Picture:
        dots = bytearray(3 * self._width * self._height)
        for colour in range(3):
            dots[colour::3] = self._dots[2 - colour :: 4]
        return Picture(self._width, self._height, bytes(dots))
