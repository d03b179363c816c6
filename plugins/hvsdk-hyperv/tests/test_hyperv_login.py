"""How one logs in: which protocol, and what never crosses the network in the clear."""

from __future__ import annotations

import re
import ssl
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

import attrs
import pytest
from hvsdk.driver import (
    Credentials,
    KerberosCredentials,
    KeyCredentials,
    PasswordCredentials,
    Target,
    TokenCredentials,
    errors,
)
from hvsdk_simulators.wire.authority import Authority
from winrm import transport as vendor

from hvsdk_hyperv._login import endpoint_of, login_of

PASSWORD = "s3cret-w0rd-4711"


def target(
    scheme: str = "hyperv", hostname: str = "hv-3", *, credentials: Credentials | None = None, **more: Any
) -> Target:
    found = credentials or PasswordCredentials(password=PASSWORD)
    wishes: dict[str, Any] = {"username": "admin", "options": {"transport": more.pop("transport", "auto")}} | more
    return Target(url="", scheme=scheme, hostname=hostname, credentials=lambda: found, **wishes)


@pytest.mark.parametrize(
    ("scheme", "hostname", "port", "url"),
    [
        ("hyperv", "hv-3", None, "https://hv-3:5986/wsman"),
        ("hyperv+http", "hv-3", None, "http://hv-3:5985/wsman"),
        ("hyperv", "fe80::1", 443, "https://[fe80::1]:443/wsman"),
    ],
)
def test_the_endpoint_is_made_of_the_url(scheme: str, hostname: str, port: int | None, url: str) -> None:
    assert endpoint_of(target(scheme, hostname, port=port)) == url


@pytest.mark.parametrize(("path", "found"), [("/", "wsman"), ("/behind/wsman/", "behind/wsman"), ("/a b?", "a%20b%3F")])
def test_a_path_in_the_url_is_winrms_prefix(path: str, found: str) -> None:
    assert endpoint_of(target(path=path)) == f"https://hv-3:5986/{found}"


def test_a_password_means_ntlm(monkeypatch: pytest.MonkeyPatch) -> None:
    login = login_of(target())
    assert (login.transport, login.username, login.encryption) == ("ntlm", "admin", "never")
    assert login.context is not None


def test_without_tls_each_message_is_encrypted() -> None:
    assert login_of(target("hyperv+http")).encryption == "always"


def test_a_ticket_means_kerberos(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vendor, "HAVE_KERBEROS", True)
    assert login_of(target(credentials=KerberosCredentials())).transport == "kerberos"
    assert login_of(target("hyperv+http", credentials=KerberosCredentials())).encryption == "always"


def test_kerberos_takes_the_ticket_of_the_process_where_nothing_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vendor, "HAVE_KERBEROS", True)
    nothing = Target(url="", scheme="hyperv", hostname="hv-3", options={"transport": "kerberos"})
    assert login_of(nothing).transport == "kerberos"
    with pytest.raises(errors.AuthenticationError, match="no credentials"):
        login_of(attrs.evolve(nothing, options={"transport": "auto"}))


def test_kerberos_has_no_use_for_a_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vendor, "HAVE_KERBEROS", True)
    with pytest.raises(errors.AuthenticationError, match="kinit"):
        login_of(target(transport="kerberos"))


@pytest.mark.parametrize("name", ["kerberos", "credssp"])
def test_a_library_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(vendor, f"HAVE_{name.upper()}", False)
    given = KerberosCredentials() if name == "kerberos" else None
    with pytest.raises(errors.UnsupportedError, match=rf"hvsdk-hyperv\[{name}\]"):
        login_of(target(transport=name, credentials=given))


def test_without_the_libraries_of_kerberos_and_credssp_the_others_work() -> None:
    code = (
        "import sys; sys.modules['kerberos'] = sys.modules['winkerberos'] = sys.modules['requests_credssp'] = None;"
        "from hvsdk_hyperv import _driver, _login_errors;"
        "from winrm import transport; assert not transport.HAVE_KERBEROS and not transport.HAVE_CREDSSP;"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


# ---- certificates ----------------------------------------------------------------------------------------


@pytest.fixture
def issued(tmp_path: Path) -> KeyCredentials:
    made = Authority("Clients").issue("admin@hv-3", passphrase=PASSWORD)
    (tmp_path / "client.pem").write_text(made.certificate)
    (tmp_path / "client.key").write_text(made.key)
    (tmp_path / "both.pem").write_text(made.certificate + made.key)
    return KeyCredentials(
        key_file=str(tmp_path / "client.key"), certificate_file=str(tmp_path / "client.pem"), passphrase=PASSWORD
    )


def test_a_key_means_a_certificate(issued: KeyCredentials) -> None:
    login = login_of(target(credentials=issued))
    assert (login.transport, login.certificate_file, login.key_file) == (
        "certificate",
        issued.certificate_file,
        issued.key_file,
    )
    assert PASSWORD not in repr(login)


def test_certificate_and_key_may_be_in_one_file(issued: KeyCredentials) -> None:
    both = issued.key_file.replace("client.key", "both.pem")
    login = login_of(target(credentials=attrs.evolve(issued, key_file=both, certificate_file=None)))
    assert login.certificate_file == login.key_file == both


def test_with_a_certificate_tls_is_no_newer_than_windows_can_do_that_with(issued: KeyCredentials) -> None:
    context = login_of(target(credentials=issued)).context
    assert context is not None
    assert context.maximum_version is ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"passphrase": None}, "encrypted.*passphrase="),
        ({"passphrase": "another one"}, "passphrase is not that"),
        ({"key_file": "/nowhere/client.key"}, "/nowhere/client.key cannot be read: No such file"),
        ({"key_file": __file__}, "no certificate and its private key"),
    ],
)
def test_a_key_that_cannot_be_opened_is_told(issued: KeyCredentials, more: dict[str, Any], told: str) -> None:
    with pytest.raises(errors.AuthenticationError) as caught:
        login_of(target(credentials=attrs.evolve(issued, **more)))
    assert re.search(told, f"{caught.value} {caught.value.hint}")
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert PASSWORD not in "".join(line for line in shown.format() if "hvsdk_hyperv" in line)
    assert "another one" not in str(caught.value)


def test_basic_is_refused_without_tls() -> None:
    with pytest.raises(errors.ConnectError, match="clear"):
        login_of(target("hyperv+http", transport="basic"))
    assert login_of(target("hyperv", transport="basic")).transport == "basic"
    assert login_of(target("hyperv+http", "127.0.0.1", transport="basic")).transport == "basic"


def test_a_certificate_is_refused_without_tls() -> None:
    with pytest.raises(errors.ConnectError, match="TLS"):
        login_of(target("hyperv+http", credentials=KeyCredentials(key_file="/k.pem")))


def test_credentials_that_do_not_fit_the_protocol_are_refused() -> None:
    with pytest.raises(errors.AuthenticationError, match="ntlm"):
        login_of(target(transport="ntlm", credentials=KeyCredentials(key_file="/k.pem")))
    with pytest.raises(errors.AuthenticationError, match="token"):
        login_of(target(credentials=TokenCredentials(token=PASSWORD)))


def test_no_user_is_an_authentication_error() -> None:
    with pytest.raises(errors.AuthenticationError, match="user's name"):
        login_of(target(username=None))


def test_the_password_is_in_no_repr() -> None:
    assert PASSWORD not in repr(login_of(target()))
