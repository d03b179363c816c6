"""The kit is held to its purpose: each driver that breaks a rule is caught by the test that is there for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from broken import kit_run
from broken.cases import CASES

RUN = Path(kit_run.__file__)


@pytest.fixture(scope="session")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], set[str]]:
    """Run all of them in one process of their own; return what became of each one's test."""
    report = tmp_path_factory.mktemp("broken") / "report.xml"
    tests = [f"{RUN}::Test{name}::{case.test}" for name, case in CASES.items()]
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
    found: dict[tuple[str, str], set[str]] = {}
    for entry in ElementTree.parse(report).iter("testcase"):
        key = entry.attrib["classname"].rpartition(".Test")[2], entry.attrib["name"]
        found.setdefault(key, set()).update(child.tag for child in entry)
    return found


@pytest.mark.parametrize("driver", CASES)
def test_a_broken_driver_is_caught(driver: str, verdicts: dict[tuple[str, str], set[str]]) -> None:
    case = CASES[driver]
    problems = verdicts[driver, case.test]
    assert "failure" in problems, f"{driver} ({case.driver.__doc__}) was not caught: {problems or 'its test passed'}"
