"""The benchmarks run, and say what they promise to say; what they measure is not judged here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import hvsdk_simulators
import pytest
from hvsdk_simulators.samba import Samba

pytestmark = pytest.mark.timeout(400)
"""All benchmarks, if small ones, take minutes beside everything else."""

BENCH = Path(__file__).parents[1] / "contrib" / "bench"
FIELDS = {"name", "ratio", "target", "better", "ours_s", "theirs_s", "runs"}


def has_go() -> bool:
    """Whether the simulator of vSphere can be built; in CI that it cannot is a failure."""
    try:
        hvsdk_simulators.start("vcsim", domains=0).stop()
    except hvsdk_simulators.NoGoError:
        return bool(os.environ.get("CI"))
    return True


SMALL = ("--runs", "1", "--over-socket", "20", "--in-process", "20", "--vmware", "20", "--hyperv", "20")
SMALL += ("--fleet", "45", "5", "--inventory", "300")
QUICK = ("imports", "calls", "fleet", "inventory")


def rows_of(*only: str) -> list[dict[str, Any]]:
    """Run benchmarks, small ones, and return their rows."""
    command = [sys.executable, "-m", "hvsdk_bench", "--json", *SMALL]
    command += [word for part in only for word in ("--only", part)]
    environment = os.environ | {"PYTHONPATH": str(BENCH)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert rows
    for row in rows:
        assert row.keys() == FIELDS
        assert row["better"] in ("lower", "higher")
        assert row["ratio"] > 0
    names = [row["name"] for row in rows]
    assert len(names) == len(set(names))
    return rows


def missing(rows: list[dict[str, Any]], wanted: list[str]) -> list[str]:
    """Return the words that no row's name has."""
    return [word for word in wanted if not any(word in row["name"] for row in rows)]


def test_a_part_is_run_by_itself_and_each_row_is_one_json_object_with_the_same_fields() -> None:
    wanted = ["import attrs, pluggy", "through the worker", "32 at once", "some dead, slow or refusing"]
    wanted += ["the same in a loop", "domains: KiB for each domain kept"]
    wanted += ["an unchanged snapshot / the listing", "diff() with 1 % changed", "bytes a domain, with a disk"]
    assert not missing(rows_of(*QUICK), wanted)


@pytest.mark.full
def test_there_is_a_row_for_each_figure() -> None:
    pytest.importorskip("libcloud")
    wanted = ["new connections of one operation", "request lines of domains()", "in the process"]
    wanted += ["KiB for each domain", "get_all_records / summary", "in a loop over all VMs", "pause() and unpause()"]
    if has_go():
        wanted += ["pyvmomi, the same properties in bulk", "list_nodes() / summary", "suspend() and resume()"]
    if os.environ.get("CI") or not Samba.missing():
        wanted += ["by SMB / through WinRM"]
    if os.geteuid() == 0:
        wanted += ["over a socket", "Libcloud", "without its ARP look-up", "XMLDesc"]
    assert not missing(rows_of(), wanted)
