"""The server's side of RFB 3.8 on a socket: one picture in grey, no password, keys and pointer ignored.

A viewer gets the raw encoding in whatever true-colour format it asks for.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable
from typing import Protocol

from attrs import frozen

VERSION = b"RFB 003.008\n"
_NO_SECURITY = 1
_LARGEST_TEXT = 1 << 20
_PAUSE = 0.1
"""Seconds before a viewer that asks for changes is told that there are none."""


class Stream(Protocol):
    """What is needed of a socket."""

    def recv(self, size: int, /) -> bytes:
        """Receive up to so many bytes; none at the end."""

    def sendall(self, data: bytes, /) -> None:
        """Send bytes."""


@frozen
class PixelFormat:
    """How a viewer wants its dots, in the order of the protocol."""

    bits: int = 32
    depth: int = 24
    big_endian: int = 0
    true_colour: int = 1
    red_max: int = 255
    green_max: int = 255
    blue_max: int = 255
    red_shift: int = 16
    green_shift: int = 8
    blue_shift: int = 0

    LAYOUT = struct.Struct(">BBBBHHHBBB3x")

    def pack(self) -> bytes:
        """The format as the protocol sends it."""
        return self.LAYOUT.pack(
            self.bits, self.depth, self.big_endian, self.true_colour, self.red_max, self.green_max, self.blue_max,
            self.red_shift, self.green_shift, self.blue_shift,
        )  # fmt: skip

    def dot(self, brightness: int) -> bytes:
        """One dot of a brightness."""
        value = sum(
            brightness * most // 255 << shift
            for most, shift in (
                (self.red_max, self.red_shift),
                (self.green_max, self.green_shift),
                (self.blue_max, self.blue_shift),
            )
        )
        return value.to_bytes(self.bits // 8, "big" if self.big_endian else "little")


class Viewer:
    """One connected viewer; `serve` returns when it has gone or said something that is not RFB.

    Args:
        stream: The connection, past any HTTP.
        name: The desktop's name, which viewers put into their title.
        size: Width and height of the picture.
        picture: Gives the picture of this moment, one byte of brightness per dot.
    """

    def __init__(self, stream: Stream, name: str, size: tuple[int, int], picture: Callable[[], bytes]) -> None:
        self._stream = stream
        self._name = name.encode()
        self._size = size
        self._picture = picture
        self._format = PixelFormat()
        self._shown = b""

    def serve(self) -> None:
        """Answer the viewer until it is gone."""
        try:
            if self._shake_hands():
                while self._answer_message():
                    pass
        except (EOFError, OSError):
            return

    def _shake_hands(self) -> bool:
        self._stream.sendall(VERSION)
        version = self._receive(12)
        if version not in (VERSION, b"RFB 003.007\n"):
            return False
        self._stream.sendall(bytes([1, _NO_SECURITY]))
        if self._receive(1)[0] != _NO_SECURITY:
            return False
        if version == VERSION:
            self._stream.sendall(struct.pack(">I", 0))
        self._receive(1)
        width, height = self._size
        self._stream.sendall(
            struct.pack(">HH", width, height) + self._format.pack() + struct.pack(">I", len(self._name)) + self._name
        )
        return True

    def _answer_message(self) -> bool:
        kind = self._receive(1)[0]
        if kind == 0:
            self._receive(3)
            self._format = PixelFormat(*PixelFormat.LAYOUT.unpack(self._receive(16)))
            return self._format.bits in (8, 16, 32) and bool(self._format.true_colour)
        if kind == 2:
            (count,) = struct.unpack(">xH", self._receive(3))
            self._receive(4 * count)
        elif kind == 3:
            self._update(*struct.unpack(">BHHHH", self._receive(9)))
        elif kind in (4, 5):
            self._receive(7 if kind == 4 else 5)
        elif kind == 6:
            (length,) = struct.unpack(">3xI", self._receive(7))
            if length > _LARGEST_TEXT:
                return False
            self._receive(length)
        else:
            return False
        return True

    def _update(self, incremental: int, left: int, top: int, width: int, height: int) -> None:
        picture = self._picture()
        if incremental and picture == self._shown:
            time.sleep(_PAUSE)
            self._stream.sendall(struct.pack(">BxH", 0, 0))
            return
        self._shown = picture
        whole_width, whole_height = self._size
        left, top = min(left, whole_width), min(top, whole_height)
        width, height = min(width, whole_width - left), min(height, whole_height - top)
        dots = {brightness: self._format.dot(brightness) for brightness in set(picture)}
        rows = (picture[(top + y) * whole_width + left :][:width] for y in range(height))
        body = b"".join(dots[brightness] for row in rows for brightness in row)
        self._stream.sendall(struct.pack(">BxHHHHHi", 0, 1, left, top, width, height, 0) + body)

    def _receive(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = self._stream.recv(size - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data
