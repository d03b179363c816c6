"""Logins by CredSSP and by certificates, from clients that others have written."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from hvsdk_simulators.realm import Realm
from hvsdk_simulators.winrm.client_certificates import HEADER
from hvsdk_simulators.wire.authority import Authority, Issued
from pypsrp.shell import Process, WinRS
from requests.adapters import HTTPAdapter
from requests_credssp.credssp import CredSSPContext
from requests_credssp.exceptions import AuthenticationException, NTStatusException
from winrm.exceptions import InvalidCredentialsError
from winrm_host import PASSWORD, USER, WinrmHost

CREDSSP_ERRORS = (NTStatusException, AuthenticationException)
LONG = "x" * 40_000
"""More than CredSSP has in one part of a message, twice."""


@pytest.fixture(scope="module", params=[True, False], ids=["https", "http"])
def host(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WinrmHost]:
    with WinrmHost(tmp_path_factory.mktemp("winrm"), tls=request.param) as running:
        yield running


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WinrmHost]:
    with WinrmHost(tmp_path_factory.mktemp("winrm")) as running:
        yield running


@pytest.fixture(autouse=True)
def open_accounts(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    for name in {"host", "secure"} & set(request.fixturenames):
        request.getfixturevalue(name).accounts.change(USER, state="normal")


@pytest.fixture(autouse=True)
def hung_up(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Hang up what clients leave open when they are refused."""
    answers: list[requests.Response] = []
    send = HTTPAdapter.send

    def remembered(adapter: HTTPAdapter, *given: Any, **more: Any) -> requests.Response:
        answers.append(send(adapter, *given, **more))
        return answers[-1]

    monkeypatch.setattr(HTTPAdapter, "send", remembered)
    yield
    for answer in answers:
        answer.close()


def files(folder: Path, issued: Issued) -> dict[str, str]:
    """Return what pywinrm takes for a certificate and its key."""
    for name, text in (("client.pem", issued.certificate), ("client.key", issued.key)):
        (folder / name).write_text(text)
    return {"cert_pem": str(folder / "client.pem"), "cert_key_pem": str(folder / "client.key")}


def status_of(error: BaseException) -> int:
    """Return the NTSTATUS that the host refused a login by CredSSP with."""
    cause: Any = error.__cause__
    return int(cause.base_error.winerror) % (1 << 32)


def run(host: WinrmHost, **more: Any) -> bytes:
    """Run a command as pywinrm does it, and hang up whatever comes of it."""
    session = host.session(**more)
    try:
        return bytes(session.run_cmd("echo", ["out"]).std_out)
    finally:
        session.protocol.transport.close_session()


def by_certificate(host: WinrmHost, folder: Path, issued: Issued) -> bytes:
    """Run a command as pywinrm does it with a certificate."""
    return run(host, transport="certificate", **files(folder, issued))


# ---- CredSSP ---------------------------------------------------------------------------------------------


def test_pywinrm_logs_in_by_credssp(host: WinrmHost) -> None:
    assert run(host, transport="credssp") == b"out\n"


def test_pypsrp_logs_in_by_credssp(host: WinrmHost) -> None:
    with host.wsman(auth="credssp") as wsman, WinRS(wsman) as shell:
        process = Process(shell, "cat")
        process.begin_invoke()
        process.send(LONG.encode(), end=True)
        process.end_invoke()
        assert process.stdout.decode() == LONG


def test_messages_of_several_parts_come_through_whole(host: WinrmHost) -> None:
    protocol = host.protocol(transport="credssp")
    shell = protocol.open_shell()
    command = protocol.run_command(shell, "cat")
    protocol.send_command_input(shell, command, LONG, end=True)
    found, done = b"", False
    while not done:
        output, _, _, done = protocol.get_command_output_raw(shell, command)
        found += output
    protocol.close_shell(shell)
    assert found.decode() == LONG


def test_a_wrong_password_is_told_within_credssp_and_counts_once(host: WinrmHost) -> None:
    host.counters.reset()
    with pytest.raises(CREDSSP_ERRORS) as caught:
        run(host, password="wrong", transport="credssp")
    assert status_of(caught.value) == 0xC000006D
    counts = host.counters.calls()
    assert (counts.get("/logins", 0), counts["/logins/refused"]) == (0, 1)


@pytest.mark.parametrize(
    ("state", "status"),
    [("locked", 0xC0000234), ("disabled", 0xC0000072), ("password-expired", 0xC0000071), ("must-change", 0xC0000224)],
)
def test_credssp_tells_why_a_right_password_is_refused(host: WinrmHost, state: str, status: int) -> None:
    host.accounts.change(USER, state=state)
    with pytest.raises(CREDSSP_ERRORS) as caught:
        run(host, transport="credssp")
    assert status_of(caught.value) == status


def test_a_password_that_is_handed_over_is_checked_too(host: WinrmHost, monkeypatch: pytest.MonkeyPatch) -> None:
    make = CredSSPContext.__init__

    def forged(context: Any, *given: Any, **more: Any) -> None:
        make(context, *given, **more)
        context._context._ts_credential.credentials.password = "another"

    monkeypatch.setattr(CredSSPContext, "__init__", forged)
    host.counters.reset()
    with pytest.raises(AuthenticationException, match="Credential exchange"):
        run(host, transport="credssp")
    assert host.counters.calls()["/logins/refused"] == 1


def test_ntlm_and_basic_tell_nothing_of_that(host: WinrmHost) -> None:
    host.accounts.change(USER, state="locked")
    with pytest.raises(InvalidCredentialsError):
        run(host)


def test_a_message_whose_trailer_is_not_where_it_should_be_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("winrm.encryption.Encryption._get_credssp_trailer_length", lambda *_: 13)
    with WinrmHost(tmp_path, tls=False) as host:
        with pytest.raises((InvalidCredentialsError, AuthenticationException)):
            run(host, transport="credssp")
        assert host.counters.calls().get("Create", 0) == 0


# ---- certificates ----------------------------------------------------------------------------------------


def test_pywinrm_logs_in_by_a_certificate(secure: WinrmHost, tmp_path: Path) -> None:
    assert by_certificate(secure, tmp_path, secure.certificates.authority.issue("Admin@HV-1")) == b"out\n"


def test_pypsrp_logs_in_by_a_certificate(secure: WinrmHost, tmp_path: Path) -> None:
    named = files(tmp_path, secure.certificates.authority.issue("admin@hv-1"))
    wishes = {"auth": "certificate", "certificate_pem": named["cert_pem"], "certificate_key_pem": named["cert_key_pem"]}
    with secure.wsman(**wishes) as wsman, WinRS(wsman) as shell:
        process = Process(shell, "echo", ["out"])
        process.invoke()
        assert process.stdout == b"out\n"


def test_a_certificate_that_nobody_is_mapped_to_is_refused(secure: WinrmHost, tmp_path: Path) -> None:
    with pytest.raises(InvalidCredentialsError):
        by_certificate(secure, tmp_path, secure.certificates.authority.issue("other@hv-1"))


def test_a_certificate_of_a_closed_account_is_refused(secure: WinrmHost, tmp_path: Path) -> None:
    secure.accounts.change(USER, state="disabled")
    with pytest.raises(InvalidCredentialsError):
        by_certificate(secure, tmp_path, secure.certificates.authority.issue("admin@hv-1"))


def test_the_certificate_alone_says_nothing_without_the_header(secure: WinrmHost, tmp_path: Path) -> None:
    named = files(tmp_path, secure.certificates.authority.issue("admin@hv-1"))
    wishes: dict[str, Any] = {"cert": tuple(named.values()), "verify": secure.certificate, "timeout": 10}
    assert requests.post(secure.url, data=b"x", **wishes).status_code == 401
    assert requests.post(secure.url, headers={"Authorization": HEADER}, **wishes).status_code == 200


def test_the_header_alone_is_refused(secure: WinrmHost) -> None:
    answer = requests.post(secure.url, headers={"Authorization": HEADER}, verify=secure.certificate, timeout=10)
    assert answer.status_code == 401


@pytest.mark.parametrize("kind", ["of another authority", "that is over"])
def test_a_certificate_is_refused_in_the_handshake(secure: WinrmHost, tmp_path: Path, kind: str) -> None:
    known = secure.certificates.authority
    issued = {
        "of another authority": Authority("Others").issue("admin@hv-1"),
        "that is over": known.issue("admin@hv-1", valid=timedelta(days=-2)),
    }[kind]
    with pytest.raises(requests.exceptions.SSLError, match=r"(?i)alert"):
        by_certificate(secure, tmp_path, issued)


def test_other_clients_need_no_certificate(secure: WinrmHost) -> None:
    assert run(secure) == b"out\n"


# ---- counting --------------------------------------------------------------------------------------------


def test_requests_with_credentials_and_refusals_are_counted(secure: WinrmHost) -> None:
    secure.counters.reset()
    for password in (PASSWORD, "wrong"):
        word = base64.b64encode(f"{USER}:{password}".encode()).decode()
        requests.post(secure.url, headers={"Authorization": f"Basic {word}"}, verify=secure.certificate, timeout=10)
    counts = secure.counters.calls()
    assert (counts["/authorization"], counts["/logins"], counts["/logins/refused"]) == (2, 1, 1)


# ---- Kerberos --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=[True, False], ids=["https", "http"])
def of_realm(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WinrmHost]:
    lacks = Realm.missing()
    if lacks:
        pytest.skip(f"Kerberos lacks {', '.join(lacks)}")
    with Realm({USER: PASSWORD, "stranger": PASSWORD}) as realm, pytest.MonkeyPatch.context() as surroundings:
        for name, value in realm.environment.items():
            surroundings.setenv(name, value)
        realm.log_in(USER, PASSWORD)
        folder = tmp_path_factory.mktemp("winrm")
        with WinrmHost(folder, tls=request.param, name="localhost", kerberos="localhost") as running:
            yield running


@pytest.mark.full
@pytest.mark.parametrize("auth", ["kerberos", "negotiate"])
def test_pypsrp_logs_in_by_kerberos(of_realm: WinrmHost, auth: str) -> None:
    of_realm.counters.reset()
    given = {"username": None, "password": None, "negotiate_service": "HTTP"}
    with of_realm.wsman(auth=auth, **given) as wsman, WinRS(wsman) as shell:
        assert wsman.transport.session.auth.contexts["localhost"].negotiated_protocol == "kerberos"
        process = Process(shell, "cat")
        process.begin_invoke()
        process.send(LONG.encode(), end=True)
        process.end_invoke()
        assert process.stdout.decode() == LONG
    assert of_realm.counters.calls()["/logins"] == 1


@pytest.mark.full
def test_pywinrm_logs_in_by_kerberos(of_realm: WinrmHost) -> None:
    assert run(of_realm, transport="kerberos", user=None, password=None) == b"out\n"


@pytest.mark.full
def test_a_name_that_is_no_users_is_refused_although_it_has_a_ticket(of_realm: WinrmHost) -> None:
    from winrm.vendor.requests_kerberos.exceptions import KerberosExchangeError  # which is not there without Kerberos

    with pytest.raises((InvalidCredentialsError, KerberosExchangeError)):
        run(of_realm, transport="kerberos", user="stranger", password=None)


@pytest.mark.full
def test_a_host_without_a_keytab_offers_no_kerberos(secure: WinrmHost, of_realm: WinrmHost) -> None:
    offered = {host: requests.post(host.url, verify=host.certificate, timeout=10) for host in (secure, of_realm)}
    assert "Kerberos" not in offered[secure].headers["WWW-Authenticate"]
    assert "Kerberos" in offered[of_realm].headers["WWW-Authenticate"]
