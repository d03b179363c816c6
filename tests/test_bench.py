"""The benchmarks run, and say what they promise to say; what they measure is not judged here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import hvsdk_simulators
import pytest
from hvsdk_simulators.samba import Samba

pytestmark = pytest.mark.timeout(400)
"""All benchmarks, if small ones, run in the fixture: beside everything else that takes minutes."""

BENCH = Path(__file__).parents[1] / "contrib" / "bench"
FIELDS = {"name", "ratio", "target", "better", "ours_s", "theirs_s", "runs"}


def has_go() -> bool:
    """Whether the simulator of vSphere can be built; in CI that it cannot is a failure."""
    try:
        hvsdk_simulators.start("vcsim", domains=0).stop()
    except hvsdk_simulators.NoGoError:
        return bool(os.environ.get("CI"))
    return True


@pytest.fixture(scope="module")
def lines() -> list[str]:
    pytest.importorskip("libcloud")
    small = ["--runs", "1", "--over-socket", "20", "--in-process", "20", "--vmware", "20", "--hyperv", "20"]
    small += ["--fleet", "45", "5", "--inventory", "300"]
    command = [sys.executable, "-m", "hvsdk_bench", "--json", *small]
    environment = os.environ | {"PYTHONPATH": str(BENCH)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_every_row_is_one_json_object_with_the_same_fields(lines: list[str]) -> None:
    rows = [json.loads(line) for line in lines]
    assert rows
    for row in rows:
        assert row.keys() == FIELDS
        assert row["better"] in ("lower", "higher")
        assert row["ratio"] > 0


def test_there_is_a_row_for_each_figure(lines: list[str]) -> None:
    names = [json.loads(line)["name"] for line in lines]
    assert len(names) == len(set(names))
    wanted = ["new connections of one operation", "request lines of domains()"]
    wanted += ["import attrs, pluggy", "in the process", "KiB for each domain", "through the worker"]
    wanted += ["get_all_records / summary", "in a loop over all VMs", "pause() and unpause()"]
    wanted += ["32 at once", "some dead, slow or refusing", "the same in a loop", "domains: KiB for each domain kept"]
    wanted += ["an unchanged snapshot / the listing", "diff() with 1 % changed", "bytes a domain, with a disk"]
    if has_go():
        wanted += ["pyvmomi, the same properties in bulk", "list_nodes() / summary", "suspend() and resume()"]
    if os.environ.get("CI") or not Samba.missing():
        wanted += ["by SMB / through WinRM"]
    if os.geteuid() == 0:
        wanted += ["over a socket", "Libcloud", "without its ARP look-up", "XMLDesc"]
    assert all(any(word in name for name in names) for word in wanted)
