"""The scripts in a real PowerShell, and their twins, give the same answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hyperv_engines import HOSTILE, OFF, RUNNING, Engine, alike
from hyperv_support import REFERENCE, powershell

from hvsdk_hyperv._screenshot import pixels_of

NOBODY = "00000000-0000-4000-8000-000000000099"
ALL = ["config", "guest"]
READS: list[tuple[str, dict[str, Any]]] = [
    ("host.about", {}),
    ("domains.list", {}),
    ("domains.list", {"include": ALL}),
    ("domains.get", {"id": RUNNING, "include": ALL}),
    ("domains.get", {"id": OFF, "include": ["config"]}),
    ("domains.get", {"id": NOBODY}),
    ("domains.get", {"id": "$(throw)"}),
    ("domains.find", {"name": HOSTILE, "uuids": []}),
    ("domains.find", {"name": "nothing", "uuids": [RUNNING]}),
    ("domains.find", {"name": "*", "uuids": [NOBODY]}),
    ("labels.get", {"id": RUNNING}),
    ("networks.list", {}),
    ("nodes.list", {}),
    ("pools.list", {}),
    ("snapshots.list", {"id": RUNNING}),
    ("stats.read", {}),
    ("stats.read", {"ids": [OFF]}),
    ("stats.read", {"ids": [RUNNING, OFF]}),
    ("stats.read", {"ids": [NOBODY]}),
    ("screenshot.take", {"id": OFF}),
    ("console.find", {"id": RUNNING}),
    ("console.find", {"id": OFF}),
    ("nothing.at_all", {}),
]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Engine, Engine]]:
    powershell()
    if not (REFERENCE / "hyperv-model.json.gz").exists():
        pytest.skip("the model of the Hyper-V module is not here")
    with (
        Engine("python", tmp_path_factory.mktemp("python")) as one,
        Engine("powershell", tmp_path_factory.mktemp("powershell")) as other,
    ):
        yield one, other


@pytest.mark.parametrize(("operation", "arguments"), READS, ids=lambda value: str(value)[:40].replace("\n", " "))
def test_reads_answer_the_same(both: tuple[Engine, Engine], operation: str, arguments: dict[str, Any]) -> None:
    expected, found = (engine.ask(operation, arguments) for engine in both)
    if operation == "stats.read" and "result" in found:
        for answer in (expected, found):
            for vm in answer["result"]["vms"]:
                vm["counters"] = sorted(vm["counters"])
    assert alike(found) == alike(expected)


def test_pictures_are_the_same(both: tuple[Engine, Engine]) -> None:
    one, other = (engine.ask("screenshot.take", {"id": RUNNING})["result"] for engine in both)
    assert (one["width"], one["height"]) == (other["width"], other["height"]) == (1024, 768)
    assert pixels_of(one) == pixels_of(other)


def test_long_operations_are_answered_the_same(both: tuple[Engine, Engine]) -> None:
    for engine in both:
        answer = engine.ask("domains.get", {"id": RUNNING, "include": []}, wait=20)
        assert answer["result"]["name"] == HOSTILE
        assert engine.ask("job.poll", {"job": 12345, "wait": 0})["error"]["kind"] == "NotFound"
