"""What a command does when nobody reads on what it prints, such as `head` that has seen enough."""

from __future__ import annotations

import os

__all__ = ["PIPE_CLOSED", "reader_gone"]

PIPE_CLOSED = 141
"""What shells say of a program whose reader has gone (128 + SIGPIPE)."""


def reader_gone() -> int:
    """Let the rest of the output lead nowhere, so that the interpreter's end does not complain; return the exit code."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    return PIPE_CLOSED
