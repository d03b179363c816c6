"""`hvsdk inventory`: what it prints, and how it ends."""

from __future__ import annotations

import csv
import io
import json
import re
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

pytest.importorskip("typer", reason="the command line is an extra")

import hvsdk
from hvsdk import errors
from hvsdk.__main__ import main
from hvsdk._cli.inventory import moment

DOCS = Path(__file__).parents[1] / "docs"
DEAD = 'url = "fake://dead?fault=open:drop-before*99"\n'


@pytest.fixture(autouse=True)
def _no_fleet(monkeypatch):
    for name in ("HVSDK_FLEET", "HVSDK_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def written(tmp_path):
    """Return a function that writes a fleet's file with this many domains on its host `a`."""

    def write(domains, more=""):
        path = tmp_path / "fleet.toml"
        path.write_text(f'[hosts.a]\nurl = "fake://a?domains={domains}"\n[hosts.b]\nurl = "fake://b?domains=1"\n{more}')
        return ["--fleet", str(path)]

    return write


@pytest.fixture
def file(tmp_path, written):
    """The file of an inventory with two snapshots: two domains on `a`, then three."""
    path = str(tmp_path / "inventory.db")
    for domains in (2, 3):
        with hvsdk.Fleet.load(written(domains)[1]) as fleet:
            fleet.record(path)
    return path


def told(capsys):
    return json.loads(capsys.readouterr().out)


def test_snapshots_are_recorded_and_listed(file, written, capsys):
    assert main(["inventory", "record", file, *written(3), "--json"]) == 0
    (item,) = told(capsys)["items"]
    assert (item["id"], item["domains"], item["added"]) == (3, 4, 0)
    assert main(["inventory", "ls", file, "--csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [(row["id"], row["domains"]) for row in rows] == [("1", "3"), ("2", "4"), ("3", "4")]


def test_a_host_that_does_not_answer_makes_a_partial_answer_of_all(file, written, capsys):
    more = f"[hosts.dead]\n{DEAD}"
    assert main(["inventory", "record", file, *written(3, more), "--json"]) == 3
    assert [failure["host"] for failure in told(capsys)["failures"]] == ["dead"]
    for command in (["show", file], ["diff", file, "1"], ["export", file, "-", "--format", "json"]):
        assert main(["inventory", *command]) == 3
        assert "dead: ConnectionLost" in capsys.readouterr().err
    assert main(["inventory", "show", file, "--host", "a"]) == 0
    assert main(["inventory", "record", file, "--url", "fake://x?fault=open:drop-before*99"]) == 1


def test_show_tells_the_domains_then_and_now(file, capsys):
    counts = []
    for more in (
        [],
        ["--at", "1"],
        ["--at", "1", "--host", "a"],
        ["--at", f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"],
    ):
        assert main(["inventory", "show", file, "--json", *more]) == 0
        counts.append(len(told(capsys)["items"]))
    assert counts == [4, 3, 2, 4]
    assert main(["inventory", "show", file]) == 0
    assert capsys.readouterr().out.splitlines()[0].split()[:3] == ["host", "name", "state"]
    assert main(["inventory", "show", file, "--at", "2001-01-01"]) == 4
    assert main(["inventory", "show", file, "--at", "yesterday"]) == 2
    assert main(["inventory", "show", f"{file}-nonsuch"]) == 4


def test_diff_and_history_tell_what_became_of_domains(file, capsys):
    assert main(["inventory", "diff", file, "1", "--json"]) == 0
    (added,) = told(capsys)["items"]
    assert (added["kind"], added["host"], added["fields"]) == ("added", "a", {})
    assert main(["inventory", "history", file, added["name"], "--host", "a", "--json"]) == 0
    assert [one["kind"] for one in told(capsys)["items"]] == ["added"]
    assert main(["inventory", "history", file, "nobody"]) == 4
    assert main(["inventory", "diff", file, "2", "1"]) == 0
    assert "removed" in capsys.readouterr().out


def test_export_writes_a_file_or_the_standard_output(file, tmp_path, capsysbinary):
    for ending in ("json", "csv", "parquet"):
        assert main(["inventory", "export", file, str(tmp_path / f"out.{ending}")]) == 0
        assert main(["inventory", "export", file, "-", "--format", ending]) == 0
        assert capsysbinary.readouterr().out == (tmp_path / f"out.{ending}").read_bytes()
    assert main(["inventory", "export", file, "-"]) == 2


def test_old_snapshots_are_forgotten(file, capsys):
    assert main(["inventory", "prune", file, "--before", "2001-01-01"]) == 0
    assert "forgot 0" in capsys.readouterr().out
    tomorrow = f"{datetime.now() + timedelta(days=1):%Y-%m-%d}"
    assert main(["inventory", "prune", file, "--before", tomorrow, "--dry-run", "--json"]) == 0
    assert [one["id"] for one in told(capsys)["items"]] == [1]
    assert main(["inventory", "prune", file, "--before", tomorrow]) == 5
    assert "nothing was done" in capsys.readouterr().err
    assert len(hvsdk.Inventory.open(file).snapshots()) == 2
    assert main(["inventory", "prune", file, "--before", tomorrow, "--json", "--yes"]) == 0
    assert told(capsys)["items"] == [{"forgotten": 1}]
    assert len(hvsdk.Inventory.open(file).snapshots()) == 1
    assert main(["inventory", "prune", file, "--before", "1"]) == 2


def test_a_time_without_a_zone_is_local_time(monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert moment("2026-01-01T09:00") == datetime(2026, 1, 1, tzinfo=UTC)
        assert moment("2026-01-01T09:00+01:00") == datetime(2026, 1, 1, 8, tzinfo=UTC)
    finally:
        monkeypatch.undo()
        time.tzset()
    assert (moment("7"), moment(None)) == (7, None)
    with pytest.raises(errors.InvalidSpecError):
        moment("")


def test_every_command_of_the_group_is_in_the_handbook(capsys):
    assert main(["inventory", "--help"]) == 0
    names = re.findall(r"^\W*(\w+)  +[A-Z]", capsys.readouterr().out.split("Commands")[1], re.MULTILINE)
    assert len(names) >= 7
    page = (DOCS / "cli.md").read_text("utf-8")
    (line,) = [line for line in page.splitlines() if "`hvsdk inventory" in line and line.startswith("|")]
    assert all(name in line for name in names)
