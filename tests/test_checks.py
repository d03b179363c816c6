"""The runner behind `make test`: it goes through every step, fails when one does, and ends with the sum of the suites."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

CHECKS = Path(__file__).parents[1] / "contrib" / "checks"


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("checks_run", CHECKS / "run.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)  # dataclasses look there
    spec.loader.exec_module(module)
    monkeypatch.setattr(sys, "argv", ["run.py"])
    return module


def saying(runner: ModuleType, name: str, text: str, code: int = 0, *, suite: bool = True) -> object:
    """Return a step that says something and ends with a code."""
    return runner.Step(name, (sys.executable, "-c", f"print({text!r}); raise SystemExit({code})"), suite=suite)


def run(runner: ModuleType, monkeypatch: pytest.MonkeyPatch, *steps: object) -> int:
    monkeypatch.setattr(runner, "lanes", lambda *, full: [list(steps[:1]), list(steps[1:])])
    return runner.main()


def test_the_last_line_is_the_sum_of_the_suites(runner, monkeypatch, capsys) -> None:
    lint = saying(runner, "lint", "all is well", suite=False)
    one = saying(runner, "one", "===== 5 passed, 1 skipped in 1.00s =====")
    two = saying(runner, "two", "===== 2 passed in 75.00s (0:01:15) =====")
    assert run(runner, monkeypatch, lint, one, two) == 0
    assert "===== 7 passed, 1 skipped in " in capsys.readouterr().out.splitlines()[-1]


def test_a_failed_step_does_not_keep_the_others_from_running(runner, monkeypatch, capsys) -> None:
    lint = saying(runner, "lint", "not well", 1, suite=False)
    suite = saying(runner, "one", "===== 5 passed in 1.00s =====")
    assert run(runner, monkeypatch, lint, suite) == 1
    lines = capsys.readouterr().out.splitlines()
    assert "1 failed" in lines[-1]
    assert "5 passed" in lines[-1]
    assert any(line.startswith("FAILED  lint") for line in lines)


def test_failed_tests_are_counted_once(runner, monkeypatch, capsys) -> None:
    suite = saying(runner, "one", "===== 2 failed, 5 passed in 1.00s =====", 1)
    assert run(runner, monkeypatch, suite) == 1
    assert " 2 failed, 5 passed " in capsys.readouterr().out.splitlines()[-1]


@pytest.mark.parametrize("code", [0, 3])
def test_a_suite_that_never_came_to_its_end_is_a_failure(runner, monkeypatch, capsys, code: int) -> None:
    assert run(runner, monkeypatch, saying(runner, "one", "Segmentation fault", code)) == 1
    assert "1 failed" in capsys.readouterr().out.splitlines()[-1]


def test_every_tree_of_tests_is_part_of_it(runner) -> None:
    root = CHECKS.parents[1]
    commands = [" ".join(step.command) for full in (False, True) for lane in runner.lanes(full=full) for step in lane]
    for tests in [*root.glob("plugins/*/tests"), root / "contrib" / "testbed" / "tests"]:
        assert any(str(tests) in command for command in commands), tests
