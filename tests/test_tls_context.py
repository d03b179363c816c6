"""The TLS context of drivers, with servers of today and of yesterday."""

from __future__ import annotations

import http.client
import socket
import ssl
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from hvsdk import errors
from hvsdk.driver import TLSOptions, fingerprint_of, tls_context

OTHER_PIN = "sha256:" + "0" * 64


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
        self._context = None if certificate is None else _server_context(certificate, old=old)
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


def _server_context(certificate: Certificate, *, old: bool) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if old:
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        with warnings.catch_warnings():  # Python says that nobody should
            warnings.simplefilter("ignore", DeprecationWarning)
            context.maximum_version = ssl.TLSVersion.TLSv1
    context.load_cert_chain(certificate.file, certificate.key)
    return context


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return Certificate(tmp_path_factory.mktemp("tls"), "server")


@pytest.fixture
def server(certificate: Certificate) -> Iterator[Server]:
    server = Server(certificate)
    yield server
    server.close()


@pytest.fixture
def old_server(certificate: Certificate) -> Iterator[Server]:
    server = Server(certificate, old=True)
    yield server
    server.close()


def ask(server: Server, options: TLSOptions, host: str = "localhost") -> bytes:
    """Make a request that carries a secret."""
    connection = http.client.HTTPSConnection(host, server.port, timeout=10, context=tls_context(options))
    try:
        connection.request("GET", "/", headers={"Authorization": "hush"})
        return connection.getresponse().read()
    finally:
        connection.close()


def test_an_unknown_certificate_is_refused_with_its_fingerprint(server: Server, certificate: Certificate) -> None:
    with pytest.raises(errors.CertificateError) as refused:
        ask(server, TLSOptions())
    assert refused.value.fingerprint == certificate.pin
    assert certificate.pin in str(refused.value)
    assert f"verify={certificate.pin!r}" in str(refused.value.hint)
    server.close()
    assert server.heard == b""


def test_a_ca_file_is_enough(server: Server, certificate: Certificate) -> None:
    assert ask(server, TLSOptions(ca_file=str(certificate.file))) == b"ok"


def test_a_ca_file_does_not_vouch_for_other_names(server: Server, certificate: Certificate) -> None:
    with pytest.raises(errors.CertificateError, match="127"):
        ask(server, TLSOptions(ca_file=str(certificate.file)), "127.0.0.1")
    server.close()
    assert server.heard == b""


def test_a_ca_file_without_certificates_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("no certificate")
    with pytest.raises(errors.CertificateError, match=r"ca\.pem"):
        tls_context(TLSOptions(ca_file=str(file)))


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_pin_is_enough_whatever_the_server_is_called(server: Server, certificate: Certificate, host: str) -> None:
    assert ask(server, TLSOptions(pins=(OTHER_PIN, certificate.pin)), host) == b"ok"


def test_another_certificate_than_the_pinned_one_gets_not_a_byte(server: Server, certificate: Certificate) -> None:
    with pytest.raises(errors.CertificateError, match="pinned") as refused:
        ask(server, TLSOptions(pins=(OTHER_PIN,)))
    assert refused.value.fingerprint == certificate.pin
    server.close()
    assert server.heard == b""


def test_a_handshake_cannot_be_put_off_until_after_the_check(server: Server) -> None:
    context = tls_context(TLSOptions(pins=(OTHER_PIN,)))
    with (
        socket.create_connection(("127.0.0.1", server.port), timeout=10) as plain,
        pytest.raises(errors.CertificateError),
    ):
        context.wrap_socket(plain, server_hostname="localhost", do_handshake_on_connect=False)
    server.close()
    assert server.heard == b""


def test_what_cannot_be_checked_is_refused() -> None:
    context = tls_context(TLSOptions(pins=(OTHER_PIN,)))
    with pytest.raises(ValueError, match="blocking"):
        context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO())


def test_without_verification_any_certificate_will_do(server: Server) -> None:
    assert ask(server, TLSOptions(verify=False)) == b"ok"


def test_a_server_of_yesterday_is_refused_with_the_way_to_it(old_server: Server, certificate: Certificate) -> None:
    with pytest.raises(errors.ConnectError) as refused:
        ask(old_server, TLSOptions(pins=(certificate.pin,)))
    assert 'tls="legacy"' in str(refused.value)
    assert not isinstance(refused.value, errors.CertificateError)


def test_a_server_of_yesterday_is_spoken_to_when_asked(old_server: Server, certificate: Certificate) -> None:
    assert ask(old_server, TLSOptions(pins=(certificate.pin,), legacy=True)) == b"ok"


def test_the_certificate_of_a_server_of_yesterday_is_checked_too(old_server: Server) -> None:
    with pytest.raises(errors.CertificateError):
        ask(old_server, TLSOptions(pins=(OTHER_PIN,), legacy=True))
    old_server.close()
    assert old_server.heard == b""


def test_a_weak_key_is_told_from_a_wrong_one(tmp_path: Path) -> None:
    weak = Certificate(tmp_path, "weak", bits=1024)
    server = Server(weak, old=False) if _loads(weak) else Server(weak, old=True)
    try:
        with pytest.raises(errors.ConnectError) as refused:
            ask(server, TLSOptions(ca_file=str(weak.file)))
    finally:
        server.close()
    assert 'tls="legacy"' in str(refused.value)


def _loads(certificate: Certificate) -> bool:
    """Whether OpenSSL lets a server of today have this key."""
    try:
        _server_context(certificate, old=False)
    except ssl.SSLError:
        return False
    return True


def test_a_server_without_tls_is_told_as_such() -> None:
    server = Server(None)
    try:
        with pytest.raises(errors.ConnectError, match="speaks no TLS on this port"):
            ask(server, TLSOptions())
    finally:
        server.close()


def test_a_driver_that_needs_no_tls_does_not_load_it() -> None:
    code = "import sys, hvsdk.driver; assert 'ssl' not in sys.modules; hvsdk.driver.tls_context; assert 'ssl' in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
