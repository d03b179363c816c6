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
_READABLE_HEADING = 8
_LEAST_HEADING = 4
_SHORT_TEXT = 12
_IDS = ("id", "uuid", "mac", "serial")
_MINOR = ("at", "is_template", "is_control", "hypervisor", "position", "pool", "volume")
_MINOR_ENDINGS = ("_id", "_requests", "_packets", "_requests_per_second", "_packets_per_second")
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
    rank: int = 1
    """When it is left out: the least first, from the right; what a row is told by (2) never before others."""
    whole: bool = False
    """Whether its values make no sense when they are cut, as numbers and ids do."""


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
            minor = name in _IDS or name in _MINOR or name.endswith(_MINOR_ENDINGS)
            column = Column(name, _header(name), right=numbers, minimum=least, gives=gives, rank=min(gives, 1) - minor)
            columns.append(column._replace(whole=gives == 0 or numbers or not isinstance(values[0], str)))
    return tuple(
        column._replace(rank=2, whole=False) if column.field == _key(columns) else column for column in columns
    )


def _key(columns: Sequence[Column]) -> str:
    """Return the field that a row is told by."""
    fields = [column.field for column in columns]
    return next((name for name in ("name", "id", "mac") if name in fields), fields[0])


def _header(field: str) -> str:
    for prefix in ("is_", "has_"):
        field = field.removeprefix(prefix)
    for suffix in ("_bytes", "_at"):
        field = field.removesuffix(suffix)
    return field.replace("_", " ")


def text_table(columns: Sequence[Column], records: Sequence[Any], *, columns_wide: int | None = None) -> str:
    """Return records as lines that fit the terminal, or `columns_wide` columns; many rows are cut short.

    Times lose their year and seconds; the least important columns are left out until the others can be read; those are
    narrowed, names last.
    """
    available = max(1, columns_wide if columns_wide is not None else shutil.get_terminal_size().columns)
    titles = [column.header for column in columns]
    for brief in (False, True):
        rows = [[cut(cell, available) for cell in row] for row in _cells(columns, records, brief=brief)]
        contents = [max(map(width, cells), default=0) for cells in zip(*rows, strict=True)]
        widths = [max(width(title), content) for title, content in zip(titles, contents, strict=True)]
        if _sum(widths) <= available:
            break
    kept = _kept(_least(titles, contents, columns, _READABLE_HEADING), columns, available)
    titles, contents, widths = [titles[i] for i in kept], [contents[i] for i in kept], [widths[i] for i in kept]
    rows, columns = [[row[index] for index in kept] for row in rows], [columns[index] for index in kept]
    widths = _fitted(widths, titles, contents, columns, available)
    lines = []
    for row in [titles, *rows]:
        cells = [
            pad(cut(cell, space), space, right=column.right)
            for cell, space, column in zip(row, widths, columns, strict=True)
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
    if column.field.endswith(("_bytes", "_bytes_per_second")) and isinstance(value, (int, float)):
        return format_size(int(value))
    if isinstance(value, float):
        return f"{value:.2f}"
    return neutralise(str(value)[: column.longest])


def _sum(widths: Sequence[int]) -> int:
    return sum(widths) + _GAP * (len(widths) - 1)


def _least(titles: Sequence[str], contents: Sequence[int], columns: Sequence[Column], heading: int) -> list[int]:
    """Return how narrow each column can be and still be read."""
    floors = []
    for title, content, column in zip(titles, contents, columns, strict=True):
        whole = column.whole or content <= _SHORT_TEXT
        floors.append(max(content if whole else column.minimum, min(width(title), heading)))
    return floors


def _kept(least: Sequence[int], columns: Sequence[Column], available: int) -> list[int]:
    """Return the indices of the columns that stay: so many that each can be read."""
    kept = list(range(len(columns)))
    while len(kept) > 1 and _sum([least[index] for index in kept]) > available:
        kept.remove(min(kept, key=lambda index: (columns[index].rank, -index)))
    return kept


def _fitted(
    widths: list[int], titles: Sequence[str], contents: list[int], columns: Sequence[Column], available: int
) -> list[int]:
    """Return widths that fit.

    Headings wider than what is below them give way first, then the columns in the order of `Column.gives`, the widest
    first; before names are cut, headings are once more.
    """
    widths = widths.copy()
    for heading, turns in ((_READABLE_HEADING, (0, 1)), (_LEAST_HEADING, (0, 1, 2))):
        least = _least(titles, contents, columns, heading)
        _narrow(widths, [max(pair) for pair in zip(least, contents, strict=True)], range(len(widths)), available)
        for turn in turns:
            _narrow(widths, least, [index for index, column in enumerate(columns) if column.gives == turn], available)
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
