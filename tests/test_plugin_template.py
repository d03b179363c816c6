"""The template of a third-party backend: installed from its own distribution, it passes its own tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TEMPLATE = Path(__file__).parents[1] / "contrib" / "plugin-template"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Install a copy of the template beside us, and return an environment in which it is found."""
    source, target = tmp_path_factory.mktemp("source") / "template", tmp_path_factory.mktemp("site")
    shutil.copytree(TEMPLATE, source, ignore=shutil.ignore_patterns(".*", "__pycache__"))
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
    offline = ["--no-deps", "--no-build-isolation", "--no-index", "--target", str(target), str(source)]
    subprocess.run([*pip, *offline], check=True, timeout=110)
    return os.environ | {"PYTHONPATH": str(target)}


def run(environment: dict[str, str], *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *arguments], env=environment, cwd=cwd, capture_output=True, text=True, check=False
    )


@pytest.mark.timeout(240)
def test_it_passes_the_conformance_kit(installed: dict[str, str], tmp_path: Path) -> None:
    shutil.copytree(TEMPLATE / "tests", tmp_path / "tests")
    shutil.copy(TEMPLATE / "pyproject.toml", tmp_path)
    done = run(installed, "pytest", "-q", "-p", "no:cacheprovider", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout


def test_installing_it_is_all_it_takes_to_use_it(installed: dict[str, str], tmp_path: Path) -> None:
    listed = run(installed, "hvsdk", cwd=tmp_path)
    assert listed.returncode == 0, listed.stderr
    assert "shed" in listed.stdout


@pytest.mark.timeout(240)
def test_it_passes_the_kit_from_the_shell(installed: dict[str, str], tmp_path: Path) -> None:
    url = f"shed://{tmp_path}/machines?create=yes"
    done = run(installed, "hvsdk", "conformance", url, "--create", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
