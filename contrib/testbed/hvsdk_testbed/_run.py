"""Other programs, run as argument lists and with an error that says what they said."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path


class TestbedError(Exception):
    """A part of the testbed could not be made or did not do what it should."""

    __test__ = False  # the name looks like a test class to pytest


def run(
    command: Sequence[str | os.PathLike[str]], *, cwd: Path | None = None, timeout: float = 120.0
) -> bytes:
    """Run a program to its end and return what it wrote to its standard output.

    Raises:
        TestbedError: It is not installed, failed, or took longer than `timeout` seconds.
    """
    words = [os.fspath(word) for word in command]
    if shutil.which(words[0]) is None:
        raise TestbedError(f"{words[0]} is not installed; hvsdk_testbed.packages names the package")
    try:
        done = subprocess.run(
            words, cwd=cwd, timeout=timeout, stdin=subprocess.DEVNULL, capture_output=True, check=False
        )
    except subprocess.TimeoutExpired as exc:
        raise TestbedError(f"{words[0]} did not end within {timeout:g} s: {' '.join(words)}") from exc
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip()
        raise TestbedError(f"{' '.join(words)} ended with {done.returncode}: {said[-2000:]}")
    return done.stdout
