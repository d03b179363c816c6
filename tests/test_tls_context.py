"""The TLS context of drivers, with servers of today and of yesterday."""

from __future__ import annotations

import http.client
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tls_server import Certificate, Server, server_context

from hvsdk import errors
from hvsdk.driver import TLSOptions, tls_context

OTHER_PIN = "sha256:" + "0" * 64


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
        server_context(certificate, old=False)
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
