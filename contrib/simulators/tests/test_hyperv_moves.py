"""Moves in the simulated Hyper-V host: between nodes of its cluster, between folders, and what is said against them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hvsdk_simulators.hyperv import disks
from hvsdk_simulators.hyperv.cmdlets import registry
from hvsdk_simulators.hyperv.cmdlets.errors import CmdletError
from hvsdk_simulators.hyperv.cmdlets.records import Record
from hvsdk_simulators.hyperv.file_system import FileSystem
from hvsdk_simulators.hyperv.options import Options
from hvsdk_simulators.hyperv.vms import Drive, Hardware, Vm
from hvsdk_simulators.hyperv.world import World

BASE = "C:\\Hyper-V\\Virtual Hard Disks\\web.vhdx"
MIB = 1 << 20


@pytest.fixture(autouse=True)
def cmdlets() -> None:
    registry.load()


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(Options(domains=0, nodes=2), tmp_path)


@pytest.fixture
def vm(world: World) -> Vm:
    disks.create(world.root / BASE, "vhdx", "dynamic", 64 * MIB)
    with disks.open(world.root / BASE, True) as image:
        image.write(0, b"content".ljust(512, b"\0"))
    drive = Drive(kind="disk", controller_type="SCSI", controller_number=0, location=0, path=BASE)
    made = Vm(hardware=Hardware(name="web", checkpoint_type="Standard", drives=[drive]))
    world.vms[made.id] = made
    return made


def run(world: World, name: str, **parameters: Any) -> list[Any]:
    return registry.run(world, name, parameters)


def shown(vm: Vm) -> Record:
    return Record("VirtualMachine", str(vm.id), {"Name": vm.name, "Id": vm.id}, owner=vm)


def content(world: World, path: str | None) -> bytes:
    with disks.open(world.root / str(path)) as image:
        return image.read(0, 512).rstrip(b"\0")


def test_one_host_is_no_cluster(tmp_path: Path) -> None:
    alone = World(Options(domains=0), tmp_path)
    with pytest.raises(CmdletError, match="cluster service is not running"):
        run(alone, "Get-ClusterNode")


def test_nodes_tell_their_state(world: World) -> None:
    assert [(node["Name"], node["State"]) for node in run(world, "Get-ClusterNode")] == [("HV-1", "Up"), ("HV-2", "Up")]
    assert [node["Name"] for node in run(world, "Get-ClusterNode", Name=["hv-2"])] == ["HV-2"]


def test_a_role_moves_to_another_node(world: World, vm: Vm) -> None:
    run(world, "Add-ClusterVirtualMachineRole", VMId=vm.id)
    (group,) = run(world, "Get-ClusterGroup", VMId=vm.id)
    assert (group["OwnerNode"], group["State"]) == ("HV-1", "Offline")
    run(world, "Move-ClusterGroup", InputObject=group, Node="HV-2")
    assert run(world, "Get-ClusterGroup", VMId=vm.id)[0]["OwnerNode"] == "HV-2"


@pytest.mark.parametrize(("node", "state"), [("HV-3", "Up"), ("HV-2", "Down")])
def test_a_role_moves_to_no_node_that_is_not_there(world: World, vm: Vm, node: str, state: str) -> None:
    vm.clustered = True
    world.facts["clusters"] = {"HV-2": state}
    with pytest.raises(CmdletError):
        run(world, "Move-ClusterVirtualMachineRole", VMId=vm.id, Node=node)
    assert vm.node == ""


def test_what_is_no_role_is_no_group(world: World, vm: Vm) -> None:
    with pytest.raises(CmdletError) as caught:
        run(world, "Get-ClusterGroup", VMId=vm.id)
    assert caught.value.category == "ObjectNotFound"


def test_named_files_move(world: World, vm: Vm) -> None:
    FileSystem(world).make_folder("D:\\VMs")
    run(
        world,
        "Move-VMStorage",
        VM=shown(vm),
        Vhds=[{"SourceFilePath": BASE, "DestinationFilePath": "D:\\VMs\\web.vhdx"}],
    )
    assert vm.hardware.drives[0].path == "D:\\VMs\\web.vhdx"
    assert [one.name for one in world.root.iterdir()] == ["D:\\VMs\\web.vhdx"]
    assert content(world, vm.hardware.drives[0].path) == b"content"


def test_files_move_with_those_that_they_lie_on(world: World, vm: Vm) -> None:
    (made,) = run(world, "Checkpoint-VM", VM=[shown(vm)], SnapshotName="first", Passthru=True)
    run(world, "Move-VM", VM=shown(vm), DestinationHost="HV-2", IncludeStorage=True, DestinationStoragePath="D:\\web")
    assert (vm.node, vm.path) == ("HV-2", "D:\\web")
    assert all(one.name.startswith("D:\\web\\Virtual Hard Disks\\") for one in world.root.iterdir())
    assert content(world, vm.hardware.drives[0].path) == b"content"
    run(world, "Restore-VMSnapshot", VMSnapshot=made)
    assert content(world, vm.hardware.drives[0].path) == b"content"


def test_what_stands_in_the_way_is_told_and_refused(world: World, vm: Vm) -> None:
    world.facts["moves"] = {"HV-2": {"problems": ["Could not find Ethernet switch 'lan'."]}}
    (report,) = run(world, "Compare-VM", VM=shown(vm), DestinationHost="hv-2.hv.test", IncludeStorage=True)
    assert [one["Message"] for one in report["Incompatibilities"]] == ["Could not find Ethernet switch 'lan'."]
    with pytest.raises(CmdletError, match="Ethernet switch"):
        run(world, "Move-VM", VM=shown(vm), DestinationHost="HV-2")
    assert vm.node == ""


def test_without_delegation_the_other_host_is_closed(world: World, vm: Vm) -> None:
    world.facts["moves"] = {"HV-2": {"denied": True}}
    with pytest.raises(CmdletError) as caught:
        run(world, "Compare-VM", VM=shown(vm), DestinationHost="HV-2")
    assert caught.value.category == "PermissionDenied"
