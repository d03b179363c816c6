"""Checkpoints of the simulated Hyper-V host: what they hold, and what becomes of their files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hvsdk_simulators.hyperv import disks
from hvsdk_simulators.hyperv.cmdlets import registry
from hvsdk_simulators.hyperv.cmdlets.errors import CmdletError
from hvsdk_simulators.hyperv.cmdlets.records import Record
from hvsdk_simulators.hyperv.options import Options
from hvsdk_simulators.hyperv.vms import Drive, Hardware, Vm
from hvsdk_simulators.hyperv.world import World

BASE = "C:\\Hyper-V\\Virtual Hard Disks\\web.vhdx"
MIB = 1 << 20


@pytest.fixture
def world(tmp_path: Path) -> World:
    registry.load()
    return World(Options(domains=0), tmp_path)


@pytest.fixture
def vm(world: World) -> Vm:
    disks.create(world.root / BASE, "vhdx", "dynamic", 64 * MIB)
    drive = Drive(kind="disk", controller_type="SCSI", controller_number=0, location=0, path=BASE)
    made = Vm(hardware=Hardware(name="web", notes="old", checkpoint_type="Standard", drives=[drive]))
    world.vms[made.id] = made
    return made


def run(world: World, name: str, **parameters: Any) -> list[Any]:
    return registry.run(world, name, parameters)


def shown(vm: Vm) -> Record:
    return Record("VirtualMachine", str(vm.id), {"Name": vm.name, "Id": vm.id}, owner=vm)


def checkpoint(world: World, vm: Vm, name: str) -> Record:
    (made,) = run(world, "Checkpoint-VM", VM=[shown(vm)], SnapshotName=name, Passthru=True)
    assert isinstance(made, Record)
    return made


def path_of(vm: Vm) -> str:
    path = vm.hardware.drives[0].path
    assert path is not None
    return path


def write(world: World, vm: Vm, text: bytes, offset: int = 0) -> None:
    with disks.open(world.root / path_of(vm), True) as image:
        image.write(offset, text.ljust(512, b"\0"))


def read(world: World, vm: Vm, offset: int = 0) -> bytes:
    with disks.open(world.root / path_of(vm)) as image:
        return image.read(offset, 512).rstrip(b"\0")


def files(world: World) -> list[str]:
    return sorted(one.name for one in world.root.iterdir())


def test_a_checkpoint_keeps_the_disk_and_the_vm_goes_on_beside(world: World, vm: Vm) -> None:
    write(world, vm, b"before")
    made = checkpoint(world, vm, "first")
    assert path_of(vm).startswith("C:\\Hyper-V\\Virtual Hard Disks\\web_")
    assert path_of(vm).endswith(".avhdx")
    assert made["State"] == "Off"
    write(world, vm, b"after")
    run(world, "Restore-VMSnapshot", VMSnapshot=made)
    assert read(world, vm) == b"before"
    assert len(files(world)) == 2, "the state that was given up left its file"


def test_a_restored_checkpoint_brings_its_settings_back(world: World, vm: Vm) -> None:
    made = checkpoint(world, vm, "first")
    vm.hardware.notes, vm.hardware.name, vm.hardware.processors = "new", "renamed", 4
    run(world, "Restore-VMSnapshot", VMSnapshot=made)
    assert (vm.hardware.notes, vm.name, vm.hardware.processors) == ("old", "web", 1)


def test_the_only_checkpoint_merges_into_the_first_file(world: World, vm: Vm) -> None:
    write(world, vm, b"before")
    made = checkpoint(world, vm, "first")
    write(world, vm, b"after", MIB)
    run(world, "Remove-VMSnapshot", VMSnapshot=[made])
    assert files(world) == [BASE]
    assert path_of(vm) == BASE
    assert (read(world, vm), read(world, vm, MIB)) == (b"before", b"after")
    assert (vm.status, vm.current, vm.checkpoints) == ("Ok", None, [])


def test_one_in_the_middle_goes_and_all_others_keep_their_content(world: World, vm: Vm) -> None:
    write(world, vm, b"one")
    first = checkpoint(world, vm, "1")
    write(world, vm, b"two")
    second = checkpoint(world, vm, "2")
    write(world, vm, b"three")
    third = checkpoint(world, vm, "3")
    write(world, vm, b"now")
    run(world, "Remove-VMSnapshot", VMSnapshot=[second])
    assert len(files(world)) == 3
    assert read(world, vm) == b"now"
    assert [one.parent for one in vm.checkpoints] == [None, first["Id"]]
    run(world, "Restore-VMSnapshot", VMSnapshot=third)
    assert read(world, vm) == b"three"
    run(world, "Restore-VMSnapshot", VMSnapshot=first)
    assert read(world, vm) == b"one"


def test_two_branches_lie_on_one_file_as_long_as_both_are_there(world: World, vm: Vm) -> None:
    write(world, vm, b"root")
    root = checkpoint(world, vm, "root")
    write(world, vm, b"left")
    left = checkpoint(world, vm, "left")
    run(world, "Restore-VMSnapshot", VMSnapshot=root)
    write(world, vm, b"right", MIB)
    run(world, "Remove-VMSnapshot", VMSnapshot=[root])
    assert BASE in files(world)
    assert read(world, vm) == b"root"
    run(world, "Remove-VMSnapshot", VMSnapshot=[left])
    assert files(world) == [BASE]
    assert (read(world, vm), read(world, vm, MIB)) == (b"root", b"right")


def test_a_tree_goes_as_a_whole(world: World, vm: Vm) -> None:
    first = checkpoint(world, vm, "1")
    second = checkpoint(world, vm, "2")
    checkpoint(world, vm, "3")
    write(world, vm, b"now")
    run(world, "Remove-VMSnapshot", VMSnapshot=[second], IncludeAllChildSnapshots=True)
    assert [one.name for one in vm.checkpoints] == ["1"]
    assert vm.current == first["Id"]
    assert read(world, vm) == b"now"
    assert len(files(world)) == 2


def test_a_merge_takes_a_while_and_shows(tmp_path: Path, world: World, vm: Vm) -> None:
    world.options = Options(domains=0, duration_scale=0.1)
    made = checkpoint(world, vm, "first")
    run(world, "Remove-VMSnapshot", VMSnapshot=[made])
    assert vm.status == "MergingDisks"
    assert len(files(world)) == 2
    with world.lock:
        world.wait(0.5)
    assert (vm.status, files(world)) == ("Ok", [BASE])


def test_a_merge_goes_on_when_its_machine_is_gone(world: World, vm: Vm) -> None:
    world.options = Options(domains=0, duration_scale=0.05)
    checkpoint(world, vm, "first")
    write(world, vm, b"now")
    run(world, "Remove-VM", VM=[shown(vm)], Force=True)
    assert len(files(world)) == 2
    with world.lock:
        world.wait(0.4)
    assert files(world) == [BASE]
    with disks.open(world.root / BASE) as image:
        assert image.read(0, 3) == b"now"


def test_a_shared_disk_stands_in_the_way(world: World, vm: Vm) -> None:
    vm.hardware.drives[0].shared = True
    with pytest.raises(CmdletError, match="shared"):
        checkpoint(world, vm, "first")


@pytest.mark.parametrize(
    ("kind", "quiesces", "memory"),
    [
        ("Standard", True, True),
        ("Production", True, False),
        ("Production", False, True),
        ("ProductionOnly", True, False),
    ],
)
def test_what_a_running_vm_gives_is_as_it_is_set_to(
    world: World, vm: Vm, kind: str, quiesces: bool, memory: bool
) -> None:
    vm.state, vm.hardware.checkpoint_type, vm.guest.quiesces = "Running", kind, quiesces
    made = checkpoint(world, vm, "first")
    assert made["State"] == ("Running" if memory else "Off")
    run(world, "Restore-VMSnapshot", VMSnapshot=made)
    assert vm.state == ("Saved" if memory else "Off")


def test_production_only_fails_and_leaves_nothing(world: World, vm: Vm) -> None:
    vm.state, vm.hardware.checkpoint_type, vm.guest.quiesces = "Running", "ProductionOnly", False
    with pytest.raises(CmdletError):
        checkpoint(world, vm, "first")
    assert (files(world), vm.checkpoints) == ([BASE], [])


def test_disabled_checkpoints_are_refused_in_its_words(world: World, vm: Vm) -> None:
    vm.hardware.checkpoint_type = "Disabled"
    with pytest.raises(CmdletError, match="Checkpoints have been disabled for 'web'"):
        checkpoint(world, vm, "first")


def test_windows_2012_knows_standard_ones_alone(world: World, vm: Vm) -> None:
    world.options = Options(domains=0, version=2012)
    vm.state, vm.hardware.checkpoint_type = "Running", "ProductionOnly"
    assert checkpoint(world, vm, "first")["State"] == "Running"


def test_checkpoints_are_found_and_renamed(world: World, vm: Vm) -> None:
    first = checkpoint(world, vm, "first")
    second = checkpoint(world, vm, "second")
    (found,) = run(world, "Get-VMSnapshot", VM=[shown(vm)], Name="SECOND")
    assert found["ParentSnapshotId"] == first["Id"]
    assert found["ParentSnapshotName"] == "first"
    run(world, "Rename-VMSnapshot", VMSnapshot=second, NewName="[x]* $(y)")
    (found,) = run(world, "Get-VMSnapshot", Id=second["Id"])
    assert found["Name"] == "[x]* $(y)"
    run(world, "Remove-VMSnapshot", VMSnapshot=[second])
    with pytest.raises(CmdletError) as caught:
        run(world, "Get-VMSnapshot", Id=second["Id"])
    assert caught.value.category == "ObjectNotFound"
