"""What the handbook says of the code is what the code says of itself. (Its examples run by themselves.)"""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import hvsdk
from hvsdk import Capability, PowerState, driver, errors, hooks
from hvsdk._power import RULES, Verdict
from hvsdk.testing.conformance._expected import EXPECTED

POWER_VERBS = ["start", "shutdown", "power_off", "reboot", "reset", "pause", "unpause", "suspend", "resume", "delete"]
DOCS = Path(__file__).parents[1] / "docs"


def table(page: str, first_heading: str) -> list[list[str]]:
    """Return the rows of the first table of a page whose first heading is this one, the headings first."""
    lines = (DOCS / page).read_text("utf-8").splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(f"| {first_heading} |"))
    rows = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip(" `") for cell in line.strip("|").split("|")])
    return [rows[0], *rows[2:]]


def test_the_table_of_power_states_is_the_one_that_the_core_obeys() -> None:
    (_, *verbs), *rows = table("power-states.md", "from")
    assert verbs == POWER_VERBS
    assert {row[0] for row in rows} == {state.name for state in PowerState} - {"CHANGING", "UNKNOWN"}
    said = {Verdict.DONE: "done", Verdict.ERROR: "error"}
    for name, *cells in rows:
        for verb, cell in zip(verbs, cells, strict=True):
            verdict = RULES[verb].judge(PowerState[name])
            assert cell == said.get(verdict, cell), (name, verb)
            assert (verdict is Verdict.GO) == (cell not in said.values()), (name, verb)


def test_every_power_state_is_explained() -> None:
    assert [row[0] for row in table("power-states.md", "state")[1:]] == [state.name for state in PowerState]


def test_every_error_is_in_the_tree() -> None:
    page = (DOCS / "errors.md").read_text("utf-8")
    missing = [name for name in errors.__all__ if name not in page and name != "SessionExpiredError"]
    assert not missing


@pytest.mark.parametrize("verb", [*POWER_VERBS, "clone", "migrate", "fence", "console", "screenshot"])
def test_every_verb_is_compared_product_by_product(verb: str) -> None:
    assert re.search(rf"^\| `{verb}`", (DOCS / "verbs.md").read_text("utf-8"), re.MULTILINE)


def test_every_capability_is_in_the_table_of_backends() -> None:
    page = (DOCS / "capabilities-table.md").read_text("utf-8")
    missing = [str(capability) for capability in Capability if f"`{capability}`" not in page]
    assert not missing, "run `make capabilities`"
    assert "failed" not in page, "`make capabilities` found failures; mend them and run it again"


def test_every_fixture_that_can_be_overridden_is_in_the_table() -> None:
    assert {row[0] for row in table("testing.md", "fixture")[1:]} >= set(EXPECTED)


def test_every_field_of_a_domain_is_told_to_authors_of_backends() -> None:
    rows = table("write-a-backend.md", "group")[1:]
    assert {group: tuple(re.findall(r"\w+", fields)) for group, fields in rows} == driver.FIELD_GROUPS


@pytest.mark.parametrize("module", [hvsdk, driver])
def test_every_public_class_and_function_is_in_the_reference(module: object) -> None:
    page = (DOCS / "api.md").read_text("utf-8")
    shown = set(re.findall(r"hvsdk\.(?:\w+\.)?(\w+)$", page, re.MULTILINE))
    credentials = {name for name in module.__all__ if name.endswith("Credentials")} | {"ASK", "SecretRef"}
    plain = {
        "errors",
        "hookimpl",
        "Result",
        "frozen",
        "read_marks",
        "write_mark",
        "FENCE_KEY",
        "current_operation",
        "FIELD_GROUPS",
        "FrozenDict",
    }
    missing = set(module.__all__) - shown - credentials - plain - {"Deadline"}
    assert not missing


def test_every_hook_has_a_docstring() -> None:
    specs = [value for name, value in vars(hooks).items() if name.startswith("hvsdk_")]
    assert specs
    assert all(spec.__doc__ for spec in specs)


def test_the_examples_in_docstrings_run() -> None:
    finder, runner = doctest.DocTestFinder(), doctest.DocTestRunner(verbose=False)
    for _, name, _ in pkgutil.walk_packages(hvsdk.__path__, "hvsdk."):
        if not name.endswith("__main__"):
            for example in finder.find(importlib.import_module(name)):
                runner.run(example)
    found = runner.summarize(verbose=False)
    assert found.failed == 0
    assert found.attempted > 30
