"""A server that speaks TLS, of today or of yesterday, with a certificate of its own."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
import warnings
from contextlib import suppress
from pathlib import Path

from hvsdk.driver import fingerprint_of

__all__ = ["Certificate", "Server", "server_context"]


class Certificate:
    """A certificate for `localhost` that is its own authority."""

    def __init__(self, directory: Path, name: str, bits: int = 2048) -> None:
        self.key, self.file = directory / f"{name}-key.pem", directory / f"{name}.pem"
        make = ["openssl", "req", "-x509", "-newkey", f"rsa:{bits}", "-nodes", "-days", "2", "-subj", f"/CN={name}"]
        make += ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(self.key), "-out", str(self.file)]
        subprocess.run(make, check=True, capture_output=True)

    @property
    def pin(self) -> str:
        return fingerprint_of(ssl.PEM_cert_to_DER_cert(self.file.read_text()))


class Server:
    """Answers one HTTP request on each connection, and notes all that clients said within TLS."""

    def __init__(self, certificate: Certificate | None, *, old: bool = False) -> None:
        self.heard = b""
        self._context = None if certificate is None else server_context(certificate, old=old)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                plain = self._listener.accept()[0]
                plain.settimeout(10)
                with suppress(OSError), plain:
                    self._answer(plain)

    def _answer(self, plain: socket.socket) -> None:
        sock = plain if self._context is None else self._context.wrap_socket(plain, server_side=True)
        with sock:
            self.heard += sock.recv(1000)
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")

    def close(self) -> None:
        if self._thread.is_alive():
            self._listener.shutdown(socket.SHUT_RDWR)
            self._thread.join()
        self._listener.close()


def server_context(certificate: Certificate, *, old: bool) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if old:
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        with warnings.catch_warnings():  # Python says that nobody should
            warnings.simplefilter("ignore", DeprecationWarning)
            context.maximum_version = ssl.TLSVersion.TLSv1
    context.load_cert_chain(certificate.file, certificate.key)
    return context
