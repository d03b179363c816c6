"""The two engines as processes: input, output, the end."""

from __future__ import annotations

import base64
import gzip
import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from hvsdk_simulators.hyperv.cmdlets.errors import CmdletError
from hvsdk_simulators.hyperv.cmdlets.registry import CMDLETS, run
from hvsdk_simulators.hyperv.twins import registry as twins
from hvsdk_simulators.hyperv.world import StoppedError
from hyperv_shell import Shell, command_line, needs_powershell

_BOOTSTRAP = "$first = [Console]::In.ReadLine(); while ($line = [Console]::In.ReadLine()) { $line }"


@pytest.fixture
def operations() -> Any:
    """Operations of a test's own."""
    twins.load()
    before = dict(twins.OPERATIONS)
    yield twins.OPERATIONS
    twins.OPERATIONS.clear()
    twins.OPERATIONS.update(before)


class Resident:
    """A resident script of the engine in Python, asked line by line."""

    def __init__(self, shell: Shell) -> None:
        self.process = shell.start(command_line(_BOOTSTRAP))
        self.process.write(b"scripts\r\n")
        self.buffer = b""
        self.number = 0

    def ask(self, operation: str, arguments: Any = None, **more: Any) -> dict[str, Any]:
        self.number += 1
        request = {"id": self.number, "operation": operation, "arguments": arguments, **more}
        return self.line(base64.b64encode(gzip.compress(json.dumps(request).encode())))

    def line(self, line: bytes) -> dict[str, Any]:
        self.process.write(line[:10])
        self.process.write(line[10:] + b"\r\n")
        while b"\r\n" not in self.buffer:
            self.process.wait_output(10)
            for stream, data in self.process.read():
                assert stream == "stdout"
                self.buffer += data
        answer, _, self.buffer = self.buffer.partition(b"\r\n")
        assert answer.startswith(b"H4sI")
        found: dict[str, Any] = json.loads(gzip.decompress(base64.b64decode(answer)))
        return found


@pytest.fixture
def resident(tmp_path: Path) -> Any:
    found = Resident(Shell(tmp_path))
    yield found
    found.process.kill()


def test_a_request_gets_its_answer(resident: Resident, operations: dict[str, Any]) -> None:
    operations["x.echo"] = lambda host, arguments: [arguments["text"], arguments["not given"]]
    answer = resident.ask("x.echo", {"text": "\u2018\u00e9\n\U0001f600"})
    assert answer == {"id": 1, "result": ["\u2018\u00e9\n\U0001f600", None]}


def test_errors_are_told_as_the_script_does(resident: Resident, operations: dict[str, Any]) -> None:
    def refuse(host: Any, arguments: Any) -> None:
        raise twins.RefusalError("PowerState", "not now", state="Off")

    def fail(host: Any, arguments: Any) -> None:
        raise CmdletError("OperationFailed", "NotSpecified", "Failed. (0x80070050)", hresult=0x80131500)

    operations |= {"x.refuse": refuse, "x.fail": fail}
    refused = resident.ask("x.refuse")["error"]
    assert (refused["kind"], refused["message"], refused["details"]) == ("PowerState", "not now", {"state": "Off"})
    failed = resident.ask("x.fail")["error"]
    assert failed["kind"] is None
    assert failed["category"] == "NotSpecified"
    assert failed["hresults"] == ["0x80131500", "0x80070050"]
    assert resident.ask("x.nothing")["error"]["kind"] == "Unsupported"


def test_what_is_no_request_is_answered_with_an_error(resident: Resident) -> None:
    answer = resident.line(b"!!! garbage !!!")
    assert answer["id"] is None
    assert "error" in answer


def test_long_operations_go_on_beside_others_and_can_be_stopped(resident: Resident, operations: dict[str, Any]) -> None:
    undone: list[str] = []

    def long(host: Any, arguments: Any) -> str:
        host.share(0.25)
        try:
            with host.world.lock:
                host.world.wait(float(arguments["seconds"]))
        except StoppedError:
            undone.append("yes")
            raise
        return "done"

    operations["x.long"] = long
    assert resident.ask("x.long", {"seconds": 0.01}, wait=5) == {"id": 1, "result": "done"}
    assert resident.ask("x.long", {"seconds": 60}, wait=0.05) == {"id": 2, "job": 2}
    poll = resident.ask("job.poll", {"job": 2, "wait": 0.05})
    assert poll["result"] == {"done": False, "share": 0.25}
    assert resident.ask("x.long", {"seconds": 0.01})["result"] == "done", "others are answered meanwhile"
    assert resident.ask("job.cancel", {"job": 2})["result"] is None
    ended = resident.ask("job.poll", {"job": 2, "wait": 10})["result"]
    assert ended["done"]
    assert ended["error"]["kind"] == "Cancelled"
    assert undone == ["yes"]
    assert resident.ask("job.poll", {"job": 2, "wait": 0})["result"] == ended, "asking again is harmless"
    assert resident.ask("job.poll", {"job": 99, "wait": 0})["error"]["kind"] == "NotFound"


def test_the_process_ends_with_its_input(tmp_path: Path) -> None:
    process = Shell(tmp_path).start(command_line(_BOOTSTRAP))
    process.close_input()
    process.wait_output(5)
    assert process.exit_code() == 0


def test_a_killed_process_answers_no_more(tmp_path: Path) -> None:
    process = Shell(tmp_path).start(command_line(_BOOTSTRAP))
    process.kill()
    process.write(b"scripts\r\nAAAA\r\n")
    process.wait_output(0.2)
    assert process.exit_code() == 1
    assert process.read() == []


def test_other_commands_need_powershell(tmp_path: Path) -> None:
    for line in ("cmd /c echo hello", "powershell -Command Get-VM", command_line("Get-VM")):
        process = Shell(tmp_path).start(line)
        process.wait_output(5)
        ((stream, text),) = process.read()
        assert (stream, process.exit_code()) == ("stderr", 1)
        assert b"needs PowerShell" in text


def test_time_passes_with_the_lock_given_up_whole(tmp_path: Path) -> None:
    world = Shell(tmp_path).world
    seen: list[float] = []

    def other() -> None:
        with world.lock:
            seen.append(time.monotonic())

    with world.lock, world.lock, world.lock:
        thread = threading.Thread(target=other)
        thread.start()
        world.wait(0.3)
        ended = time.monotonic()
        assert len(seen) == 1
        assert seen[0] < ended - 0.1
    thread.join()


def test_a_cmdlet_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(CmdletError) as failed:
        run(Shell(tmp_path).world, "Get-Nothing", {})
    assert failed.value.error_id == "CommandNotFoundException"


# ---- the engine with PowerShell --------------------------------------------------------------------------


def test_powershell_reads_its_input_and_writes_both_streams(tmp_path: Path) -> None:
    needs_powershell()
    process = Shell(tmp_path, engine="powershell").start(
        command_line(
            "while ($null -ne ($l = [Console]::In.ReadLine())) { \"<$l>\"; [Console]::Error.Write('e') }; exit 7"
        )
    )
    process.write(b"one\r\ntwo\r\n")
    process.close_input()
    pieces: list[tuple[str, bytes]] = []
    end = time.monotonic() + 30
    while process.exit_code() is None and time.monotonic() < end:
        process.wait_output(1)
        pieces += process.read()
    pieces += process.read()
    assert process.exit_code() == 7
    assert b"".join(data for stream, data in pieces if stream == "stdout").split() == [b"<one>", b"<two>"]
    assert b"".join(data for stream, data in pieces if stream == "stderr").count(b"e") >= 2


def test_powershell_can_be_killed_and_stops_what_it_asked_for(tmp_path: Path) -> None:
    needs_powershell()
    shell = Shell(tmp_path, engine="powershell")
    begun = threading.Event()
    stopped: list[bool] = []

    def slow(world: Any, p: Any) -> list[Any]:
        begun.set()
        try:
            world.wait(60)
        except StoppedError:
            stopped.append(True)
            raise
        return []

    CMDLETS["Get-VMHostCluster"] = slow
    try:
        process = shell.start(command_line("'begun'; Get-VMHostCluster -ClusterName x"))
        process.wait_output(30)
        assert process.read() == [("stdout", b"begun\r\n")]
        assert begun.wait(30)
        process.kill()
        assert process.exit_code() == 1
        end = time.monotonic() + 5
        while not stopped and time.monotonic() < end:
            time.sleep(0.02)
        assert stopped == [True]
    finally:
        del CMDLETS["Get-VMHostCluster"]


def test_powershell_finds_files_of_the_host_by_their_windows_paths(tmp_path: Path) -> None:
    needs_powershell()
    (tmp_path / "C:\\x\\a.bin").write_bytes(b"abc")
    shell = Shell(tmp_path, engine="powershell")
    assert shell.lines("[System.IO.File]::ReadAllText('C:\\x\\a.bin')") == ["abc"]


def test_a_host_that_is_no_powershell_command_is_refused(tmp_path: Path) -> None:
    needs_powershell()
    process = Shell(tmp_path, engine="powershell").start("ipconfig /all")
    ((stream, _),) = process.read()
    assert (stream, process.exit_code()) == ("stderr", 1)
