"""Logins that cannot work, and ports, paths and versions that are not the usual ones: what the error says, or that it works."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import hvsdk
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from hvsdk.driver import KerberosCredentials, KeyCredentials, errors
from hvsdk_simulators import Running
from hvsdk_simulators.wire.authority import Authority, Issued
from hyperv_logins import PASSPHRASE, PASSWORD, Way, key_files, started
from hyperv_support import connect


@pytest.fixture(scope="module")
def by_certificate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Way]:
    with started("certificate", tmp_path_factory.mktemp("login")) as way:
        yield way


@pytest.fixture(scope="module")
def by_kerberos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Way]:
    with started("kerberos", tmp_path_factory.mktemp("login")) as way:
        yield way


def issue(way: Way, principal: str, **more: Any) -> Issued:
    """Have the authority that a host trusts sign a certificate."""
    folder = Path(str(way.server.certificates))
    authority = Authority.read((folder / "ca.pem").read_text(), (folder / "ca.key").read_text())
    return authority.issue(principal, **more)


def refused(connect: Callable[..., hvsdk.Host], **more: Any) -> str:
    """Return what the error says that a login ends with."""
    with pytest.raises(errors.AuthenticationError) as caught:
        connect(**more)
    return f"{caught.value} {caught.value.hint}"


# ---- certificates ----------------------------------------------------------------------------------------


def test_an_encrypted_key_is_opened_with_its_passphrase(by_certificate: Way, tmp_path: Path) -> None:
    issued = issue(by_certificate, "Administrator@LOCALHOST", passphrase=PASSPHRASE)
    with by_certificate.connect(password=key_files(tmp_path, issued, PASSPHRASE)) as host:
        assert host.domains()


def test_a_renewed_certificate_counts_at_the_next_login(by_certificate: Way, tmp_path: Path) -> None:
    given = key_files(tmp_path, issue(by_certificate, "administrator@localhost"))
    with by_certificate.connect(password=given) as host:
        host.networks()
        key_files(tmp_path, issue(by_certificate, "nobody@localhost"))
        by_certificate.server.fault("Send:unauthorized:1")
        with pytest.raises(errors.AuthenticationError):
            host.networks()


@pytest.mark.parametrize("kind", ["mapped to nobody", "of another authority", "over"])
def test_a_certificate_that_is_not_known_is_refused_with_what_to_look_at(
    by_certificate: Way, tmp_path: Path, kind: str
) -> None:
    name = "administrator@localhost"
    issued = {
        "mapped to nobody": lambda: issue(by_certificate, "somebody@localhost"),
        "of another authority": lambda: Authority("Others").issue(name),
        "over": lambda: issue(by_certificate, name, valid=timedelta(days=-2)),
    }[kind]()
    told = refused(by_certificate.connect, password=key_files(tmp_path, issued))
    assert "ClientCertificate" in told
    if kind != "mapped to nobody":
        assert "refused the client's certificate" in told


def test_a_host_that_takes_no_certificates_says_so(server: Running, tmp_path: Path) -> None:
    given = key_files(tmp_path, Authority("Others").issue("administrator@localhost"))
    assert "Certificate be true" in refused(lambda: connect(server, password=given))


def test_a_host_with_a_certificate_refuses_a_key_that_is_not_its_own(by_certificate: Way, tmp_path: Path) -> None:
    given = key_files(tmp_path, issue(by_certificate, "administrator@localhost"))
    Path(given.key_file).write_text(Authority("Others").issue("x@y").key)
    assert "no certificate and its private key" in refused(by_certificate.connect, password=given)


def test_certificates_that_openssl_has_made_are_shown(by_certificate: Way, tmp_path: Path) -> None:
    """Keys are also written in the older form, with the certificate in the same file."""
    issued = issue(by_certificate, "administrator@localhost")
    key = serialization.load_pem_private_key(issued.key.encode(), None)
    older = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.BestAvailableEncryption(PASSPHRASE.encode()),
    )
    both = tmp_path / "both.pem"
    both.write_text(issued.certificate + older.decode())
    assert x509.load_pem_x509_certificates(both.read_bytes())
    with by_certificate.connect(password=KeyCredentials(key_file=str(both), passphrase=PASSPHRASE)) as host:
        assert host.domains()


# ---- CredSSP ---------------------------------------------------------------------------------------------


def test_a_host_without_credssp_says_how_it_is_enabled(server: Running) -> None:
    assert "Enable-WSManCredSSP" in refused(lambda: connect(server, transport="credssp"))


@pytest.mark.parametrize("version", [2016, 2022])
@pytest.mark.parametrize("tls", [True, False])
def test_messages_of_credssp_are_read_whatever_version_of_tls_is_within(
    make_server: Callable[..., Running], version: int, tls: bool
) -> None:
    server = make_server(credssp=True, tls=tls, version=version)
    with connect(server, transport="credssp") as host:
        domain = host.domain("web-1")
        domain.set_notes("x" * 40_000)
        assert len(domain.notes or "") == 40_000


def test_without_tls_a_credssp_that_others_can_abuse_is_refused(
    make_server: Callable[..., Running], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = make_server(credssp=True, tls=False)
    monkeypatch.setattr("hvsdk_hyperv._wsman.SAFE_CREDSSP", 7)  # none is newer than 6
    told = refused(lambda: connect(plain, transport="credssp"))
    assert "CVE-2018-0886" in told
    assert "hyperv://" in told
    assert plain.counts().get("/logins", 0) == 0
    with connect(make_server(credssp=True), transport="credssp") as host:
        assert host.domains()


# ---- Kerberos --------------------------------------------------------------------------------------------


@pytest.mark.full
def test_the_ticket_of_the_process_is_enough(by_kerberos: Way) -> None:
    by_kerberos.right()
    with hvsdk.connect(by_kerberos.server.url, transport="kerberos", verify=by_kerberos.server.fingerprint) as host:
        assert host.domains()


@pytest.mark.full
def test_a_principal_without_a_ticket_is_refused(by_kerberos: Way) -> None:
    by_kerberos.right()
    told = refused(by_kerberos.connect, password=KerberosCredentials(principal="stranger"))
    assert "kinit" in told
    assert "stranger" in told


@pytest.mark.full
def test_a_user_whom_the_host_does_not_know_is_refused(by_kerberos: Way) -> None:
    assert by_kerberos.realm is not None
    by_kerberos.realm.log_in("stranger", PASSWORD)
    assert "refused" in refused(by_kerberos.connect, password=KerberosCredentials(principal="stranger"))


@pytest.mark.full
def test_an_address_is_no_name_that_tickets_are_for(by_kerberos: Way) -> None:
    given = by_kerberos.right()
    server = by_kerberos.server
    told = refused(
        lambda: hvsdk.connect(server.url.replace("localhost", "127.0.0.1"), password=given, verify=server.fingerprint)
    )
    assert "full name" in told


# ---- ports and paths -------------------------------------------------------------------------------------


@pytest.mark.parametrize("transport", ["ntlm", "basic"])
def test_a_port_with_tls_is_told_where_none_was_meant(server: Running, transport: str) -> None:
    port = urlsplit(server.url).port
    server.reset_counts()
    with pytest.raises(errors.ConnectError, match=f"port {port} .*speaks TLS") as caught:
        hvsdk.connect(f"hyperv+http://admin@127.0.0.1:{port}", password=PASSWORD, transport=transport)
    assert caught.value.hint == f"hyperv://127.0.0.1:{port}"
    assert server.counts() == {}


def test_a_port_without_tls_is_told_where_it_was_meant(make_server: Callable[..., Running]) -> None:
    port = urlsplit(make_server(tls=False).url).port
    with pytest.raises(errors.ConnectError, match="no TLS on this port") as caught:
        hvsdk.connect(f"hyperv://admin@127.0.0.1:{port}", password=PASSWORD)
    assert "hyperv+http://" in str(caught.value.hint)


def test_a_port_on_which_nobody_listens_is_not_told_of_as_tls() -> None:
    with pytest.raises(errors.ConnectError) as caught:
        hvsdk.connect("hyperv+http://admin@127.0.0.1:1", password=PASSWORD)
    assert "TLS" not in f"{caught.value} {caught.value.hint}"


def test_a_path_in_the_url_is_where_winrm_is(make_server: Callable[..., Running]) -> None:
    server = make_server(url_prefix="behind/wsman")
    assert server.url.endswith("/behind/wsman")
    with connect(server) as host:
        assert host.domains()
    with pytest.raises(errors.ConnectError, match="no WinRM at that path"):
        hvsdk.connect(
            server.url.replace("/behind/wsman", "/elsewhere"), password=server.password, verify=server.fingerprint
        )
