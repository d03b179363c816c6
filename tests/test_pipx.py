"""Installed by pipx, the command is there with the backends that were asked for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.full, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[1]
BACKENDS = ("xen", "vmware", "hyperv")


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Build the distributions, install them as a user does, and return the command."""
    pytest.importorskip("pipx")
    work = tmp_path_factory.mktemp("pipx")
    wheels = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(work / "dist")]
    sources = [ROOT, *(ROOT / "plugins" / f"hvsdk-{name}" for name in BACKENDS)]
    subprocess.run([*wheels, *map(str, sources)], check=True, timeout=200)
    homes = {"PIPX_HOME": str(work / "home"), "PIPX_BIN_DIR": str(work / "bin"), "PIPX_MAN_DIR": str(work / "man")}
    wanted = f"hvsdk[cli,{','.join(BACKENDS)}]"
    pipx = [sys.executable, "-m", "pipx", "install", f"--pip-args=--find-links={work / 'dist'}", wanted]
    subprocess.run(pipx, env=os.environ | homes, check=True, timeout=400)
    return str(work / "bin" / "hvsdk")


def run(command: str, *arguments: str) -> str:
    done = subprocess.run([command, *arguments], capture_output=True, text=True, timeout=60, check=True)
    return done.stdout


def test_the_backends_are_there(command: str) -> None:
    told = run(command, "backends")
    assert all(name in told for name in BACKENDS)
    assert "failed" not in told


def test_it_lists_domains(command: str) -> None:
    told = json.loads(run(command, "ls", "--url", "fake://demo?domains=3", "--json"))
    assert len(told["items"]) == 3
