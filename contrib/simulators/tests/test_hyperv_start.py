"""The process around a Hyper-V host: what it is started with, what it says of itself, and how it ends."""

from __future__ import annotations

import base64
import json
import pickle
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import winrm
from hvsdk_simulators import ControlError, Running, start
from hvsdk_simulators.hyperv.actions import ACTIONS
from hvsdk_simulators.hyperv.cmdlets import registry
from hvsdk_simulators.hyperv.initial import populate
from hvsdk_simulators.hyperv.options import Options
from hvsdk_simulators.hyperv.world import World
from hvsdk_simulators.winrm.endpoint import ERRORS
from hvsdk_simulators.wire.faults import Action
from hyperv_shell import needs_powershell

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
SECTION = README.partition("\n## hyperv")[2].partition("\n## ")[0]


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with start("hyperv", domains=3, tls=False) as running:
        yield running


def session(running: Running) -> winrm.Session:
    """Return a session of pywinrm."""
    where = running.url.partition("@")[2]
    return winrm.Session(
        f"http://{where}/wsman", auth=(running.username, running.password), transport="ntlm", ca_trust_path=None
    )


def test_the_start_line_has_what_a_client_needs(running: Running) -> None:
    assert re.fullmatch(r"hyperv\+http://Administrator@127\.0\.0\.1:\d+", running.url)
    assert running.fingerprint == ""
    assert [one["name"] for one in running.members] == ["HV-1"]
    assert running.root is not None
    assert sum(file.name.endswith(".vhdx") for file in Path(running.root).iterdir()) == 3


def test_with_tls_it_shows_the_certificate_that_it_names() -> None:
    with start("hyperv", domains=0, nodes=3) as running:
        assert running.url.startswith("hyperv://")
        assert re.fullmatch(r"sha256:[0-9a-f]{64}", running.fingerprint)
        assert [one["name"] for one in running.members] == ["HV-1", "HV-2", "HV-3"]


def test_a_thousand_machines_are_made_in_a_moment(tmp_path: Path) -> None:
    registry.load()
    before = time.process_time()
    populate(World(Options(domains=1000), tmp_path))
    assert time.process_time() - before < 3
    assert sum(file.name.endswith(".vhdx") for file in tmp_path.iterdir()) == 1000


def test_its_files_end_with_it() -> None:
    with start("hyperv", domains=1) as running:
        root = Path(running.root or "")
        assert root.is_dir()
    assert not root.parent.exists()


def test_its_files_end_with_it_also_when_it_is_told_to_end() -> None:
    running = start("hyperv", domains=1)
    root = Path(running.root or "")
    running._process.send_signal(signal.SIGTERM)
    assert running._process.wait(20) == 0
    running.stop()
    assert not root.parent.exists()


def test_without_powershell_other_commands_say_what_they_need(running: Running) -> None:
    found = session(running).run_ps("1 + 1")
    assert found.status_code == 1
    assert b"--engine powershell" in found.std_err
    assert running.sessions() == []


def test_with_powershell_any_script_runs() -> None:
    needs_powershell()
    with start("hyperv", domains=2, tls=False, engine="powershell") as running:
        found = session(running).run_ps("$ProgressPreference = 'SilentlyContinue'; @(Get-VM).Count; '\u00e4'.Length")
        assert (found.status_code, found.std_out.split()) == (0, [b"2", b"1"])


def test_shells_are_shown_and_can_be_ended(running: Running) -> None:
    protocol = session(running).protocol
    shell = protocol.open_shell()
    assert running.sessions() == [{"id": shell, "owner": "Administrator", "commands": 0}]
    assert running.act("kill-shells") == 1
    assert running.sessions() == []


def test_the_control_door_refuses_what_cannot_be_done(running: Running) -> None:
    with pytest.raises(ControlError, match="no action"):
        running.act("nothing")
    with pytest.raises(ControlError, match="no such virtual machine"):
        running.act("guest", vm="00000000-0000-0000-0000-000000000000")
    with pytest.raises(ControlError, match="unexpected keyword argument 'hyper'"):
        running.act("rights", hyper=False)
    evil = base64.b64encode(pickle.dumps(subprocess.run)).decode()
    with pytest.raises(ControlError, match="no virtual machine"):
        running.act("arrive", vm=evil, switches={}, check=True)
    with pytest.raises(ControlError):
        running.fault("Create:nothing")


@pytest.mark.parametrize("wrong", [["--engine", "other"], ["--version", "2008"], ["--domains", "-1"], ["--fault", "x"]])
def test_a_wrong_command_line_is_refused(wrong: list[str]) -> None:
    command = [sys.executable, "-m", "hvsdk_simulators", "hyperv", *wrong]
    done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=60)
    assert done.returncode == 2
    assert b"Traceback" not in done.stderr


def test_without_powershell_that_engine_does_not_start(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hvsdk_simulators", "hyperv", "--engine", "powershell"]
    surroundings = {"PATH": str(tmp_path), "HVSDK_POWERSHELL": str(tmp_path / "none")}
    done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=60, env=surroundings)
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"PowerShell" in done.stderr
    assert b"Traceback" not in done.stderr


def test_the_readme_tells_of_all_options_faults_and_actions() -> None:
    registry.load()
    told = subprocess.run(
        [sys.executable, "-m", "hvsdk_simulators", "hyperv", "--help"], capture_output=True, text=True, timeout=60
    ).stdout
    of_pools = {Action.SESSION_EXPIRED, Action.EVENTS_LOST, Action.TASK_VANISH, Action.MASTER_CHANGE, Action.ERROR}
    wanted = set(re.findall(r"--[a-z-]+", told)) - {"--help"} | set(ERRORS)
    wanted |= {action.value for action in set(Action) - of_pools} | (set(ACTIONS) - {"arrive"})
    assert {name for name in wanted if name not in SECTION} == set()


def test_the_readmes_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", SECTION, re.DOTALL)
    exec(compile(code, "README.md", "exec"), {})
    assert "web-1" in capsys.readouterr().out


def test_the_start_line_is_as_the_readme_shows_it() -> None:
    (shown,) = re.findall(r"```json\n(.*?)```", SECTION, re.DOTALL)
    command = [sys.executable, "-m", "hvsdk_simulators", "hyperv"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        told, example = json.loads(process.stdout.readline()), json.loads(shown)
        process.stdin.close()
        assert process.wait(30) == 0
    assert list(told) == list(example)
    assert {name for name in told if told[name] == example[name]} >= {"username", "password", "members", "certificates"}


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--client-certificates", "--no-tls"], b"needs TLS"),
        (["--keytab", "/nowhere/http.keytab"], b"no keytab at /nowhere/http.keytab"),
    ],
)
def test_options_that_cannot_be_are_refused(options: list[str], told: bytes) -> None:
    command = [sys.executable, "-m", "hvsdk_simulators", "hyperv", *options]
    done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=60)
    assert (done.returncode, done.stdout) == (2, b"")
    assert told in done.stderr
    assert b"Traceback" not in done.stderr


def test_an_account_is_closed_opened_and_given_another_password() -> None:
    with start("hyperv", tls=False) as server:
        server.act("account", user="operator", state="locked")
        server.act("account", user="operator", state="normal", password="another")
        with pytest.raises(ControlError, match="no user"):
            server.act("account", user="nobody", state="locked")
        with pytest.raises(ControlError, match="locked"):
            server.act("account", user="operator", state="asleep")


@pytest.mark.parametrize("version", [2019, 2022])
def test_windows_resets_a_login_by_certificate_that_has_tls_1_3(version: int) -> None:
    with start("hyperv", client_certificates=True, version=version) as server:
        folder = Path(str(server.certificates))
        found = winrm.Session(
            f"https://{server.url.partition('@')[2]}",
            auth=("", ""),
            transport="certificate",
            cert_pem=str(folder / "client.pem"),
            cert_key_pem=str(folder / "client.key"),
            server_cert_validation="ignore",
        )
        try:
            if version < 2022:
                found.protocol.close_shell(found.protocol.open_shell(), close_session=False)
            else:
                with pytest.raises(requests.ConnectionError):
                    found.protocol.open_shell()
        finally:
            found.protocol.transport.close_session()
