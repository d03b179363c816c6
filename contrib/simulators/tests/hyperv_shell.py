"""A simulated Hyper-V host whose commands are started as a shell does, without a wire."""

from __future__ import annotations

import base64
import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from hvsdk_simulators.hyperv import engines
from hvsdk_simulators.hyperv.options import Options
from hvsdk_simulators.hyperv.world import World
from xapi_reference import reference

__all__ = ["Shell", "command_line", "needs_powershell"]

_TOOL = Path(__file__).resolve().parents[4] / "shared" / "tools" / "powershell"


def needs_powershell() -> None:
    """Skip where there is no PowerShell, or no model to make its stand-in of."""
    reference("hyperv-model.json.gz")
    if not (os.environ.get("HVSDK_POWERSHELL") or _TOOL.exists() or shutil.which("pwsh")):
        pytest.skip("there is no PowerShell: name one with HVSDK_POWERSHELL")


def command_line(script: str) -> str:
    """Return what starts a script."""
    return "powershell.exe -NoProfile -NonInteractive -EncodedCommand " + base64.b64encode(
        script.encode("utf-16-le")
    ).decode("ascii")


class Shell:
    """A world, and what is run on it."""

    def __init__(self, root: Path, **options: Any) -> None:
        self.world = World(Options(**{"domains": 0, **options}), root)

    def start(self, line: str) -> Any:
        return engines.start(self.world, line, {}, self.world.options.codepage)

    def run(self, script: str, seconds: float = 60.0) -> tuple[int, str, str]:
        """Run a script to its end, and return exit code, output and errors."""
        process = self.start(command_line(script))
        process.close_input()
        end = time.monotonic() + seconds
        found = {"stdout": b"", "stderr": b""}
        while process.exit_code() is None and time.monotonic() < end:
            process.wait_output(1)
            for stream, data in process.read():
                found[stream] += data
        code = process.exit_code()
        if code is None:
            process.kill()
            raise AssertionError("the script did not end")
        return code, found["stdout"].decode("cp437"), found["stderr"].decode("cp437")

    def lines(self, script: str) -> list[str]:
        """Run a script, and return the lines of its output."""
        code, output, errors = self.run(script)
        assert code == 0, errors
        return output.replace("\r\n", "\n").splitlines()
