"""Quotas, time limits, and requests that are refused with the faults of Windows."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from winrm.exceptions import WSManFaultError
from winrm.protocol import Protocol
from winrm_host import WinrmHost

NO_SHELL = NO_COMMAND = 2150858843


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WinrmHost]:
    with WinrmHost(tmp_path_factory.mktemp("winrm"), shells=3, processes=2, operations=4) as running:
        yield running


@pytest.fixture
def protocol(host: WinrmHost) -> Iterator[Protocol]:
    yield host.protocol()
    host.shells.end_all()


def refused(call: Callable[[], object]) -> WSManFaultError:
    """Return the fault that a call ends with."""
    with pytest.raises(WSManFaultError) as caught:
        call()
    assert caught.value.code == 500
    return caught.value


def test_a_user_has_only_so_many_shells(protocol: Protocol) -> None:
    shells = [protocol.open_shell() for _ in range(3)]
    fault = refused(protocol.open_shell)
    assert (fault.fault_code, fault.fault_subcode, fault.wsman_fault_code) == ("s:Sender", "w:QuotaLimit", 2150859173)
    assert "maximum number of 3 concurrent shells" in str(fault)
    protocol.close_shell(shells[0], close_session=False)
    protocol.open_shell()


def test_another_user_has_shells_of_its_own(host: WinrmHost, protocol: Protocol) -> None:
    shells = [protocol.open_shell() for _ in range(3)]
    other = host.protocol("operator")
    other.open_shell()
    assert refused(lambda: other.run_command(shells[0], "echo")).wsman_fault_code == NO_SHELL
    assert {one["owner"] for one in host.shells.show()} == {"Administrator", "operator"}


def test_a_shell_has_only_so_many_processes_at_a_time(protocol: Protocol) -> None:
    shell = protocol.open_shell()
    first = protocol.run_command(shell, "cat")
    protocol.run_command(shell, "cat")
    assert refused(lambda: protocol.run_command(shell, "cat")).fault_subcode == "w:QuotaLimit"
    protocol.cleanup_command(shell, first)
    protocol.run_command(shell, "cat")


def test_what_a_shell_has_done_counts_until_it_is_closed(protocol: Protocol) -> None:
    shell = protocol.open_shell()
    for _ in range(4):
        protocol.cleanup_command(shell, protocol.run_command(shell, "echo"))
    fault = refused(lambda: protocol.run_command(shell, "echo"))
    assert fault.wsman_fault_code == 2150859174
    protocol.close_shell(shell, close_session=False)
    protocol.run_command(protocol.open_shell(), "echo")


def test_a_shell_that_is_closed_is_gone_with_its_processes(host: WinrmHost, protocol: Protocol) -> None:
    shell = protocol.open_shell()
    command = protocol.run_command(shell, "cat")
    process = next(iter(host.shells.find(shell, "Administrator").commands.values())).process
    protocol.close_shell(shell, close_session=False)
    assert process.process.wait(10) != 0  # type: ignore[attr-defined]
    fault = refused(lambda: protocol.get_command_output_raw(shell, command))
    assert (fault.fault_subcode, fault.wsman_fault_code) == ("w:InvalidSelectors", NO_SHELL)


def test_a_shell_that_nobody_uses_ends(host: WinrmHost, protocol: Protocol) -> None:
    shell = protocol.open_shell(idle_timeout="PT0.3S")
    kept = protocol.open_shell()
    began = time.monotonic()
    while len(host.shells.show()) > 1 and time.monotonic() - began < 10:
        time.sleep(0.05)
    assert [one["id"] for one in host.shells.show()] == [kept]
    assert refused(lambda: protocol.run_command(shell, "echo")).wsman_fault_code == NO_SHELL


def test_a_shell_in_which_somebody_waits_is_not_idle(host: WinrmHost, protocol: Protocol) -> None:
    protocol.operation_timeout_sec = 3
    shell = protocol.open_shell(idle_timeout="PT0.3S")
    command = protocol.run_command(shell, "sleep", ["2"])
    assert protocol.get_command_output_raw(shell, command)[3]


def test_a_command_that_has_ended_is_not_there_any_more(protocol: Protocol) -> None:
    shell = protocol.open_shell()
    command = protocol.run_command(shell, "echo")
    assert protocol.get_command_output(shell, command)[2] == 0
    assert refused(lambda: protocol.get_command_output_raw(shell, command)).wsman_fault_code == NO_COMMAND
    assert refused(lambda: protocol.send_command_input(shell, command, b"late")).wsman_fault_code == NO_COMMAND


def test_an_empty_command_is_refused(protocol: Protocol) -> None:
    assert refused(lambda: protocol.run_command(protocol.open_shell(), " ")).wsman_fault_code == 87


def test_a_program_that_is_not_there_is_told(protocol: Protocol) -> None:
    assert refused(lambda: protocol.run_command(protocol.open_shell(), "/no/such/program")).fault_code == "s:Receiver"


def test_a_line_is_no_longer_than_cmd_takes(host: WinrmHost, protocol: Protocol) -> None:
    fits, longer = host.session(), host.session()
    assert fits.run_cmd("true", ["x" * (8191 - 5)]).status_code == 0
    found = longer.run_cmd("true", ["x" * (8192 - 5)])
    assert (found.status_code, found.std_err) == (1, b"The command line is too long.\r\n")


def test_a_shell_that_ends_under_a_request_aborts_it(host: WinrmHost, protocol: Protocol) -> None:
    shell = protocol.open_shell()
    command = protocol.run_command(shell, "sleep", ["60"])
    timer = threading.Timer(0.2, host.shells.end_all)
    timer.start()
    assert refused(lambda: protocol.get_command_output_raw(shell, command)).wsman_fault_code == 995


def test_many_threads_come_no_further_than_the_quota(tmp_path: Path) -> None:
    with WinrmHost(tmp_path, shells=5) as host:
        outcomes: list[bool] = []

        def work() -> None:
            try:
                host.protocol().open_shell()
                outcomes.append(True)
            except WSManFaultError:
                outcomes.append(False)

        threads = [threading.Thread(target=work) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert sorted(outcomes) == [False] * 7 + [True] * 5
