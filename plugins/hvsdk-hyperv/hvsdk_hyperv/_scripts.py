"""The scripts of this package: constant files, sent as they are."""

from __future__ import annotations

import base64
import functools
from importlib import resources

from hvsdk_hyperv._frames import packed

__all__ = ["command_line", "names", "scripts_line", "source"]

_FIRST, _LAST, _BOOTSTRAP = "common.ps1", "server.ps1", "bootstrap.ps1"


def names() -> list[str]:
    """Return the names of the files, in the order in which they are run; the bootstrap is none of them."""
    found = {one.name for one in resources.files(__package__).joinpath("scripts").iterdir()}
    subjects = sorted(name for name in found if name.endswith(".ps1") and name not in (_FIRST, _LAST, _BOOTSTRAP))
    return [_FIRST, *subjects, _LAST]


@functools.cache
def source(name: str) -> str:
    """Return what is in a file, without comments that stand alone: they need not travel."""
    text = resources.files(__package__).joinpath("scripts", name).read_text("utf-8")
    return "\n".join(line.rstrip() for line in text.splitlines() if not line.lstrip().startswith("# "))


@functools.cache
def scripts_line() -> bytes:
    """Return all scripts as the first line of standard input."""
    return packed("\n".join(map(source, names())))


@functools.cache
def command_line() -> tuple[str, list[str]]:
    """Return the program and its arguments: far below the 8191 characters that cmd.exe takes."""
    encoded = base64.b64encode(source(_BOOTSTRAP).strip().encode("utf-16-le")).decode()
    return "powershell.exe", ["-NoLogo", "-NoProfile", "-NonInteractive", "-EncodedCommand", encoded]
