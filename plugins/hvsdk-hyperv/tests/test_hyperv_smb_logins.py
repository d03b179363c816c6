"""Logins by SMB, to a real Samba: what is let in, what is not, and what is said of it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hvsdk import errors
from hvsdk.driver import KerberosCredentials, KeyCredentials
from hvsdk_simulators import Running
from hyperv_logins import PASSWORD, USER, kerberos_realm
from hyperv_samba import PATH, Samba, files_of, put, samba, workers
from hyperv_support import eventually

from hvsdk_hyperv._host_files import Range


def test_a_wrong_password_is_told_and_shown_nowhere(
    server: Running, share: Samba, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    files = files_of(server, share, password="wrong-secret-word")
    with pytest.raises(errors.AuthenticationError, match="refused the credentials") as caught:
        files.open(PATH)
    assert "secret-word" not in caplog.text + str(caught.value) + repr(files)
    assert eventually(lambda: not workers())


def test_a_login_leaves_no_password_in_the_log(server: Running, share: Samba, caplog: pytest.LogCaptureFixture) -> None:
    put(share)
    caplog.set_level(logging.DEBUG)
    files = files_of(server, share)
    files.close([files.open(PATH)])
    assert server.username in caplog.text
    assert server.password not in caplog.text


def test_a_guest_is_refused(server: Running, make_samba: Callable[..., Samba]) -> None:
    running = make_samba(map_to_guest="bad password")
    put(running)
    with pytest.raises(errors.AuthenticationError, match="guest"):
        files_of(server, running, password="wrong").open(PATH)


@pytest.mark.parametrize("settings", [{"server_smb_encrypt": "off"}, {"server_max_protocol": "SMB2_10"}], ids=str)
def test_a_server_that_does_not_encrypt_gets_no_login(
    server: Running, make_samba: Callable[..., Samba], settings: dict[str, str]
) -> None:
    running = make_samba(log_level="3", **settings)
    with pytest.raises(errors.ConnectError, match="no SMB 3 with encryption"):
        files_of(server, running).open(PATH)
    assert server.username not in running.log().split("smbd version")[-1]


def test_a_server_that_insists_on_encryption_is_read(server: Running, make_samba: Callable[..., Samba]) -> None:
    running = make_samba(server_smb_encrypt="required")
    content = put(running)
    files = files_of(server, running)
    file = files.open(PATH)
    assert files.read([Range(file, 0, len(content))]) == [content]
    files.close([file])


def test_certificates_log_in_by_winrm_alone(make_server: Callable[..., Running], share: Samba) -> None:
    server = make_server(client_certificates=True)
    folder = Path(str(server.certificates))
    key = KeyCredentials(key_file=str(folder / "client.key"), certificate_file=str(folder / "client.pem"))
    with pytest.raises(errors.AuthenticationError, match="SMB logs nobody in"):
        files_of(server, share, credentials=lambda: key).open(PATH)


def test_a_ticket_logs_in(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    with kerberos_realm() as realm:
        for name, value in realm.environment.items():
            monkeypatch.setenv(name, value)
        keytab = {"kerberos_method": "dedicated keytab", "dedicated_keytab_file": f"FILE:{realm.keytab}"}
        with samba(server, realm="HVSDK.TEST", **keytab) as running:
            content = put(running)
            wishes: dict[str, Any] = {"hostname": "localhost", "credentials": KerberosCredentials}
            with pytest.raises(errors.AuthenticationError, match="no ticket for cifs/localhost"):
                files_of(server, running, **wishes).open(PATH)
            realm.log_in(USER, PASSWORD)
            files = files_of(server, running, **wishes)
            file = files.open(PATH)
            assert files.read([Range(file, 0, 512)]) == [content[:512]]
            files.close([file])
            realm.log_in("stranger", PASSWORD)
            with pytest.raises(errors.AuthenticationError):
                files_of(server, running, username=None, **wishes).open(PATH)
