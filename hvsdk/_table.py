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
_BRIEF_TIME = 11
"""Columns of a time without year and seconds, which makes no sense when it is cut."""
_LEAST_HEADING = 4
_IDS = ("id", "uuid", "mac", "serial")
_SHORT = (str, int, float, Enum, datetime)


class Column(NamedTuple):
    """A column: the field it shows and how far it may be narrowed."""

    field: str
    header: str
    right: bool = False
    minimum: int = 8
    longest: int = _LONGEST
    """A uuid is told by its first characters."""
    gives: int = 1
    """When it is narrowed: ids (0) before others (1), names (2) last."""


DOMAIN_COLUMNS = (
    Column("name", "name", gives=2),
    Column("power_state", "state", minimum=9),
    Column("vcpus", "vcpus", right=True, minimum=5),
    Column("memory_bytes", "memory", right=True),
    Column("node", "node"),
    Column("hypervisor", "hypervisor", minimum=6),
    Column("uuid", "uuid", longest=8, gives=0),
)


def columns_of(records: Sequence[Any]) -> tuple[Column, ...]:
    """Return columns for records of one attrs class: its short fields, without those that are empty in all of them."""
    shown = records[:MAX_ROWS]
    if not shown or not attrs.has(type(shown[0])):
        return ()
    columns = []
    for name in (field.name for field in attrs.fields(type(shown[0])) if field.repr):
        values = [value for value in (_read(record, name) for record in shown) if value is not None and value != ""]
        if values and all(isinstance(value, _SHORT) for value in values):
            numbers = all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values)
            gives = 2 if name == "name" else 0 if name in _IDS or name.endswith("_id") else 1
            least = _BRIEF_TIME if any(isinstance(value, datetime) for value in values) else 8
            columns.append(Column(name, _header(name), right=numbers, minimum=least, gives=gives))
    return tuple(columns)


def _header(field: str) -> str:
    for prefix in ("is_", "has_"):
        field = field.removeprefix(prefix)
    for suffix in ("_bytes", "_at"):
        field = field.removesuffix(suffix)
    return field.replace("_", " ")


def text_table(columns: Sequence[Column], records: Sequence[Any], *, columns_wide: int | None = None) -> str:
    """Return records as lines that fit the terminal, or `columns_wide` columns; many rows are cut short.

    Times lose their year and seconds and columns are narrowed first, names last; then columns are left out from the right.
    """
    available = max(1, columns_wide if columns_wide is not None else shutil.get_terminal_size().columns)
    titles = [column.header for column in columns]
    for brief in (False, True):
        rows = [[cut(cell, available) for cell in row] for row in _cells(columns, records, brief=brief)]
        contents = [max(map(width, cells), default=0) for cells in zip(*rows, strict=True)]
        widths = [max(width(title), content) for title, content in zip(titles, contents, strict=True)]
        if _sum(widths) <= available:
            break
    widths = _fitted(widths, contents, columns, available)
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


def _cells(columns: Sequence[Column], records: Iterable[Any], *, brief: bool = False) -> list[list[str]]:
    return [
        [_cell(column, _read(record, column.field), brief) for column in columns]
        for record in islice(records, MAX_ROWS)
    ]


def _read(record: Any, field: str) -> Any:
    """Return a field, `None` when it is not loaded or the record has none of that name."""
    try:
        return getattr(record, field)
    except (HvsdkError, AttributeError):
        return None


def _cell(column: Column, value: Any, brief: bool) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):{'%m-%d %H:%M' if brief else '%Y-%m-%d %H:%M:%S'}}"
    if column.field.endswith("_bytes") and isinstance(value, int):
        return format_size(value)
    return neutralise(str(value)[: column.longest])


def _sum(widths: Sequence[int]) -> int:
    return sum(widths) + _GAP * (len(widths) - 1)


def _fitted(widths: list[int], contents: list[int], columns: Sequence[Column], available: int) -> list[int]:
    """Return widths that fit.

    Headings wider than what is below them give way first, then the columns in the order of `Column.gives`, the widest
    first; when none can, the last one is left out.
    """
    widths = widths.copy()
    minima = [column.minimum for column in columns]
    for least in (minima, [_LEAST_HEADING] * len(minima)):
        _narrow(widths, [max(pair) for pair in zip(least, contents, strict=True)], range(len(widths)), available)
    for turn in range(3):
        _narrow(widths, minima, [index for index, column in enumerate(columns) if column.gives == turn], available)
    while _sum(widths) > available and len(widths) > 1:
        widths.pop()
    return widths if _sum(widths) <= available else [available]


def _narrow(widths: list[int], floors: list[int], which: Sequence[int], available: int) -> None:
    """Narrow these columns, the widest first, until all fit or none of these can give more."""
    while _sum(widths) > available:
        spare = [index for index in which if widths[index] > floors[index]]
        if not spare:
            return
        widths[max(spare, key=lambda index: widths[index])] -= 1


def _more(records: Sequence[Any]) -> list[str]:
    left = len(records) - MAX_ROWS
    return [f"… and {left:,} more"] if left > 0 else []
