"""Clients that others have written work unchanged, with TLS and basic logins and without TLS and encrypted by NTLM."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pypsrp.shell import Process, SignalCode, WinRS
from winrm.exceptions import InvalidCredentialsError, WinRMOperationTimeoutError
from winrm_host import WinrmHost


@pytest.fixture(scope="module", params=[True, False], ids=["https-basic", "http-ntlm"])
def host(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WinrmHost]:
    with WinrmHost(tmp_path_factory.mktemp("winrm"), tls=request.param) as running:
        yield running


def test_pywinrm_runs_a_command(host: WinrmHost) -> None:
    found = host.session().run_cmd("sh", ["-c", "'echo out; echo err >&2; exit 3'"])
    assert (found.status_code, found.std_out, found.std_err) == (3, b"out\n", b"err\n")


def test_each_action_is_counted(host: WinrmHost) -> None:
    asked = host.asked(lambda: host.session().run_cmd("echo"))
    assert asked.pop("Receive") >= 1
    assert asked == {"Create": 1, "Command": 1, "Signal": 1, "Delete": 1}


def test_pypsrp_runs_a_command(host: WinrmHost) -> None:
    with host.wsman() as wsman, WinRS(wsman) as shell:
        process = Process(shell, "sh", ["-c", "'echo out; echo err >&2; exit 3'"])
        process.invoke()
        process.signal(SignalCode.CTRL_C)
        assert (process.rc, process.stdout, process.stderr) == (3, b"out\n", b"err\n")


def test_pypsrp_sends_input_in_pieces(host: WinrmHost) -> None:
    with host.wsman() as wsman, WinRS(wsman) as shell:
        process = Process(shell, "cat")
        process.begin_invoke()
        process.send(b"first ", end=False)
        process.send(b"second", end=True)
        process.end_invoke()
        assert process.stdout == b"first second"


def test_environment_and_code_page_reach_the_command(host: WinrmHost) -> None:
    with host.wsman() as wsman, WinRS(wsman, environment={"GREETING": "grüß <dich> & 'mich'"}, codepage=65001) as shell:
        process = Process(shell, "sh", ["-c", "'printf %s:%s \"$GREETING\" $CODEPAGE'"])
        process.invoke()
        assert process.stdout.decode() == "grüß <dich> & 'mich':65001"


def test_input_that_is_large_and_output_that_is_larger_come_through_whole(host: WinrmHost) -> None:
    data = bytes(range(256)) * 2000
    protocol = host.protocol()
    shell = protocol.open_shell()
    command = protocol.run_command(shell, "cat")
    found = b""
    for start in range(0, len(data), 64_000):
        piece = data[start : start + 64_000]
        protocol.send_command_input(shell, command, piece, end=start + 64_000 >= len(data))
    done = False
    while not done:
        output, _, _, done = protocol.get_command_output_raw(shell, command)
        found += output
    protocol.close_shell(shell)
    assert found == data


def test_an_answer_is_no_larger_than_the_client_takes(host: WinrmHost, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    with host.wsman(max_envelope_size=16_384) as wsman, WinRS(wsman) as shell:
        process = Process(shell, "head", ["-c", "60000", "/dev/zero"])
        send = wsman.transport.send

        def measured(message: bytes, **more: Any) -> bytes:
            answer: bytes = send(message, **more)
            sizes.append(len(answer))
            return answer

        monkeypatch.setattr(wsman.transport, "send", measured)
        process.invoke()
        assert process.stdout == bytes(60_000)
    assert max(sizes) <= 16_384


def test_a_wrong_password_is_refused(host: WinrmHost) -> None:
    with pytest.raises(InvalidCredentialsError):
        host.session(password="wrong").run_cmd("echo")


def test_a_user_that_is_not_there_is_refused(host: WinrmHost) -> None:
    with pytest.raises(InvalidCredentialsError):
        host.session(user="nobody").run_cmd("echo")


def test_one_connection_carries_all_requests(host: WinrmHost) -> None:
    protocol = host.protocol()
    host.counters.reset()
    shell = protocol.open_shell()
    protocol.cleanup_command(shell, protocol.run_command(shell, "echo"))
    protocol.close_shell(shell, close_session=False)
    assert host.counters.calls()["/connections"] == 1


def test_a_receive_without_output_is_answered_when_its_time_is_up(host: WinrmHost) -> None:
    protocol = host.protocol()
    protocol.operation_timeout_sec = 1
    shell = protocol.open_shell()
    command = protocol.run_command(shell, "cat")
    with pytest.raises(WinRMOperationTimeoutError):
        protocol.get_command_output_raw(shell, command)
    protocol.send_command_input(shell, command, b"late", end=False)
    assert protocol.get_command_output_raw(shell, command)[0] == b"late"
    protocol.close_shell(shell)


def test_many_clients_at_once_get_each_their_own(host: WinrmHost) -> None:
    host.shells.end_all()
    found: dict[int, bytes] = {}

    def work(number: int) -> None:
        found[number] = host.session().run_cmd("echo", [str(number)]).std_out

    threads = [threading.Thread(target=work, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == {number: b"%d\n" % number for number in range(12)}
    assert host.shells.show() == []


def test_without_tls_nothing_is_sent_plain(tmp_path: Path) -> None:
    with WinrmHost(tmp_path, tls=False) as host:
        for transport in ("basic", "ntlm"):
            session = host.session(transport=transport, message_encryption="never")
            with pytest.raises(InvalidCredentialsError):
                session.run_cmd("echo")
        assert host.counters.calls().get("Create", 0) == 0
