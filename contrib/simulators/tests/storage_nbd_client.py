"""A client of NBD's first newstyle protocol, byte by byte."""

import socket
import ssl
import struct
from pathlib import Path

NAME = "host-01.example"
OPTION_MAGIC = 0x49484156454F5054
STARTTLS, LIST, EXPORT_NAME, GO = 5, 3, 1, 7


class Client:
    """A client of the protocol's first newstyle, byte by byte."""

    def __init__(self, port: int) -> None:
        self.stream = socket.create_connection(("127.0.0.1", port), timeout=10)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.stream.close()

    def take(self, length: int) -> bytes:
        taken = b""
        while len(taken) < length:
            piece = self.stream.recv(length - len(taken))
            if not piece:
                raise EOFError
            taken += piece
        return taken

    def greet(self) -> int:
        """Take the greeting, and return the server's flags."""
        first, second, flags = struct.unpack(">8sQH", self.take(18))
        assert (first, second) == (b"NBDMAGIC", OPTION_MAGIC)
        self.stream.sendall(struct.pack(">I", 1))
        return int(flags)

    def ask(self, option: int, content: bytes = b"") -> int:
        """Ask for an option, and return the kind of the answer."""
        self.stream.sendall(struct.pack(">QII", OPTION_MAGIC, option, len(content)) + content)
        magic, answered, kind, length = struct.unpack(">QIII", self.take(20))
        assert (magic, answered, length) == (0x3E889045565A9, option, 0)
        return int(kind)

    def start_tls(self, keys: Path) -> None:
        assert self.ask(STARTTLS) == 1
        context = ssl.create_default_context(cafile=str(keys / "ca-cert.pem"))
        self.stream = context.wrap_socket(self.stream, server_hostname=NAME)

    def open(self, name: str) -> tuple[int, int]:
        """Ask for an export, and return its size and flags."""
        content = name.encode()
        self.stream.sendall(struct.pack(">QII", OPTION_MAGIC, EXPORT_NAME, len(content)) + content)
        size, flags = struct.unpack(">QH124x", self.take(134))
        return int(size), int(flags)

    def request(self, command: int, offset: int, length: int) -> int:
        """Send a request, and return the error of its answer."""
        self.stream.sendall(struct.pack(">IHHQQI", 0x25609513, 0, command, 77, offset, length))
        magic, error, handle = struct.unpack(">IIQ", self.take(16))
        assert (magic, handle) == (0x67446698, 77)
        return int(error)
