"""How one logs in: which protocol, and what never crosses the network in the clear."""

from __future__ import annotations

from typing import Any

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


def test_a_key_means_a_certificate() -> None:
    login = login_of(target(credentials=KeyCredentials(key_file="/k.pem", certificate_file="/c.pem")))
    assert (login.transport, login.certificate_file, login.key_file) == ("certificate", "/c.pem", "/k.pem")


@pytest.mark.parametrize("name", ["kerberos", "credssp"])
def test_a_library_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(vendor, f"HAVE_{name.upper()}", False)
    with pytest.raises(errors.UnsupportedError, match=rf"hvsdk-hyperv\[{name}\]"):
        login_of(target(transport=name))


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
