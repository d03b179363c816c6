"""Faults that are asked for, on both transports, as clients of others see them."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import requests
from hvsdk_simulators.wire.faults import FaultSyntaxError, parse
from winrm.exceptions import (
    InvalidCredentialsError,
    WinRMOperationTimeoutError,
    WinRMTransportError,
    WSManFaultError,
)
from winrm.protocol import Protocol
from winrm_host import WinrmHost


@pytest.fixture(scope="module", params=[True, False], ids=["https-basic", "http-ntlm"])
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WinrmHost]:
    with WinrmHost(tmp_path_factory.mktemp("winrm"), tls=request.param) as running:
        yield running


@pytest.fixture
def host(shared: WinrmHost) -> Iterator[WinrmHost]:
    yield shared
    shared.faults.clear()
    shared.shells.end_all()


@pytest.fixture
def protocol(host: WinrmHost) -> Protocol:
    return host.protocol()


def told(protocol: Protocol) -> tuple[bytes, bytes]:
    """Run a command, and return all that it wrote."""
    shell = protocol.open_shell()
    command = protocol.run_command(shell, "sh", ["-c", "'echo out; echo err >&2'"])
    output, errors, _ = protocol.get_command_output(shell, command)
    protocol.close_shell(shell, close_session=False)
    return output, errors


@pytest.mark.parametrize(
    ("fault", "number"),
    [
        ("Create:error=quota-shells:1", 2150859173),
        ("Command:error=quota-operations:1", 2150859174),
        ("Command:error=quota-processes:1", 2150859241),
        ("Receive:error=no-command:1", 2150858843),
        ("Receive:error=aborted:1", 995),
        ("Create:error=access-denied:1", 5),
        ("Receive:shell-gone:1", 2150858843),
        ("Command:shell-gone:1", 2150858843),
    ],
)
def test_a_fault_of_the_service_is_one_for_the_client(
    host: WinrmHost, protocol: Protocol, fault: str, number: int
) -> None:
    host.faults.add(fault)
    with pytest.raises(WSManFaultError) as caught:
        told(protocol)
    assert caught.value.wsman_fault_code == number
    assert told(protocol) == (b"out\n", b"err\n")


def test_a_time_limit_is_that_of_the_operation(host: WinrmHost, protocol: Protocol) -> None:
    host.faults.add("Create:error=operation-timeout:1")
    with pytest.raises(WinRMOperationTimeoutError):
        protocol.open_shell()
    host.faults.add("Receive:error=operation-timeout:2")
    assert told(protocol) == (b"out\n", b"err\n")


@pytest.mark.parametrize("trouble", ["drop-before", "drop-after", "half-answer"])
def test_a_connection_breaks_before_or_after_the_work(host: WinrmHost, protocol: Protocol, trouble: str) -> None:
    protocol.close_shell(protocol.open_shell(), close_session=False)
    host.faults.add(f"Create:{trouble}:1")
    with pytest.raises(requests.exceptions.RequestException):
        protocol.open_shell()
    assert len(host.shells.show()) == (0 if trouble == "drop-before" else 1)


def test_an_error_of_http_has_no_fault_in_it(host: WinrmHost, protocol: Protocol) -> None:
    host.faults.add("Create:http-500:1")
    with pytest.raises(WinRMTransportError) as caught:
        protocol.open_shell()
    assert caught.value.code == 500
    assert host.shells.show() == []


def test_a_login_is_refused_in_the_middle(host: WinrmHost, protocol: Protocol) -> None:
    shell = protocol.open_shell()
    host.faults.add("Command:unauthorized:2")
    with pytest.raises(InvalidCredentialsError):
        protocol.run_command(shell, "echo")
    assert host.shells.show()[0]["commands"] == 0


def test_an_answer_comes_late_or_byte_by_byte(host: WinrmHost, protocol: Protocol) -> None:
    host.faults.add("Create:slow=0.3:1")
    began = time.monotonic()
    shell = protocol.open_shell()
    assert time.monotonic() - began >= 0.3
    host.faults.add("Delete:trickle:1")
    protocol.close_shell(shell, close_session=False)


def test_garbage_and_progress_come_beside_the_output(host: WinrmHost, protocol: Protocol) -> None:
    host.faults.add("Receive:garbage:1")
    assert b"Something else wrote this" in told(protocol)[0]
    host.faults.add("Receive:progress:1")
    output, errors = told(protocol)
    assert output == b"out\n"
    assert b'S="progress"' in errors


def test_a_process_is_killed_and_the_shell_stays(host: WinrmHost, protocol: Protocol) -> None:
    shell = protocol.open_shell()
    command = protocol.run_command(shell, "cat")
    host.faults.add("Receive:process-gone:1")
    assert protocol.get_command_output(shell, command)[2] != 0
    protocol.run_command(shell, "echo")


def test_a_server_that_says_nothing_is_left_alone(host: WinrmHost, protocol: Protocol) -> None:
    host.faults.add("Create:freeze:1")
    protocol.transport.read_timeout_sec = 1
    with pytest.raises(requests.exceptions.ReadTimeout):
        protocol.open_shell()
    assert host.shells.show() == []


def test_faults_meet_actions_by_pattern(host: WinrmHost, protocol: Protocol) -> None:
    host.faults.add("[CS]*:error=access-denied:2")
    for _ in range(2):
        with pytest.raises(WSManFaultError):
            protocol.open_shell()
    protocol.open_shell()


@pytest.mark.parametrize("spec", ["Send:garbage=x", "Send:shell-gone=1", "Send:no-such", "Send:error", "Send:slow=x"])
def test_a_fault_that_is_none_is_refused(spec: str) -> None:
    with pytest.raises(FaultSyntaxError):
        parse(spec)
