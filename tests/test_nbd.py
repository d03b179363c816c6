"""The NBD client against QEMU's server, with and without TLS, and against servers that speak an older or a broken NBD."""

from __future__ import annotations

import shutil
import socket
import ssl
import struct
import subprocess
import threading
import time
from pathlib import Path

import pytest

from hvsdk import errors
from hvsdk.nbd import NbdClient, ServerGoneError, receive

MIB = 2**20
GREETING = b"NBDMAGICIHAVEOPT" + struct.pack(">H", 3)
needs_qemu = pytest.mark.skipif(shutil.which("qemu-nbd") is None, reason="qemu-nbd is not installed")


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """Sixteen MiB, of which the second and the last are not zero."""
    path = tmp_path / "disk.raw"
    with path.open("wb") as file:
        file.truncate(16 * MIB)
        file.seek(MIB)
        file.write(b"\x5a" * MIB)
        file.seek(15 * MIB)
        file.write(bytes(range(256)) * (MIB // 256))
    return path


@pytest.fixture
def serve(disk: Path, tmp_path: Path):
    """Start qemu-nbd and return what connects to it."""
    running = []

    def start(*options: str):
        path = tmp_path / "nbd.sock"
        command = ["qemu-nbd", "--socket", str(path), "--format", "raw", *options, str(disk)]
        running.append(subprocess.Popen(command))

        def connect() -> socket.socket:
            end = time.monotonic() + 30
            while True:
                connection = socket.socket(socket.AF_UNIX)
                try:
                    connection.settimeout(10)
                    connection.connect(str(path))
                except OSError:
                    connection.close()
                    assert time.monotonic() < end, "qemu-nbd did not start"
                    time.sleep(0.01)
                else:
                    return connection

        return connect

    yield start
    for process in running:
        process.kill()
        process.wait()


def answering(*answers: tuple[int, bytes]) -> socket.socket:
    """Return a connection to a server that takes in so many bytes and then says something, again and again."""
    ours, theirs = socket.socketpair()
    ours.settimeout(5)

    def run() -> None:
        with theirs:
            theirs.settimeout(5)
            for length, answer in answers:
                receive(theirs, length)
                theirs.sendall(answer)

    threading.Thread(target=run, daemon=True).start()
    return ours


def option_reply(option: int, kind: int, data: bytes = b"") -> bytes:
    return struct.pack(">QIII", 0x3E889045565A9, option, kind, len(data)) + data


@needs_qemu
def test_bytes_and_holes_are_what_the_file_has(serve, disk: Path):
    client = NbdClient(serve()())
    assert client.knows_holes
    assert client.read(0, client.size) == disk.read_bytes()
    assert [(e.offset // MIB, e.length // MIB, e.zero) for e in client.extents()] == [
        (0, 1, True),
        (1, 1, False),
        (2, 13, True),
        (15, 1, False),
    ]
    client.close()
    client.close()


@needs_qemu
def test_what_is_written_is_there(serve, disk: Path):
    client = NbdClient(serve()())
    client.write(512, b"hello")
    client.zero(MIB, MIB)
    client.flush()
    client.close()
    data = disk.read_bytes()
    assert data[512:517] == b"hello"
    assert not any(data[MIB : 2 * MIB])


@needs_qemu
def test_an_unknown_export_is_refused_without_its_name(serve):
    connect = serve("--export-name", "known")
    with pytest.raises(errors.OperationFailedError) as caught:
        NbdClient(connect(), "session-secret")
    assert "session-secret" not in str(caught.value)


@needs_qemu
def test_tls_begins_before_the_export_is_named(serve, disk: Path, tmp_path: Path):
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=disks"]
    make += ["-keyout", str(tmp_path / "server-key.pem"), "-out", str(tmp_path / "server-cert.pem")]
    subprocess.run(make, check=True, capture_output=True)
    shutil.copy(tmp_path / "server-cert.pem", tmp_path / "ca-cert.pem")
    credentials = f"tls-creds-x509,id=tls0,endpoint=server,verify-peer=no,sanity-check=no,dir={tmp_path}"
    connect = serve("--object", credentials, "--tls-creds", "tls0")
    context = ssl.create_default_context(cafile=str(tmp_path / "server-cert.pem"))
    context.check_hostname = False
    client = NbdClient(connect(), start_tls=context.wrap_socket)
    assert client.read(15 * MIB, MIB) == disk.read_bytes()[15 * MIB :]
    client.close()


@needs_qemu
def test_a_server_without_tls_is_left_when_tls_was_asked_for(serve):
    with pytest.raises(errors.OperationFailedError, match="no TLS"):
        NbdClient(serve()(), start_tls=ssl.create_default_context().wrap_socket)


def test_a_server_without_the_newer_options_serves_as_well():
    refusals = [(4 + 16, option_reply(8, 2**31 + 1)), (16 + 6, option_reply(7, 2**31 + 1))]
    entered = struct.pack(">QH", 1024, 3)
    answer = struct.pack(">IIQ", 0x67446698, 0, 1) + b"x" * 1024
    client = NbdClient(answering((0, GREETING), *refusals, (16, entered), (28, answer)))
    assert not client.knows_holes
    assert [(extent.offset, extent.length, extent.zero) for extent in client.extents()] == [(0, 1024, False)]
    assert client.read(0, 1024) == b"x" * 1024
    client.close()


@pytest.mark.parametrize("greeting", [b"HTTP/1.1 400 Bad R", b"NBDMAGIC" + b"\0" * 10])
def test_what_is_not_an_nbd_server_is_told(greeting: bytes):
    with pytest.raises(errors.OperationFailedError, match="did not greet"):
        NbdClient(answering((0, greeting)))


def test_a_server_that_hangs_up_is_gone():
    with pytest.raises(ServerGoneError):
        NbdClient(answering((0, GREETING[:7])))


def test_an_endless_reply_is_not_taken_in():
    with pytest.raises(errors.OperationFailedError, match="not NBD"):
        NbdClient(answering((0, GREETING), (4 + 16, struct.pack(">QIII", 0x3E889045565A9, 8, 1, 2**31))))


def test_replies_without_end_are_not_waited_for():
    with pytest.raises(errors.OperationFailedError, match="not NBD"):
        NbdClient(answering((0, GREETING), (4 + 16, option_reply(8, 3) * 2**16)))


def test_an_answer_of_parts_without_end_is_not_waited_for():
    info = option_reply(7, 3, struct.pack(">HQH", 0, 1024, 3)) + option_reply(7, 1)
    nothing = struct.pack(">IHHQI", 0x668E33EF, 0, 0, 1, 0)
    answers = (0, GREETING), (4 + 16, option_reply(8, 2**31 + 1)), (16 + 6, info), (28, nothing * 2**16)
    client = NbdClient(answering(*answers))
    with pytest.raises(errors.OperationFailedError, match="not NBD"):
        client.read(0, 512)
    client.close()


@pytest.mark.parametrize(
    "chunk",
    [
        struct.pack(">IHHQI", 0x668E33EF, 1, 1, 1, 12) + struct.pack(">Q", 2**40) + b"data",
        struct.pack(">IHHQI", 0x668E33EF, 1, 1, 1, 3) + b"abc",
        struct.pack(">IHHQI", 0x668E33EF, 1, 1, 1, 2**31),
        struct.pack(">IHHQI", 0x12345678, 1, 1, 1, 0),
    ],
    ids=["outside", "short", "endless", "other magic"],
)
def test_an_answer_that_makes_no_sense_is_an_error(chunk: bytes):
    info = option_reply(7, 3, struct.pack(">HQH", 0, 1024, 3)) + option_reply(7, 1)
    client = NbdClient(answering((0, GREETING), (4 + 16, option_reply(8, 2**31 + 1)), (16 + 6, info), (28, chunk)))
    with pytest.raises(errors.OperationFailedError, match="not NBD"):
        client.read(0, 512)
    client.close()
