"""The scripts in a real PowerShell, and their twins, give the same answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hvsdk.driver import DiskSpec, DomainSpec, NicSpec
from hvsdk_simulators.hyperv.cmdlets import registry
from hvsdk_simulators.hyperv.cmdlets.errors import CmdletError
from hvsdk_simulators.hyperv.world import World
from hyperv_engines import FOLDER, HOSTILE, OFF, RUNNING, Engine, alike
from hyperv_support import REFERENCE, powershell

from hvsdk_hyperv._create import _arguments as make_arguments
from hvsdk_hyperv._refused import RefusedError
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
    ("pools.find", {"path": FOLDER.lower()}),
    ("pools.find", {"path": f"{FOLDER}\\Nowhere"}),
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


# ---- what changes something ------------------------------------------------------------------------------

NAME = "data [1] `$(x) \u2018y\u2019"


def _step(operation: str, **arguments: Any) -> tuple[str, dict[str, Any]]:
    return operation, arguments


STORIES: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "volumes": [
        _step("volumes.list", pool=FOLDER),
        _step("volumes.create", pool=FOLDER, name=f"{NAME}.vhdx", size=32 << 20, fixed=False, block_size=None),
        _step("volumes.create", pool=FOLDER, name=f"{NAME}.vhdx", size=32 << 20, fixed=False, block_size=None),
        _step("volumes.create", pool=FOLDER, name="odd.vhdx", size=(32 << 20) + 5, fixed=True, block_size=None),
        _step("volumes.list", pool=FOLDER),
        _step("volumes.delete", pool=FOLDER, name=f"{NAME}.vhdx"),
        _step("volumes.delete", pool=FOLDER, name=f"{NAME}.vhdx"),
        _step("volumes.delete", pool=FOLDER, name="0.vhdx"),
        _step("volumes.list", pool="C:\\nothing [a]"),
    ],
    "adapters": [
        _step("adapters.add", id=OFF, switch="lan", plug=True, mac="00155D0000AA", legacy=False, vlan=5, name=NAME),
        _step("adapters.add", id=OFF, switch="lan", plug=True, mac="00155D0000AA", legacy=False, vlan=None, name=None),
        _step("adapters.add", id=OFF, switch="nothing", plug=True, mac=None, legacy=False, vlan=None, name=None),
        _step("adapters.get", id=OFF, nic="00155D0000AA"),
        _step("domains.get", id=OFF, include=["config"]),
        _step("adapters.remove", id=OFF, nic="00155D0000AA"),
        _step("adapters.remove", id=OFF, nic="00155D0000AA"),
        _step(
            "adapters.add", id=RUNNING, switch="lan", plug=True, mac="00155D0000AB", legacy=False, vlan=None, name=None
        ),
        _step("adapters.remove", id=RUNNING, nic="00155D0000AB"),
    ],
    "labels": [
        _step("labels.rename", id=OFF, name=HOSTILE),
        _step(
            "labels.set", id=OFF, notes=HOSTILE, start_action=None, expected={"notes": "other", "start_action": "Start"}
        ),
        _step("labels.get", id=OFF),
        _step("labels.rename", id=OFF, name="second"),
    ],
    "snapshots": [
        _step("snapshots.create", id=OFF, name=NAME, kind="disks", mark=""),
        _step("snapshots.list", id=OFF),
        _step("domains.get", id=OFF, include=["config"]),
        _step("disks.resize", id=OFF, disk="ide:0:0", size=128 << 20),
        _step("snapshots.revert", id=OFF, snapshot=NOBODY),
        _step("snapshots.delete", id=OFF, snapshot=NOBODY, children=False),
        _step("snapshots.create", id=RUNNING, name=NAME, kind="memory", mark=""),
        _step("snapshots.create", id=RUNNING, name=NAME, kind="quiesce", mark=""),
        _step("snapshots.list", id=RUNNING),
    ],
    "power": [
        *(
            _step(f"power.{verb}", id=OFF)
            for verb in (
                *(
                    "pause",
                    "shutdown",
                    "reset",
                    "start",
                    "start",
                    "pause",
                    "pause",
                    "unpause",
                    "reboot",
                    "reset",
                    "suspend",
                ),
                *("pause", "resume", "suspend"),
            )
        ),
        _step("power.off", id=OFF, discard=False),
        _step("power.off", id=OFF, discard=True),
        _step("power.start", id=OFF),
        _step("power.shutdown", id=OFF),
        _step("power.off", id=OFF, discard=False),
        _step("power.start", id=NOBODY),
    ],
    "disks": [
        _step("disks.resize", id=RUNNING, disk="scsi:0:0", size=1 << 20),
        _step("disks.resize", id=RUNNING, disk="scsi:0:9", size=1 << 30),
        _step("media.insert", id=RUNNING, drive=None, pool=None, names=["nothing.iso"]),
        _step("media.eject", id=RUNNING, drive=None),
        _step("disks.detach", id=RUNNING, disk="scsi:0:0"),
        _step("disks.detach", id=RUNNING, disk="scsi:0:0"),
        _step("domains.get", id=RUNNING, include=["config"]),
    ],
}


@pytest.mark.parametrize("story", STORIES)
def test_changes_answer_the_same(both: tuple[Engine, Engine], story: str) -> None:
    for number, (operation, arguments) in enumerate(STORIES[story]):
        expected, found = (engine.ask(operation, arguments) for engine in both)
        assert alike(found) == alike(expected), f"step {number}: {operation}"


def test_making_and_deleting_a_domain_answers_the_same(both: tuple[Engine, Engine]) -> None:
    disks = [DiskSpec(size=32 << 20), DiskSpec(device="cdrom")]
    spec = DomainSpec(name=f"{NAME} made", vcpus=2, memory=512 << 20, disks=disks, nics=[NicSpec(network="lan")])
    wish = make_arguments(spec)
    made = [engine.ask("create.make", wish) for engine in both]
    assert alike(made[1]) == alike(made[0])
    again = [engine.ask("create.make", wish) for engine in both]
    assert alike(again[1]) == alike(again[0])
    for answers in (made, again):
        if "result" in answers[0]:
            arguments = [{"id": one["result"]["id"], "disks": "delete"} for one in answers]
            gone = [engine.ask("delete.run", each) for engine, each in zip(both, arguments, strict=True)]
            assert alike(gone[1]) == alike(gone[0])


HALF = DomainSpec(name="half", vcpus=1, memory=64 << 20, disks=[DiskSpec(size=16 << 20)], nics=[NicSpec()])
HALF_MAC = "00155D0000AC"
HALF_DONE: dict[str, tuple[Callable[[], dict[str, Any]], str, str, str]] = {
    "create.make": (
        lambda: make_arguments(HALF),
        *("Add-VMNetworkAdapter", "Remove-VM", "the new machine 'half' with its disks"),
    ),
    "clone.make": (
        lambda: {"id": OFF, "name": "half", "linked": False, "notes": "of a copy"},
        *("Set-VM", "Remove-VM", "the new machine 'half' with its disks"),
    ),
    "adapters.add": (
        lambda: {
            "id": OFF,
            "switch": "lan",
            "plug": True,
            "mac": HALF_MAC,
            "legacy": False,
            "vlan": None,
            "name": None,
        },
        *("Connect-VMNetworkAdapter", "Remove-VMNetworkAdapter", "an adapter of '"),
    ),
}
"""Operations with what makes their arguments, the cmdlet that fails, the one that fails to take back, and what stays."""


@pytest.mark.parametrize("operation", HALF_DONE)
@pytest.mark.parametrize("long", [False, True])
def test_what_went_wrong_first_is_told_with_what_cannot_be_taken_back(
    both: tuple[Engine, Engine], operation: str, long: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(text: str) -> Any:
        def fail(world: World, bound: registry.Bound) -> Any:
            raise CmdletError("OperationFailed", "InvalidOperation", text)

        return fail

    arguments, first, second, left = HALF_DONE[operation]
    for engine in both:
        known = set(engine.world.vms)
        with monkeypatch.context() as broken:
            broken.setitem(registry.CMDLETS, first, failing("the first error"))
            broken.setitem(registry.CMDLETS, second, failing("the second one"))
            error = engine.ask(operation, arguments(), **({"wait": 20} if long else {}))["error"]
        assert "the first error" in error["message"]
        (told,) = error["left"]
        assert told.startswith(left)
        assert told.endswith(" (the second one)")
        assert str(RefusedError(error)).endswith(f"; what could not be taken back: {told}")
        if operation == "adapters.add":
            assert "error" not in engine.ask("adapters.remove", {"id": OFF, "nic": HALF_MAC})
            continue
        (stayed,) = set(engine.world.vms) - known
        assert "error" not in engine.ask("delete.run", {"id": str(stayed), "disks": "delete"})
