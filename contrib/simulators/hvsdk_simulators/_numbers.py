"""Numbers on the command line, and what is said of those that make no sense."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable

__all__ = ["amount", "whole"]


def whole(least: int, most: float = math.inf) -> Callable[[str], int]:
    """Read a whole number within limits."""

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"not a whole number: {text!r}") from None
        if not least <= number <= most:
            limits = f"at least {least}" if most == math.inf else f"from {least} to {most}"
            raise argparse.ArgumentTypeError(f"out of range: {text}; it is {limits}")
        return number

    return read


def amount(text: str) -> float:
    """Read a number that is not below zero, such as seconds."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"not a number from zero on: {text!r}")
    return number
