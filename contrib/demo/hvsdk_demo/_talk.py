"""What the demonstration says: headings, the lines one would type, and what they give."""

from __future__ import annotations

import time

_BEGAN = time.monotonic()


def heading(text: str) -> None:
    """Begin a part."""
    print(f"\n[{time.monotonic() - _BEGAN:5.1f} s] {text}", flush=True)


def typed(line: str) -> None:
    """Show what one would type."""
    print(f"    >>> {line}", flush=True)


def say(text: object) -> None:
    """Show what came of it."""
    for line in str(text).splitlines():
        print(f"    {line}", flush=True)
