"""Records as a table, for the prompt and for notebooks."""

from __future__ import annotations

import html
import shutil
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from enum import Enum
from itertools import islice
from typing import Any, NamedTuple

import attrs

from hvsdk._display import cut, neutralise, pad, width
from hvsdk._units import format_size
from hvsdk.errors import HvsdkError

__all__ = ["DOMAIN_COLUMNS", "Column", "columns_of", "html_table", "text_table"]

MAX_ROWS = 60
_LONGEST = 500
"""Characters of one value that are looked at: a name of a megabyte must not cost a second."""
_GAP = 2
_SHORT = (str, int, float, Enum, datetime)


class Column(NamedTuple):
    """A column: the field it shows and how far it may be narrowed."""

    field: str
    header: str
    right: bool = False
    minimum: int = 8
    longest: int = _LONGEST
    """A uuid is told by its first characters."""


DOMAIN_COLUMNS = (
    Column("name", "name"),
    Column("power_state", "state", minimum=9),
    Column("vcpus", "vcpus", right=True, minimum=5),
    Column("memory_bytes", "memory", right=True),
    Column("node", "node"),
    Column("hypervisor", "hypervisor", minimum=6),
    Column("uuid", "uuid", longest=8),
)


def columns_of(records: Sequence[Any]) -> tuple[Column, ...]:
    """Return columns for records of one attrs class: its short fields, without those that are `None` in all of them."""
    shown = records[:MAX_ROWS]
    if not shown or not attrs.has(type(shown[0])):
        return ()
    columns = []
    for name in (field.name for field in attrs.fields(type(shown[0])) if field.repr):
        values = [value for value in (_read(record, name) for record in shown) if value is not None]
        if values and all(isinstance(value, _SHORT) for value in values):
            numbers = all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values)
            columns.append(Column(name, name.removesuffix("_bytes").replace("_", " "), right=numbers))
    return tuple(columns)


def text_table(columns: Sequence[Column], records: Sequence[Any], *, columns_wide: int | None = None) -> str:
    """Return records as lines that fit the terminal, or `columns_wide` columns; many rows are cut short.

    Columns are narrowed first, then left out from the right.
    """
    available = max(1, columns_wide if columns_wide is not None else shutil.get_terminal_size().columns)
    rows = [[cut(cell, available) for cell in row] for row in _cells(columns, records)]
    titles = [column.header for column in columns]
    widths = [max(map(width, cells)) for cells in zip(titles, *rows, strict=True)]
    widths = _fitted(widths, [column.minimum for column in columns], available)
    lines = []
    for row in [titles, *rows]:
        cells = [
            pad(cut(cell, space), space, right=column.right)
            for cell, space, column in zip(row, widths, columns, strict=False)  # columns left out on the right
        ]
        lines.append((" " * _GAP).join(cells).rstrip())
    return "\n".join(lines + [cut(line, available) for line in _more(records)])


def html_table(columns: Sequence[Column], records: Sequence[Any]) -> str:
    """Return records as an HTML table in which everything that came from a server is escaped."""
    head = "".join(f"<th>{html.escape(column.header)}</th>" for column in columns)
    body = "".join(
        "<tr>" + "".join(f'<td dir="auto">{html.escape(cell)}</td>' for cell in row) + "</tr>"
        for row in _cells(columns, records)
    )
    more = "".join(f"<p>{html.escape(line)}</p>" for line in _more(records))
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"


def _cells(columns: Sequence[Column], records: Iterable[Any]) -> list[list[str]]:
    return [[_cell(column, _read(record, column.field)) for column in columns] for record in islice(records, MAX_ROWS)]


def _read(record: Any, field: str) -> Any:
    """Return a field, `None` when it is not loaded or the record has none of that name."""
    try:
        return getattr(record, field)
    except (HvsdkError, AttributeError):
        return None


def _cell(column: Column, value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
    if column.field.endswith("_bytes") and isinstance(value, int):
        return format_size(value)
    return neutralise(str(value)[: column.longest])


def _fitted(widths: list[int], minima: list[int], available: int) -> list[int]:
    """Return widths that fit: the widest column gives way first; when none can, the last one is left out."""
    widths = widths.copy()
    while sum(widths) + _GAP * (len(widths) - 1) > available:
        spare = [index for index, size in enumerate(widths) if size > minima[index]]
        if spare:
            widest = max(spare, key=lambda index: widths[index])
            widths[widest] -= 1
        elif len(widths) > 1:
            widths.pop()
        else:
            widths[0] = available
    return widths


def _more(records: Sequence[Any]) -> list[str]:
    left = len(records) - MAX_ROWS
    return [f"… and {left:,} more"] if left > 0 else []
