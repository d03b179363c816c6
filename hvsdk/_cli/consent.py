"""Asking before something is done that cannot be taken back."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

__all__ = ["DryRun", "Yes", "agreed"]

DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be touched, and whether it could be done.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def agreed(touched: object, question: str) -> bool:
    """Show on the standard error what would be touched, and ask; without a terminal nobody agrees."""
    print(touched, file=sys.stderr)
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        print("there is no terminal to ask: give --yes", file=sys.stderr)
    elif typer.confirm(question, err=True):
        return True
    print("nothing was done", file=sys.stderr)
    return False
