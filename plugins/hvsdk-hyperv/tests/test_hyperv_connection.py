"""Connecting: logins, certificates, shells that end, connections that break."""

from __future__ import annotations

import contextlib
import copy
import logging
import pickle
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import hvsdk
import pytest
from hvsdk.driver import errors
from hvsdk_simulators import Running
from hyperv_support import connect, eventually, opened, requests_of, soon

from hvsdk_hyperv import hvsdk_backends
from hvsdk_hyperv._shell import ShellEndedError

WRONG = "not the password 4711"


def test_the_backend_is_found_without_a_vendors_library() -> None:
    code = (
        "import hvsdk, sys, hvsdk_hyperv; assert 'hyperv' in [b.name for b in hvsdk.backends()];"
        "assert not {'winrm', 'requests', 'spnego', 'smbprotocol', 'pycdlib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_the_backend_names_its_schemes() -> None:
    (backend,) = hvsdk_backends()
    assert backend.schemes == ("hyperv", "hyperv+http")
    assert set(backend.options) == {"disk_io", "smb_port", "transport"}


@pytest.mark.parametrize("transport", ["auto", "basic", "ntlm"])
def test_it_logs_in_over_tls(server: Running, transport: str) -> None:
    with connect(server, transport=transport) as host:
        assert "Windows Server" in host.info().product


def test_it_logs_in_without_tls_and_encrypts(make_server: Callable[..., Running]) -> None:
    server = make_server(tls=False)
    with connect(server) as host:
        host.networks()
        assert host.info().name


def test_after_the_first_call_an_operation_is_two_requests(place: tuple[Running, hvsdk.Host]) -> None:
    server, host = place
    host.networks()
    assert requests_of(server, host.networks) == {"Send": 1, "Receive": 1}
    assert requests_of(server, host.nodes) == {"Send": 1, "Receive": 1}
    assert server.counts().get("/connections", 0) == 0


@pytest.mark.parametrize("transport", ["basic", "ntlm"])
def test_one_tcp_connection_carries_all(server: Running, transport: str) -> None:
    def work() -> None:
        with connect(server, transport=transport) as host:
            host.networks()
            host.nodes()

    requests_of(server, work)
    assert server.counts()["/connections"] == 1


def test_a_powershell_that_was_killed_is_replaced_for_what_only_reads(place: tuple[Running, hvsdk.Host]) -> None:
    server, host = place
    before = host.networks()
    assert server.act("kill-processes") > 0
    assert [one.id for one in host.networks()] == [one.id for one in before]


def test_a_shell_that_ends_after_the_request_leaves_the_outcome_open(server: Running) -> None:
    with opened(server) as driver:
        server.fault("Receive:shell-gone:1")
        with pytest.raises(ShellEndedError) as caught:
            driver.call("networks.list", deadline=soon())
        assert caught.value.carried_out is None
        list(driver.list_networks(deadline=soon()))


def test_opening_takes_four_requests(server: Running) -> None:
    def work() -> None:
        with connect(server, transport="basic"):
            pass

    assert requests_of(server, work) == {"Create": 1, "Command": 1, "Send": 1, "Receive": 1, "Delete": 1}


def test_another_certificate_than_the_pinned_one_is_refused_with_its_fingerprint(server: Running) -> None:
    server.reset_counts()
    with pytest.raises(errors.CertificateError) as caught:
        connect(server, verify="sha256:" + "0" * 64)
    assert caught.value.fingerprint == server.fingerprint
    assert sum(server.counts().values()) == 0  # nothing was sent


def test_a_certificate_that_nobody_vouches_for_is_refused(server: Running) -> None:
    with pytest.raises(errors.CertificateError, match="sha256:"):
        connect(server, verify=True)


@pytest.mark.parametrize("transport", ["basic", "ntlm"])
def test_a_wrong_password_is_an_authentication_error_that_does_not_show_it(server: Running, transport: str) -> None:
    with pytest.raises(errors.AuthenticationError, match="refused") as caught:
        connect(server, password=WRONG, transport=transport)
    shown = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=False).format())
    assert WRONG not in shown
    at: BaseException | None = caught.value.__cause__
    while at is not None:
        for frame, _ in traceback.walk_tb(at.__traceback__):
            if "/winrm/" in frame.f_code.co_filename or "/hvsdk_hyperv/" in frame.f_code.co_filename:
                assert WRONG not in repr(frame.f_locals)
        at = at.__cause__ or at.__context__


def test_no_password_is_an_authentication_error(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HVSDK_PASSWORD", raising=False)
    with pytest.raises(errors.AuthenticationError, match="credentials"):
        hvsdk.connect(server.url, verify=server.fingerprint)


def test_nothing_listening_is_a_connect_error() -> None:
    with pytest.raises(errors.ConnectError):
        hvsdk.connect("hyperv+http://root@127.0.0.1:1", password="x", timeout=5)


def test_what_is_no_winrm_is_a_connect_error(server: Running) -> None:
    control = server.control.removeprefix("http://")
    with pytest.raises(errors.ConnectError):
        hvsdk.connect(f"hyperv+http://root@{control}", password="x", transport="basic", timeout=5)


def test_the_password_is_told_to_no_log(server: Running, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), connect(server) as host:
        host.networks()
    assert server.password not in caplog.text


def test_proxies_of_the_environment_are_not_asked(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nonexistent")
    with connect(server) as host:
        assert host.networks()


def test_closing_ends_the_shell(make_server: Callable[..., Running]) -> None:
    server = make_server()
    with connect(server) as host:
        host.networks()
        assert len(server.sessions()) == 1
    assert eventually(lambda: server.sessions() == [])


def test_a_shell_is_closed_also_when_opening_fails(make_server: Callable[..., Running]) -> None:
    server = make_server()
    server.fault("Command:drop-before:1")
    with pytest.raises(errors.ConnectError):
        connect(server)
    assert eventually(lambda: server.sessions() == [])


def test_a_shell_that_is_gone_is_replaced_and_the_call_repeated(server: Running) -> None:
    with opened(server) as driver:
        list(driver.list_networks(deadline=soon()))
        server.act("kill-shells")
        list(driver.list_networks(deadline=soon()))


def test_two_threads_share_a_connection(server: Running) -> None:
    with connect(server) as host:
        found: list[int] = []
        threads = [threading.Thread(target=lambda: found.append(len(host.networks()))) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert len(found) == 6
        assert len(set(found)) == 1


def test_a_connection_that_broke_is_made_anew(server: Running) -> None:
    for transport in ("basic", "ntlm"):
        with connect(server, transport=transport) as host:
            server.fault("Receive:drop-before:1")
            host.networks()


def test_a_connection_that_the_server_closed_is_made_anew_without_tls(make_server: Callable[..., Running]) -> None:
    """Keys of encrypted messages are those of one connection."""
    server = make_server(tls=False)
    with opened(server) as driver:
        assert driver._wsman is not None
        adapter = driver._wsman._adapter
        assert adapter is not None
        adapter.cut()
        list(driver.list_networks(deadline=soon()))


def test_a_worn_shell_is_replaced(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hvsdk_hyperv._shell._MOST", 3)
    with opened(server) as driver:
        assert driver._shell is not None
        first = driver._shell.id
        for _ in range(4):
            list(driver.list_networks(deadline=soon()))
        assert driver._shell.id != first


def test_a_host_with_a_reference_to_its_password_can_be_pickled(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HVSDK_TEST_PASSWORD", server.password)
    with connect(server, password=hvsdk.SecretRef("env:HVSDK_TEST_PASSWORD")) as host:
        assert pickle.loads(pickle.dumps(host)) == host
        assert copy.copy(host) == host


def test_native_is_pywinrms_protocol(host: hvsdk.Host, server: Running) -> None:
    protocol = host.native()
    shell = protocol.open_shell()
    protocol.close_shell(shell, close_session=False)
    assert server.password not in repr(protocol)


def test_the_program_and_its_environment_hold_no_secret(powershell_server: Running) -> None:
    with connect(powershell_server):
        programs = list(_programs_on_hosts())
    assert programs
    for program in programs:
        assert powershell_server.password.encode() not in program


def _programs_on_hosts() -> Iterator[bytes]:
    """Yield command line and environment of all that simulated hosts run."""
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            environment = (process / "environ").read_bytes()
            if b"HVSDK_STUB_TOKEN=" in environment:
                yield environment + (process / "cmdline").read_bytes()


def test_what_disturbs_no_answer_is_not_noticed(place: tuple[Running, hvsdk.Host]) -> None:
    server, host = place
    for trouble in ("Receive:garbage:2", "Receive:progress:2", "Send:unauthorized:1", "Receive:unauthorized:1"):
        server.clear_faults()
        host.networks()
        server.fault(trouble)
        host.networks()
        host.networks()
        assert requests_of(server, host.networks) == {"Send": 1, "Receive": 1}, trouble


def test_a_server_that_says_nothing_holds_the_caller_for_its_time_only(server: Running) -> None:
    with connect(server, timeout=2.0) as host:
        host.networks()
        server.fault("Receive:freeze:2")
        began = time.monotonic()
        with pytest.raises(errors.OperationTimeoutError):
            host.networks()
        assert time.monotonic() - began < 6
        server.clear_faults()
        host.networks()


def test_a_login_that_expires_without_tls_is_made_anew(make_server: Callable[..., Running]) -> None:
    server = make_server(tls=False)
    with connect(server) as host:
        host.networks()
        for trouble in ("Send:unauthorized:1", "Receive:unauthorized:1", "Receive:drop-after:1"):
            server.fault(trouble)
            host.networks()
