"""RRD answers as text: `xport` for updates and `rrd` for whole databases, each as XML and as JSON.

Up to API 2.20 the JSON has bare numbers, NaN among them, which JSON does not know; later ones are quoted.
"""

from __future__ import annotations

import json
import math
from typing import Any
from xml.etree import ElementTree

from hvsdk_simulators.xapi.hosts.rrd_archive import ARCHIVES, STEP, Updates
from hvsdk_simulators.xapi.hosts.rrd_sources import Measured

_QUOTED_SINCE = (2, 21)


def number(value: float) -> str:
    """Write a float as the product does: five digits, NaN, Infinity."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return f"{value:.5g}" if abs(value) < 1e5 or value != int(value) else f"{value:.1f}"


def updates_xml(answer: Updates) -> bytes:
    """An answer to /rrd_updates as XML."""
    root = ElementTree.Element("xport")
    meta = ElementTree.SubElement(root, "meta")
    for name, value in _meta(answer):
        ElementTree.SubElement(meta, name).text = str(value)
    legend = ElementTree.SubElement(meta, "legend")
    for entry in answer.legend:
        ElementTree.SubElement(legend, "entry").text = entry
    data = ElementTree.SubElement(root, "data")
    for moment, values in answer.rows:
        row = ElementTree.SubElement(data, "row")
        ElementTree.SubElement(row, "t").text = str(moment)
        for value in values:
            ElementTree.SubElement(row, "v").text = number(value)
    return _document(root)


def updates_json(answer: Updates, api: tuple[int, int]) -> bytes:
    """The same as JSON, as a server of an API version writes it."""
    meta = {**dict(_meta(answer)), "legend": answer.legend}
    rows = (
        f'{{"t":{moment},"values":[{",".join(_json_number(value, api) for value in values)}]}}'
        for moment, values in answer.rows
    )
    return f'{{"meta":{json.dumps(meta)},"data":[{",".join(rows)}]}}'.encode()


def whole_xml(measured: Measured, now: int) -> bytes:
    """All that is kept of a host or VM as XML, the oldest row first."""
    root = ElementTree.Element("rrd")
    for name, text in (("version", "0003"), ("step", str(STEP)), ("lastupdate", str(now))):
        ElementTree.SubElement(root, name).text = text
    for source in measured.sources:
        ds = ElementTree.SubElement(root, "ds")
        for name, text in (
            ("name", source.name),
            ("type", "GAUGE"),
            ("minimal_heartbeat", "300.0000"),
            ("min", "0.0"),
            ("max", number(source.top)),
            ("last_ds", number(measured.value(source, now))),
            ("value", "0.0"),
            ("unknown_sec", "0"),
        ):
            ElementTree.SubElement(ds, name).text = text
    for archive in ARCHIVES:
        rra = ElementTree.SubElement(root, "rra")
        ElementTree.SubElement(rra, "cf").text = "AVERAGE"
        ElementTree.SubElement(rra, "pdp_per_row").text = str(archive.step // STEP)
        params = ElementTree.SubElement(rra, "params")
        ElementTree.SubElement(params, "xff").text = "0.5000"
        database = ElementTree.SubElement(rra, "database")
        for values in _oldest_first(measured, archive.step, archive.rows, now):
            row = ElementTree.SubElement(database, "row")
            for value in values:
                ElementTree.SubElement(row, "v").text = number(value)
    return _document(root)


def whole_json(measured: Measured, now: int, api: tuple[int, int]) -> bytes:
    """The same as JSON."""
    sources = [{"name": source.name, "type": "GAUGE", "min": 0.0} for source in measured.sources]
    archives = []
    for archive in ARCHIVES:
        rows = ",".join(
            f"[{','.join(_json_number(value, api) for value in values)}]"
            for values in _oldest_first(measured, archive.step, archive.rows, now)
        )
        archives.append(f'{{"cf":"AVERAGE","pdp_per_row":{archive.step // STEP},"database":[{rows}]}}')
    head = f'"version":"0003","step":{STEP},"lastupdate":{now},"ds":{json.dumps(sources)}'
    return f'{{{head},"rra":[{",".join(archives)}]}}'.encode()


def _meta(answer: Updates) -> list[tuple[str, Any]]:
    return [
        ("start", answer.start),
        ("step", answer.step),
        ("end", answer.end),
        ("rows", len(answer.rows)),
        ("columns", len(answer.legend)),
    ]


def _oldest_first(measured: Measured, step: int, rows: int, now: int) -> list[list[float]]:
    end = now // step * step
    moments = range(end - (rows - 1) * step, end + 1, step)
    return [[measured.value(source, moment) for source in measured.sources] for moment in moments]


def _json_number(value: float, api: tuple[int, int]) -> str:
    return f'"{number(value)}"' if api >= _QUOTED_SINCE else number(value)


def _document(root: ElementTree.Element) -> bytes:
    text: str = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0"?>\n{text}'.encode()
