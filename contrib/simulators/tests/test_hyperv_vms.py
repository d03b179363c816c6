"""Virtual machines of the simulated Hyper-V host: made, shown, changed, removed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hvsdk_simulators.hyperv.cmdlets import registry
from hvsdk_simulators.hyperv.initial import populate
from hvsdk_simulators.hyperv.options import Options
from hvsdk_simulators.hyperv.world import World
from hyperv_lab import MIB, Lab, fits_model


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


def test_machines_are_shown_as_the_module_shows_them(lab: Lab) -> None:
    made = lab.one("New-VM", Name="web", Generation=2, MemoryStartupBytes=512 * MIB, NoVHD=True)
    fits_model([made, lab.one("Get-VM", Id=made["Id"])])
    fits_model([*lab.run("Get-VMProcessor", VM=[made]), *lab.run("Get-VMMemory", VM=[made])])
    fits_model([*lab.run("Get-VMFirmware", VM=[made]), *lab.run("Get-VMIntegrationService", VM=[made])])
    fits_model(lab.run("Get-VMHost"))
    fits_model(lab.run("Get-VMBios", VM=[lab.one("New-VM", Name="old", Generation=1)]))
    assert (made["State"], made["Uptime"].total_seconds(), made["Heartbeat"]) == ("Off", 0.0, None)


def test_names_repeat_and_ids_do_not(lab: Lab) -> None:
    one, other = lab.one("New-VM", Name="twin"), lab.one("New-VM", Name="twin")
    assert one["Id"] != other["Id"]
    assert len(lab.run("Get-VM", Name=["twin"])) == 2
    assert len(lab.run("Get-VM", Name=["tw*"])) == 2


def test_a_missing_machine_is_told_in_two_ways(lab: Lab) -> None:
    by_name = lab.error("Get-VM", Name=["none"])
    assert (by_name.error_id, by_name.category) == ("InvalidParameter", "InvalidArgument")
    assert lab.run("Get-VM", Name=["none*"]) == []
    gone = lab.one("New-VM", Name="gone")
    lab.run("Remove-VM", VM=[gone], Force=True)
    for error in (lab.error("Get-VM", Id=gone["Id"]), lab.error("Set-VM", VM=[gone], Notes="x")):
        assert (error.error_id, error.category) == ("ObjectNotFound", "ObjectNotFound")


def test_generation_1_comes_with_a_drive_and_both_with_an_adapter(lab: Lab) -> None:
    old, new = lab.one("New-VM", Name="old", Generation=1), lab.one("New-VM", Name="new", Generation=2)
    assert len(lab.run("Get-VMDvdDrive", VM=[old])) == 1
    assert lab.run("Get-VMDvdDrive", VM=[new]) == []
    assert [len(lab.run("Get-VMNetworkAdapter", VM=[vm])) for vm in (old, new)] == [1, 1]


def test_a_machine_cannot_lie_where_no_drive_is(lab: Lab) -> None:
    error = lab.error("New-VM", Name="x", Path="Q:\\somewhere")
    assert (error.error_id, error.hresult) == ("ObjectNotFound", 0x80070003)
    assert lab.run("Get-VM") == []


def test_what_changes_a_machine_that_is_on_is_refused_whole(lab: Lab) -> None:
    vm = lab.one("New-VM", Name="web", Generation=2)
    lab.run("Start-VM", VM=[vm])
    error = lab.error("Set-VM", VM=[vm], Notes="written?", ProcessorCount=2)
    assert (error.error_id, error.category) == ("InvalidState", "InvalidOperation")
    assert lab.one("Get-VM", Id=vm["Id"])["Notes"] == ""
    lab.run("Set-VM", VM=[vm], Notes="written", AutomaticStartAction="Nothing")
    assert lab.one("Get-VM", Id=vm["Id"])["Notes"] == "written"
    assert lab.error("Set-VMProcessor", VM=[vm], Count=2).error_id == "InvalidState"
    assert lab.error("Set-VMFirmware", VM=[vm], EnableSecureBoot="Off").error_id == "InvalidState"


def test_memory_of_what_runs_changes_in_steps_and_only_where_it_is_static(lab: Lab) -> None:
    vm = lab.one("New-VM", Name="web", Generation=2)
    lab.run("Start-VM", VM=[vm])
    lab.run("Set-VMMemory", VM=[vm], StartupBytes=2048 * MIB)
    assert lab.one("Get-VM", Id=vm["Id"])["MemoryStartup"] == 2048 * MIB
    assert lab.error("Set-VMMemory", VM=[vm], StartupBytes=MIB).category == "InvalidArgument"
    assert lab.error("Set-VMMemory", VM=[vm], DynamicMemoryEnabled=True).error_id == "InvalidState"


def test_each_generation_has_its_own_firmware(lab: Lab) -> None:
    old, new = lab.one("New-VM", Name="old", Generation=1), lab.one("New-VM", Name="new", Generation=2)
    assert lab.error("Get-VMFirmware", VM=[old]).category == "InvalidOperation"
    assert lab.error("Get-VMBios", VM=[new]).category == "InvalidOperation"
    lab.run("Set-VMBios", VM=[old], StartupOrder=["IDE", "CD", "LegacyNetworkAdapter", "Floppy"])
    assert lab.one("Get-VMBios", VM=[old])["StartupOrder"][0] == "IDE"
    assert lab.error("Set-VMBios", VM=[old], StartupOrder=["IDE"]).category == "InvalidArgument"


def test_the_boot_order_takes_devices_and_sources(lab: Lab) -> None:
    vm = lab.one("New-VM", Name="web", Generation=2)
    disk = lab.one("Add-VMHardDiskDrive", VM=[vm], Path=lab.disk("a.vhdx"), Passthru=True)
    lab.run("Set-VMFirmware", VM=[vm], FirstBootDevice=disk)
    first, second = lab.one("Get-VMFirmware", VM=[vm])["BootOrder"]
    assert (first["BootType"], second["BootType"]) == ("Drive", "Network")
    lab.run("Set-VMFirmware", VM=[vm], BootOrder=[second, first])
    assert [one["BootType"] for one in lab.one("Get-VMFirmware", VM=[vm])["BootOrder"]] == ["Network", "Drive"]


def test_a_removed_machine_leaves_its_disks(lab: Lab) -> None:
    vm, path = lab.one("New-VM", Name="web", Generation=2), lab.disk("kept.vhdx")
    lab.run("Add-VMHardDiskDrive", VM=[vm], Path=path)
    lab.run("Remove-VM", VM=[vm], Force=True)
    assert lab.run("Get-VM") == []
    assert lab.one("Test-Path", LiteralPath=[path])


def test_the_same_seed_makes_the_same_host(tmp_path: Path) -> None:
    registry.load()
    worlds = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        world = World(Options(domains=12, seed=5), tmp_path / name)
        populate(world)
        worlds.append([(vm.id, vm.name, vm.state, vm.hardware.adapters[0].mac) for vm in world.vms.values()])
    assert worlds[0] == worlds[1]
    assert {state for _, _, state, _ in worlds[0]} == {"Running", "Off"}
