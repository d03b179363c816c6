"""The kit is held to its purpose: each driver that breaks a rule is caught by the test that is there for it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from broken import kit_run
from broken.cases import CASES

RUN = Path(kit_run.__file__)
BATCH = 12
"""So many run in one process: starting one takes longer than most of the tests."""

Verdicts = dict[tuple[str, str], set[str]]


@pytest.fixture(scope="session")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Verdicts]:
    """Return what runs the batch that a driver is in, once, and tells what became of each one's test."""
    names = list(CASES)
    told: dict[int, Verdicts] = {}

    def of(driver: str) -> Verdicts:
        batch = names.index(driver) // BATCH
        if batch not in told:
            told[batch] = run(names[batch * BATCH : (batch + 1) * BATCH], tmp_path_factory.mktemp("broken"))
        return told[batch]

    return of


def run(names: list[str], directory: Path) -> Verdicts:
    """Run the tests meant for some of the drivers in a process of their own."""
    report = directory / "report.xml"
    tests = [f"{RUN}::Test{name}::{CASES[name].test}" for name in names]
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:randomly", "--no-header", f"--junitxml={report}"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *tests],
        cwd=RUN.parent.parent,
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    found: Verdicts = {}
    for entry in ElementTree.parse(report).iter("testcase"):
        key = entry.attrib["classname"].rpartition(".Test")[2], entry.attrib["name"]
        found.setdefault(key, set()).update(child.tag for child in entry)
    return found


@pytest.mark.parametrize("driver", CASES)
def test_a_broken_driver_is_caught(driver: str, verdicts: Callable[[str], Verdicts]) -> None:
    case = CASES[driver]
    problems = verdicts(driver)[driver, case.test]
    assert "failure" in problems, f"{driver} ({case.driver.__doc__}) was not caught: {problems or 'its test passed'}"
