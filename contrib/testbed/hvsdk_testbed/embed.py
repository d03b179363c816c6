"""The QEMU driver inside the process: `qemu:///embed?root=<directory>`, with no daemon.

A process can use one root only, and a root serves one process at a time.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

QEMU_CONF = """\
user = "root"
group = "root"
stdio_handler = "file"
"""
"""QEMU runs as root, so that a define does not probe it anew each time, and libvirt writes the log files
itself, so that a start needs no virtlogd."""

SCREENS = 100
"""How many guests of one process can have a VNC server."""


def screen_ports() -> str:
    """Return the settings of the ports that VNC servers of this process may have.

    libvirt looks for a free one and QEMU takes it a moment later: processes with one range would meet there.
    """
    first = 5900 + os.getpid() % 250 * SCREENS
    return f"remote_display_port_min = {first}\nremote_display_port_max = {first + SCREENS - 1}\n"


ROOT_MAX = 30
"""libvirt makes unix sockets below the root, whose paths end at 107 bytes; the agent's takes up to 77."""


def prepare_root(path: str | Path) -> str:
    """Make a directory ready for the embedded driver, and return the URI to open.

    Call it before the first connection.

    Raises:
        ValueError: The path is longer than `ROOT_MAX` or needs quoting in a URI.
    """
    root = Path(path).absolute()
    if any(character in str(root) for character in "?&#% "):
        raise ValueError(f"root is {str(root)!r}; give a path that needs no quoting in a URI")
    if len(str(root)) > ROOT_MAX:
        raise ValueError(f"root is {str(root)!r}; give a path of at most {ROOT_MAX} characters")
    etc = root / "etc"
    etc.mkdir(parents=True, exist_ok=True)
    (etc / "qemu.conf").write_text(QEMU_CONF + screen_ports(), encoding="ascii")
    return f"qemu:///embed?root={root}"


@contextmanager
def temporary_root() -> Iterator[Path]:
    """Lend a directory with a short path for `prepare_root`, and remove it with all that is in it."""
    root = Path(tempfile.mkdtemp(prefix="hvsdk-", dir="/tmp"))
    try:
        yield root
    finally:
        shutil.rmtree(root, ignore_errors=True)
