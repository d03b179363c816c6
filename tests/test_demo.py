"""The demonstration: it shows what it promises, and leaves nothing behind, also when it is interrupted."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

DEMO = Path(__file__).parents[1] / "contrib" / "demo"

pytestmark = pytest.mark.skipif(shutil.which("qemu-system-x86_64") is None, reason="QEMU is not installed")


@contextmanager
def demo(output: Path) -> Iterator[subprocess.Popen[str]]:
    """Start the demonstration as `make demo` does."""
    command = [sys.executable, "-m", "hvsdk_demo", "--output", str(output)]
    environment = os.environ | {"PYTHONPATH": str(DEMO)}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for(process: subprocess.Popen[str], text: str) -> str:
    """Read what it says until it has said this, and return the directory below which its guests live."""
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        if text in line:
            break
    else:
        pytest.fail("".join(said))
    opened = (os.readlink(link) for link in Path(f"/proc/{process.pid}/fd").iterdir() if link.is_symlink())
    return next("/".join(path.split("/")[:3]) for path in opened if path.startswith("/tmp/hvsdk-"))


def guests_below(root: str) -> list[str]:
    """Return the command lines of QEMU processes of this demonstration."""
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            command = (entry / "cmdline").read_text(errors="replace") if entry.name.isdigit() else ""
            if "qemu-system" in command and f"{root}/" in command:
                found.append(command)
    return found


@pytest.mark.timeout(180)
def test_it_goes_through_everything_and_leaves_nothing(tmp_path: Path) -> None:
    with demo(tmp_path) as process:
        root = wait_for(process, "hvsdk guest shop-web up")
        assert len(guests_below(root)) == 2
        said, _ = process.communicate(timeout=170)
    assert process.returncode == 0, said
    for line in ("hvsdk guest shop-db up", "shop-db off", "its first line of text is there"):
        assert line in said
    left_out = "VMware is left out: vcsim is built with Go" in said and not os.environ.get("CI")
    assert left_out or "The same verbs on VMware" in said
    assert (tmp_path / "shop-web.png").read_bytes().startswith(b"\x89PNG")
    assert not guests_below(root)
    assert not Path(root).exists()


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.full)], ids=lambda number: number.name
)
def test_interrupted_it_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    with demo(tmp_path) as process:
        root = wait_for(process, "hvsdk guest shop-web up")
        assert guests_below(root)
        process.send_signal(number)
        process.send_signal(number)
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "The guests are gone." in said
    assert not guests_below(root)
    assert not Path(root).exists()
