"""The process around a pool: what it is started with, what it says of itself, and how it ends."""

from __future__ import annotations

import hashlib
import json
import re
import signal
import socket
import ssl
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest
from hvsdk_simulators import ControlError, Running, start
from hvsdk_simulators.__main__ import main
from hvsdk_simulators.wire.faults import Action
from hvsdk_simulators.xapi.actions import ACTIONS
from hvsdk_simulators.xapi.vm import Guest

TIMEOUT = 20
README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with start("xapi", domains=3, hosts=2, api="2.15", fault=["VM.get_all:error=A,b:1"]) as running:
        yield running


def shown_certificate(port: int, context: ssl.SSLContext) -> bytes:
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT) as plain, context.wrap_socket(plain) as secure:
        return secure.getpeercert(binary_form=True) or b""


def test_each_member_has_a_certificate_of_its_own(running: Running) -> None:
    told = [member["fingerprint"] for member in running.members]
    shown = [shown_certificate(member["port"], ssl.create_default_context()) for member in running.members]
    assert told == [f"sha256:{hashlib.sha256(one).hexdigest()}" for one in shown]
    assert len(set(told)) == 2
    assert running.fingerprint == told[0]


def test_the_start_line_leads_to_every_member(running: Running) -> None:
    for member in running.members:
        assert f"{member['address']}=127.0.0.1:{member['port']}" in running.url
    assert running.password not in running.url
    assert running.password not in repr(running)


def test_faults_of_the_command_line_are_there_from_the_beginning(running: Running) -> None:
    assert [one["spec"] for one in running.faults()] == ["VM.get_all:error=A,b:1"]


def test_the_control_door_says_why_it_refuses(running: Running) -> None:
    with pytest.raises(ControlError, match="not a fault"):
        running.fault("nonsense")
    with pytest.raises(ControlError, match="no action nonsense"):
        running.act("nonsense")


def test_old_servers_speak_tls_1_0_alone() -> None:
    with start("xapi", domains=0, tls_legacy=True) as old:
        port = old.members[0]["port"]
        with pytest.raises(ssl.SSLError):
            shown_certificate(port, ssl.create_default_context())
        context = ssl.create_default_context()
        context.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = ssl.TLSVersion.TLSv1
        assert shown_certificate(port, context)


@pytest.mark.parametrize("told", [False, True])
def test_it_ends_with_its_input_or_when_it_is_told_to(told: bool) -> None:
    command = [sys.executable, "-m", "hvsdk_simulators", "xapi", "--domains", "0", "--no-tls"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["fingerprint"] == ""
        if told:
            process.send_signal(signal.SIGTERM)
        else:
            process.stdin.close()
        assert process.wait(TIMEOUT) == 0


def test_what_cannot_be_started_is_said(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RuntimeError, match="did not start"):
        start("xapi", fault="VM.start:explode")
    assert "no such action: 'explode'" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--api", "two", "not an API version: 'two'; it is written 2.15"),
        ("--api", "9.9", "there are 1.1 to 2.23"),
        ("--domains", "-1", "it is at least 0"),
        ("--domains", "many", "not a whole number: 'many'"),
        ("--hosts", "0", "it is at least 1"),
        ("--latency", "-1", "not a number from zero on"),
        ("--duration-scale", "nan", "not a number from zero on"),
        ("--control-port", "65536", "it is from 0 to 65535"),
        ("--invented", "1", "unrecognized arguments: --invented"),
    ],
)
def test_options_that_mean_nothing_are_refused_by_name(
    capsys: pytest.CaptureFixture[str], option: str, value: str, said: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["xapi", option, value])
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert option in error
    assert said in error


def test_a_port_that_is_taken_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert main(["xapi", "--domains", "0", "--control-port", str(taken.getsockname()[1])]) == 2
    assert "Address already in use" in capsys.readouterr().err


def test_the_readme_names_all_options_faults_and_actions(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["xapi", "--help"])
    options = set(re.findall(r"--[a-z-]+", capsys.readouterr().out)) - {"--help"}
    assert {option for option in options if f"`{option}" not in README} == set()
    assert {action for action in Action if f"`{action}" not in README} == set()
    assert {name for name in ACTIONS if f"| `{name}`" not in README} == set()
    assert {one.name for one in attrs.fields(Guest) if f"`{one.name}`" not in README} == set()
