"""Answers of `/rrd_updates`, as JSON or XML: the newest value of each figure of each VM.

Rows come newest first, or oldest first from old servers. JSON holds bare NaN before XAPI 23.17 and quoted numbers since; what
a machine has no value for is NaN.
"""

from __future__ import annotations

import json
import math
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, TypeAlias

import attrs
from hvsdk.driver import errors

from hvsdk_xen._values import as_float, as_int

__all__ = ["Figures", "Updates", "parse_updates"]

_FRESH = 3
"""Steps after which a value is too old to stand for now."""
Row: TypeAlias = tuple[int, list[Any]]


@attrs.frozen
class Figures:
    """What was measured of one VM."""

    at: datetime
    values: dict[str, float]
    """By the name of the data source, such as `vif_0_rx`."""


@attrs.frozen(kw_only=True)
class Updates:
    """What one host measured.

    Attributes:
        step: Seconds that each value is the mean of.
        end: Unix time of the last measurement, by the host's clock.
        vms: By UUID.
    """

    step: int
    end: int
    vms: dict[str, Figures]


def parse_updates(body: bytes) -> Updates:
    """Read an answer.

    Raises:
        OperationFailedError: It is none.
    """
    try:
        meta, rows = _of_xml(body) if body.lstrip()[:1] == b"<" else _of_json(body)
        step, end = as_int(meta.get("step")), as_int(meta.get("end"))
        legend = meta.get("legend")
        if step is None or end is None or step <= 0 or not isinstance(legend, list):
            raise TypeError("no legend, step or end")
        return Updates(step=step, end=end, vms=_newest(legend, rows, step))
    except (ValueError, TypeError, AttributeError, LookupError, RecursionError, OverflowError, ET.ParseError) as exc:
        raise errors.OperationFailedError(f"the server's figures cannot be read: {exc}") from exc


def _of_json(body: bytes) -> tuple[dict[str, Any], list[Row]]:
    answer = json.loads(body)
    rows = [(int(row["t"]), list(row["values"])) for row in answer["data"]]
    return dict(answer["meta"]), rows


def _of_xml(body: bytes) -> tuple[dict[str, Any], list[Row]]:
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        raise ValueError("XML with definitions of its own")
    root = ET.fromstring(body)
    meta: dict[str, Any] = {name: root.findtext(f"meta/{name}") for name in ("step", "end")}
    meta["legend"] = [entry.text or "" for entry in root.iterfind("meta/legend/entry")]
    rows = [(int(row.findtext("t") or ""), [v.text for v in row.iterfind("v")]) for row in root.iterfind("data/row")]
    return meta, rows


def _newest(legend: list[Any], rows: Iterable[Row], step: int) -> dict[str, Figures]:
    """Return each column's newest value, of rows that are not older than a few steps."""
    ordered = sorted(rows, key=lambda row: row[0], reverse=True)
    recent = [row for row in ordered if row[0] > ordered[0][0] - _FRESH * step]
    times: dict[str, int] = {}
    values: dict[str, dict[str, float]] = {}
    for column, entry in enumerate(legend):
        function, _, rest = str(entry).partition(":")
        kind, _, rest = rest.partition(":")
        uuid, _, source = rest.partition(":")
        if function != "AVERAGE" or kind != "vm" or not source:
            continue
        for moment, row in recent:
            value = as_float(row[column]) if column < len(row) else None
            if value is not None and math.isfinite(value):
                values.setdefault(uuid, {})[source] = value
                times[uuid] = max(moment, times.get(uuid, 0))
                break
    return {uuid: Figures(datetime.fromtimestamp(times[uuid], UTC), found) for uuid, found in values.items()}
