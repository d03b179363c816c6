"""What a guest writes is waited for, wherever it is written."""

from __future__ import annotations

import os
import re
import socket
import threading
import time
from pathlib import Path

import pytest

from hvsdk_testbed.console import Console, ConsoleTimeout


def test_a_line_that_comes_later_is_found(tmp_path: Path) -> None:
    path = tmp_path / "log"
    threading.Timer(0.2, path.write_text, ["booting\nup\n"]).start()
    with Console(path) as console:
        assert console.wait("up\n", 5)
        assert console.text == "booting\nup\n"


def test_waiting_twice_waits_for_the_second_time(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("tick 1\ntick 2\n")
    with Console(path) as console:
        numbers = [console.wait(re.compile(r"tick (\d)\n"), 1)[1] for _ in range(2)]
        assert numbers == ["1", "2"]
        with pytest.raises(ConsoleTimeout):
            console.wait("tick", 0.1)


def test_what_came_before_a_mark_is_not_found(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("up\n")
    with Console(path) as console:
        console.mark()
        with pytest.raises(ConsoleTimeout):
            console.wait("up", 0.1)


def test_the_complaint_shows_the_last_words_and_keeps_its_time(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("early\n" * 1000 + "kernel panic\n")
    begin = time.monotonic()
    with Console(path) as console, pytest.raises(ConsoleTimeout, match=r"'up' within 0.2 s(.|\n)*panic"):
        console.wait("up", 0.2)
    assert time.monotonic() - begin < 2


def test_silence_is_called_silence(tmp_path: Path) -> None:
    with pytest.raises(ConsoleTimeout, match="wrote nothing"):
        Console(tmp_path / "never").wait("up", 0.1)


def test_bytes_that_are_no_text_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"\xff\xc3 up\n\xff up\n")
    with Console(path) as console:
        console.wait("up", 1)
        console.wait("up", 1)


def test_a_pty_is_read() -> None:
    guest, line = os.openpty()
    try:
        with Console(os.ttyname(line)) as console:
            os.write(guest, b"up\n")
            console.wait("up", 2)
    finally:
        os.close(guest)
        os.close(line)


def test_a_unix_socket_is_read(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as guest:
        guest.bind(str(tmp_path / "socket"))
        guest.listen()
        with Console(tmp_path / "socket") as console:
            connection, _ = guest.accept()
            with connection:
                connection.sendall(b"booting\nup\n")
                console.wait("up", 2)
