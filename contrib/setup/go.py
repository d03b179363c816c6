"""Go, which the simulator of vSphere is built with: the machine's own, else the one from PyPI. Nothing else needs it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

OLDEST = (1, 23)


def on_path() -> bool:
    """Whether the machine has a Go that is new enough."""
    found = shutil.which("go")
    if found is None:
        return False
    environment = {**os.environ, "GOTOOLCHAIN": "local"}
    try:
        asked = subprocess.run(
            [found, "env", "GOVERSION"], capture_output=True, text=True, timeout=60, env=environment, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    numbers = re.match(r"go(\d+)\.(\d+)", asked.stdout)
    return numbers is not None and (int(numbers[1]), int(numbers[2])) >= OLDEST


def build_simulator(python: Path) -> None:
    """Build the simulator of vSphere, if that has not been done; where it cannot be, say so and go on.

    Tests would run out of time in a first build.
    """
    ready = "from hvsdk_simulators import _vcsim; import sys; sys.exit(not _vcsim.is_built())"
    if subprocess.run([python, "-c", ready], capture_output=True, check=False).returncode == 0:
        return
    print("setup: building the simulator of vSphere; the first time that takes minutes", flush=True)
    built = subprocess.run(
        [python, "-m", "hvsdk_simulators", "vcsim", "--build"], stdout=subprocess.DEVNULL, check=False
    )
    if built.returncode:
        print("setup: the simulator of vSphere is left out, and what needs it", file=sys.stderr)
