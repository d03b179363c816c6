"""An inventory as JSON, CSV and Parquet."""

from __future__ import annotations

import csv
import io
import json
import os
import stat
import subprocess
import sys

import pytest
from jsonschema import Draft202012Validator

import hvsdk
from hvsdk import errors
from hvsdk.testing.fake import control


@pytest.fixture
def fleet():
    with hvsdk.Fleet({"a": "fake://a?domains=3", "b": "fake://b?domains=2"}) as fleet:
        yield fleet


@pytest.fixture
def inventory(fleet, tmp_path):
    for old, new in (("web-1", "=HYPERLINK(1)"), ("db-1", "half \ud800 and \0"), ("app-1", 'a,"b"\nc')):
        control(fleet.host("a")).rename(old, new)
    fleet.record(tmp_path / "inventory.db", full=True)
    control(fleet.host("b")).go_down()
    fleet.record(tmp_path / "inventory.db", full=True)
    return hvsdk.Inventory.open(tmp_path / "inventory.db")


def test_json_has_what_the_list_has_by_the_schema_of_records(inventory, tmp_path):
    snapshot = inventory.export(tmp_path / "out.json")
    told = json.loads((tmp_path / "out.json").read_text("utf-8"))
    assert told["items"] == inventory.at().to_dicts()
    assert told["snapshot"] == snapshot.to_dict()
    assert [failure["host"] for failure in told["failures"]] == ["b"]
    checker = Draft202012Validator(hvsdk.json_schema(hvsdk.DomainInfo))
    for item in told["items"]:
        checker.validate(item)


def test_csv_has_every_column_and_no_formula(inventory, tmp_path):
    inventory.export(tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows[:3]] == ["'=HYPERLINK(1)", 'a,"b"\nc', "half \\ud800 and \0"]
    assert {row["stale"] for row in rows if row["host"] == "b"} == {"True"}
    assert json.loads(rows[0]["disks"]) == inventory.at()[0].to_dict()["disks"]
    assert list(rows[0])[:4] == ["host", "native_id", "uuid", "name"]


def test_parquet_has_types(inventory, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    inventory.export(tmp_path / "out.parquet")
    rows = parquet.read_table(tmp_path / "out.parquet").to_pylist()
    found = inventory.at()
    assert [row["name"] for row in rows] == ["=HYPERLINK(1)", 'a,"b"\nc', "half \\ud800 and \0", "db-1", "web-1"]
    for row, one in zip(rows, found, strict=True):
        assert row["memory_bytes"] == one.info.memory_bytes
        assert row["last_seen"] == row["seen_at"] == one.last_seen
        assert row["created_at"] == one.info.created_at
        assert sorted(row["tags"]) == sorted(one.info.tags)
        assert json.loads(row["disks"]) == one.to_dict()["disks"]
        assert (row["stale"], row["is_template"]) == (one.stale, False)


@pytest.mark.parametrize("format", ["json", "csv", "parquet"])
def test_streams_are_written_to_and_stay_open(inventory, tmp_path, format):
    stream = io.BytesIO()
    inventory.export(stream, format=format, when=1)
    inventory.export(tmp_path / f"out.{format}", when=1)
    assert stream.getvalue() == (tmp_path / f"out.{format}").read_bytes()
    if format != "parquet":
        text = io.StringIO()
        inventory.export(text, format=format, when=1)
        assert text.getvalue().encode("utf-8", "backslashreplace") == stream.getvalue()
    else:
        with pytest.raises(errors.InvalidSpecError, match="stream of bytes"):
            inventory.export(io.StringIO(), format=format)


def test_what_cannot_be_written_leaves_nothing_behind_and_what_was_there(inventory, tmp_path, monkeypatch):
    (tmp_path / "out.xml").write_text("kept")
    (tmp_path / "out.parquet").write_text("kept")
    before = sorted(os.listdir(tmp_path))
    for target, more in (("out.xml", {}), ("out.json", {"format": "xml"}), ("out", {})):
        with pytest.raises(errors.InvalidSpecError, match="no format"):
            inventory.export(tmp_path / target, **more)
    with pytest.raises(errors.InvalidSpecError, match="format="):
        inventory.export(io.BytesIO())
    with pytest.raises(errors.NotFoundError):
        inventory.export(tmp_path / "out.json", when=77)
    with pytest.raises(errors.NotFoundError, match="there is no directory"):
        inventory.export(tmp_path / "nonsuch" / "out.json")
    monkeypatch.setitem(sys.modules, "pyarrow", None)  # as where it is not installed
    with pytest.raises(errors.InvalidSpecError, match=r"hvsdk\[parquet\]"):
        inventory.export(tmp_path / "out.parquet")
    assert sorted(os.listdir(tmp_path)) == before
    assert (tmp_path / "out.parquet").read_text() == "kept"


def test_an_export_never_takes_the_inventorys_own_place(inventory, tmp_path):
    (tmp_path / "link.db").symlink_to(tmp_path / "inventory.db")
    for target in (inventory.path, tmp_path / "link.db"):
        with pytest.raises(errors.InvalidSpecError, match="inventory itself"):
            inventory.export(target, format="json")
    assert len(inventory.snapshots()) == 2


def test_what_lists_tell_as_json_is_what_their_schemas_say(inventory, fleet):
    control(fleet.host("a")).remove("=HYPERLINK(1)")
    fleet.record(inventory.path)
    for cls, rows in (
        (hvsdk.InventorySnapshot, inventory.snapshots().to_dicts()),
        (hvsdk.HostOutcome, [one.to_dict() for one in inventory.outcomes()]),
        (hvsdk.DomainChange, [*inventory.diff(1, 3).to_dicts(), *inventory.history("db-1").to_dicts()]),
        (hvsdk.RecordedDomain, inventory.at().to_dicts()),
        (hvsdk.DomainInfo, inventory.at().to_dicts()),
    ):
        assert rows
        for row in rows:
            Draft202012Validator(hvsdk.json_schema(cls)).validate(json.loads(json.dumps(row)))


def test_an_export_is_for_its_owner_and_takes_the_place_of_an_older_one(inventory, tmp_path):
    for _ in range(2):
        inventory.export(tmp_path / "out.csv")
    assert stat.S_IMODE((tmp_path / "out.csv").stat().st_mode) == 0o600
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".hvsdk")]


def test_the_core_needs_no_pyarrow():
    program = "import sys, hvsdk; hvsdk.Inventory, hvsdk.RecordedDomains; print('pyarrow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "False\n"
