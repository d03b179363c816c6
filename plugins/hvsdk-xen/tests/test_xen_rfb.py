"""Pictures over RFB, and tunnels, against a server that speaks to a script."""

from __future__ import annotations

import socket
import struct
import threading
import zlib
from collections.abc import Iterator

import pytest
from hvsdk.driver import Deadline, errors

from hvsdk_xen._rfb import Picture, take_picture
from hvsdk_xen._screenshot import png_of
from hvsdk_xen._tunnel import TimedStream, open_tunnel

FORMAT = struct.pack(">BBBBHHHBBB3x", 32, 24, 0, 1, 255, 255, 255, 16, 8, 0)
RED, BLUE = b"\x00\x00\xff\x00", b"\xff\x00\x00\x00"


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def say(sock: socket.socket, said: bytes) -> None:
    """Say something and nothing more, while what the other end says is taken."""

    def talk() -> None:
        try:
            sock.sendall(said)
            sock.shutdown(socket.SHUT_WR)
            while sock.recv(4096):
                pass
        except OSError:
            pass

    threading.Thread(target=talk, daemon=True).start()


def picture(ends: tuple[socket.socket, socket.socket], said: bytes, seconds: float = 5.0) -> Picture:
    ours, theirs = ends
    say(theirs, said)
    return take_picture(TimedStream(ours, Deadline(seconds)))


def start(width: int, height: int, version: bytes = b"RFB 003.008\n") -> bytes:
    security = {b"003.003": struct.pack(">I", 1), b"003.007": b"\x02\x02\x01"}.get(
        version[4:11], b"\x01\x01" + bytes(4)
    )
    return version + security + struct.pack(">HH", width, height) + FORMAT + struct.pack(">I", 4) + b"name"


def update(*rectangles: tuple[int, int, int, int, int, bytes]) -> bytes:
    parts = (struct.pack(">HHHHi", *rectangle[:5]) + rectangle[5] for rectangle in rectangles)
    return struct.pack(">BxH", 0, len(rectangles)) + b"".join(parts)


@pytest.mark.parametrize("version", [b"RFB 003.003\n", b"RFB 003.007\n", b"RFB 003.008\n", b"RFB 004.001\n"])
def test_all_versions_give_a_picture(ends: tuple[socket.socket, socket.socket], version: bytes) -> None:
    found = picture(ends, start(2, 1, version) + update((0, 0, 2, 1, 0, RED + BLUE)))
    assert found == Picture(2, 1, b"\xff\x00\x00\x00\x00\xff")


def test_a_picture_may_come_in_pieces_between_other_messages(ends: tuple[socket.socket, socket.socket]) -> None:
    bell, colours = b"\x02", struct.pack(">BxHH", 1, 0, 1) + bytes(6)
    clipboard = struct.pack(">B3xI", 3, 5) + b"hello"
    said = start(1, 2) + bell + update((0, 1, 1, 1, 0, BLUE)) + colours + clipboard + update((0, 0, 1, 1, 0, RED))
    assert picture(ends, said).dots == b"\xff\x00\x00" + b"\x00\x00\xff"


def test_a_screen_that_changes_its_size_is_asked_again(ends: tuple[socket.socket, socket.socket]) -> None:
    said = start(4, 4) + update((0, 0, 1, 1, -223, b"")) + update((0, 0, 1, 1, 0, RED))
    assert picture(ends, said) == Picture(1, 1, b"\xff\x00\x00")


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 500\r\n",
        b"RFB 003.008\n\x00" + struct.pack(">I", 3) + b"no!",
        b"RFB 003.003\n" + struct.pack(">II", 0, 3) + b"no!",
        b"RFB 003.008\n\x01\x02",
        b"RFB 003.008\n\x01\x01" + struct.pack(">II", 1, 3) + b"no!",
        start(0, 0),
        start(65535, 65535),
        start(1, 1)[:-8] + struct.pack(">I", 1 << 31),
        start(1, 1) + update((0, 0, 2, 1, 0, RED + RED)),
        start(1, 1) + update((0, 0, 1, 1, 5, b"")),
        start(1, 1) + b"\xff",
        start(1, 1) + struct.pack(">B3xI", 3, 1 << 31),
        start(1, 1) + b"\x02" * 20_000,
        start(9, 9) + update((0, 0, 1, 1, 0, RED)),
        b"",
    ],
)
def test_what_is_no_picture_is_refused_in_words(ends: tuple[socket.socket, socket.socket], said: bytes) -> None:
    with pytest.raises(errors.OperationFailedError):
        picture(ends, said)


def test_a_silent_console_costs_the_time_that_was_given(ends: tuple[socket.socket, socket.socket]) -> None:
    with pytest.raises(TimeoutError):
        take_picture(TimedStream(ends[0], Deadline(0.2)))


def test_png_holds_the_dots() -> None:
    dots = bytes(range(18))
    png = png_of(Picture(3, 2, dots))
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", png[16:24]) == (3, 2)
    size = struct.unpack(">I", png[33:37])[0]
    assert zlib.decompress(png[41 : 41 + size]) == b"\0" + dots[:9] + b"\0" + dots[9:]


def test_a_tunnel_takes_no_byte_of_what_follows(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    say(theirs, b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nRFB 003.008\n")
    assert open_tunnel(ours, "/console?uuid=u", "OpaqueRef:s", Deadline(5)) == 200
    assert ours.recv(12) == b"RFB 003.008\n"


@pytest.mark.parametrize(
    "said", [b"", b"RFB 003.008\n", b"nonsense\r\n\r\n", b"HTTP/1.1 2000 OK\r\n\r\n", b"x" * 40_000]
)
def test_an_answer_to_connect_that_is_none(ends: tuple[socket.socket, socket.socket], said: bytes) -> None:
    ours, theirs = ends
    say(theirs, said)
    with pytest.raises(errors.OperationFailedError):
        open_tunnel(ours, "/console?uuid=u", "OpaqueRef:s", Deadline(5))
