"""`server.ps1` in a real PowerShell on pipes: requests, answers, and long operations."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hyperv_support import powershell

from hvsdk_hyperv import _scripts
from hvsdk_hyperv._frames import Lines, encode, packed

OPERATIONS = r"""
$Operations['test.echo'] = { param($Arguments) @{ got = $Arguments.value; one = @('x'); none = @() } }
$Operations['test.list'] = { param($Arguments) ,@('x') }
$Operations['test.empty'] = { param($Arguments) ,@() }
$Operations['test.nothing'] = { param($Arguments) }
$Operations['test.noise'] = { param($Arguments) [Console]::Out.Write('noise'); Write-Host 'more'; Write-Warning 'w'; 1 }
$Operations['test.refuse'] = { param($Arguments) Stop-Operation 'GuestAgent' 'no agent' @{ not_yet = $true } }
$Operations['test.throw'] = { param($Arguments) throw 'Der Zugriff ist verweigert (0x80070020).' }
$Operations['test.long'] = {
    param($Arguments)
    $done = $false
    try {
        foreach ($step in 1..100) { Write-Share ($step / 100); Start-Sleep -Milliseconds 20 }
        $done = $true
        @{ ok = $true }
    } finally { if (-not $done) { $global:Undone = ConvertTo-Json @{ by = 'finally' } -Compress } }
}
$Operations['test.undone'] = { param($Arguments) $global:Undone }
$Operations['test.time'] = { param($Arguments) ConvertTo-Time ([datetime]'2024-02-03T04:05:06.789Z') }
"""
HOSTILE = [
    "a'b\"`$(1+1)\n\r;",
    "‘’‚‛“”",
    "[x]*?",
    "日本語 ß 😀 €",
    "\x1b[31m\x07",
    "x" * 5000,
    "\\/Date(1)\\/",
    "\t'@\n",
]


class Resident:
    """The scripts in a process of their own."""

    def __init__(self) -> None:
        program, arguments = powershell(), _scripts.command_line()[1]
        environment = os.environ | {"POWERSHELL_CODEPAGE": "437"}
        self._process = subprocess.Popen(
            [program, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
        *others, last = map(_scripts.source, _scripts.names())
        self._write(packed("\n".join([*others, OPERATIONS, last])))
        self._lines = Lines()
        self._number = 0

    def _write(self, data: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(data)
        self._process.stdin.flush()

    def ask(self, operation: str, arguments: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
        """Return the answer to a request."""
        self._number += 1
        self._write(encode({"id": self._number, "operation": operation, "arguments": arguments or {}, **more}))
        assert self._process.stdout is not None
        while True:
            line = self._process.stdout.readline()
            assert line, "PowerShell ended"
            for answer in self._lines.feed(line):
                assert answer["id"] == self._number
                return answer

    def end(self) -> int:
        """Close its standard input, and return the exit code."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        code = self._process.wait(20)
        self._process.stdout.close()
        return code


@pytest.fixture(scope="module")
def shared() -> Iterator[Resident]:
    resident = Resident()
    yield resident
    assert resident.end() == 0


@pytest.mark.parametrize("text", HOSTILE)
def test_any_text_comes_back_as_it_was_on_a_console_with_code_page_437(shared: Resident, text: str) -> None:
    for more in ({}, {"wait": 5}):
        assert shared.ask("test.echo", {"value": text}, **more)["result"] == {"got": text, "one": ["x"], "none": []}


def test_lists_of_one_and_of_none_stay_lists(shared: Resident) -> None:
    assert shared.ask("test.list")["result"] == ["x"]
    assert shared.ask("test.empty")["result"] == []
    assert shared.ask("test.nothing")["result"] is None
    assert shared.ask("test.empty", wait=5)["result"] == []


def test_what_else_is_written_disturbs_no_answer(shared: Resident) -> None:
    assert shared.ask("test.noise")["result"] == 1
    assert shared.ask("test.noise", wait=5)["result"] == 1


def test_a_refusal_says_of_what_kind_it_is(shared: Resident) -> None:
    for more in ({}, {"wait": 5}):
        error = shared.ask("test.refuse", **more)["error"]
        assert (error["kind"], error["message"], error["details"]) == ("GuestAgent", "no agent", {"not_yet": True})


def test_numbers_in_localized_messages_are_found(shared: Resident) -> None:
    error = shared.ask("test.throw")["error"]
    assert "0x80070020" in error["hresults"]
    assert error["kind"] is None


def test_an_unknown_operation_and_a_broken_line_are_answered(shared: Resident) -> None:
    assert shared.ask("test.unknown")["error"]["kind"] == "Unsupported"
    shared._write(b"this is no base64\r\n")
    shared._number = None  # type: ignore[assignment]
    try:
        assert shared._process.stdout is not None
        (answer,) = shared._lines.feed(shared._process.stdout.readline())
        assert (answer["id"], "error" in answer) == (None, True)
    finally:
        shared._number = 1000


def test_a_long_operation_tells_how_far_it_is_and_its_end_is_kept(shared: Resident) -> None:
    job = shared.ask("test.long", wait=0.3)["job"]
    first = shared.ask("job.poll", {"job": job, "wait": 0.3})["result"]
    assert (first["done"], 0 < first["share"] < 1) == (False, True)
    assert shared.ask("test.list")["result"] == ["x"]  # others are answered meanwhile
    end = {"done": True, "result": {"ok": True}}
    assert shared.ask("job.poll", {"job": job, "wait": 10})["result"] == end
    assert shared.ask("job.poll", {"job": job, "wait": 10})["result"] == end


def test_a_cancelled_operation_takes_back_what_it_made(shared: Resident) -> None:
    job = shared.ask("test.long", wait=0.3)["job"]
    assert shared.ask("job.cancel", {"job": job})["result"] is None
    assert shared.ask("job.cancel", {"job": job})["result"] is None
    end = shared.ask("job.poll", {"job": job, "wait": 10})["result"]
    assert (end["done"], end["error"]["kind"]) == (True, "Cancelled")
    assert shared.ask("test.undone", wait=5)["result"] == '{"by":"finally"}'


def test_an_operation_of_another_connection_is_not_found(shared: Resident) -> None:
    assert shared.ask("job.poll", {"job": 4711, "wait": 0})["error"]["kind"] == "NotFound"


def test_times_are_iso_8601_in_utc(shared: Resident) -> None:
    assert shared.ask("test.time")["result"] == "2024-02-03T04:05:06.789000Z"


def test_without_the_module_it_says_so(shared: Resident) -> None:
    assert shared.ask("host.about")["result"]["problem"] == "module"


def test_the_end_of_standard_input_ends_it_also_after_long_operations() -> None:
    resident = Resident()
    resident.ask("test.list", wait=5)
    resident.ask("test.long", wait=0.1)
    began = time.monotonic()
    assert resident.end() == 0
    assert time.monotonic() - began < 10
