"""What a command prints: a table for people, JSON or CSV for scripts. What servers say is made harmless in each."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any

from hvsdk._csv import csv_cell
from hvsdk._display import neutralise
from hvsdk._fleet.result import Failure

__all__ = ["Format", "Output", "csv_cell"]


class Format(StrEnum):
    """How results are printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


class Output:
    """Prints results on the standard output, and what went wrong on the standard error."""

    def __init__(self, format: Format) -> None:
        self.format = format

    def show(self, table: object, rows: Sequence[Mapping[str, Any]], failures: Iterable[Failure] = ()) -> None:
        """Print a list: its own table for people, its rows for scripts.

        JSON is one object with `items` and `failures`; CSV has the failures on the standard error.
        """
        failed = [failure.to_dict() for failure in failures]
        if self.format is Format.JSON:
            self.json({"items": list(rows), "failures": failed})
            return
        if self.format is Format.CSV:
            self._csv(rows)
        elif rows or not failed:
            print(table)
        if self.format is Format.CSV or not rows:
            self.complain(failed)

    def json(self, value: Any) -> None:
        """Print one JSON value; control characters are escaped by JSON itself."""
        print(json.dumps(value, indent=2, ensure_ascii=True, default=str))

    def line(self, text: str) -> None:
        """Print a line for people, unless scripts are listening."""
        if self.format is Format.TABLE:
            print(neutralise(text))

    def complain(self, failures: Iterable[Mapping[str, Any]]) -> None:
        """Say on the standard error who did not answer, or on what it failed."""
        for one in failures:
            what = one["host"] if one.get("domain") is None else f"{one['domain']} on {one['host']}"
            print(neutralise(f"{what}: {one['kind']}: {one['error']}"), file=sys.stderr)

    @staticmethod
    def _csv(rows: Sequence[Mapping[str, Any]]) -> None:
        names = list(dict.fromkeys(name for row in rows for name in row))
        if not names:  # nothing is known of what the columns would be
            return
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(names)
        writer.writerows([csv_cell(row.get(name)) for name in names] for row in rows)
        sys.stdout.write(text.getvalue())
