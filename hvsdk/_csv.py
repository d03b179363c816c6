"""Cells of CSV that are harmless in a spreadsheet."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["csv_cell"]

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_cell(value: Any) -> str:
    """Return a value for a CSV file: what a spreadsheet would take for a formula begins with an apostrophe."""
    text = "" if value is None else json.dumps(value) if isinstance(value, (list, dict)) else str(value)
    plain_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return f"'{text}" if text.startswith(_FORMULA) and not plain_number else text
