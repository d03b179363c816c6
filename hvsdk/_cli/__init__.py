"""The command line: `hvsdk ls`, `hvsdk start`, …; it needs the extra `cli`."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["run"]


def run(arguments: Sequence[str]) -> int:
    """Run a command and return its exit code: see `exits`."""
    from hvsdk._cli.app import run as run_app

    return run_app(arguments)
