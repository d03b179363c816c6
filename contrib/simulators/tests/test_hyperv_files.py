"""Files, folders and volumes of the simulated Hyper-V host."""

from __future__ import annotations

from pathlib import Path

import pytest
from hyperv_lab import FOLDER, MIB, Lab


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


@pytest.mark.parametrize("name", ["[x]a.iso", "it's.iso", "$(Get-Date) `n.iso", "\u2018q\u2019 \u65e5\u672c.iso"])
def test_names_are_taken_as_they_are(lab: Lab, name: str) -> None:
    path = lab.image(name)
    assert lab.run("Test-Path", LiteralPath=[path], PathType="Leaf") == [True]
    assert lab.one("Get-Item", LiteralPath=[path])["FullName"] == path
    lab.run("Remove-Item", LiteralPath=[path])
    assert lab.run("Test-Path", LiteralPath=[path]) == [False]


def test_a_path_with_wildcards_means_what_matches(lab: Lab) -> None:
    lab.image("[x]a.iso")
    lab.image("xa.iso")
    assert [one["Name"] for one in lab.run("Get-Item", Path=[f"{FOLDER}\\[x]a.iso"])] == ["xa.iso"]
    lab.run("Remove-Item", Path=[f"{FOLDER}\\[x]a.iso"])
    assert lab.run("Test-Path", Path=[f"{FOLDER}\\[x]a.iso"]) == [False]
    assert lab.run("Test-Path", LiteralPath=[f"{FOLDER}\\[x]a.iso"]) == [True]


def test_case_and_slashes_do_not_matter(lab: Lab) -> None:
    path = lab.image("Setup.ISO")
    found = lab.one("Get-Item", LiteralPath=[path.lower().replace("\\", "/")])
    assert found["FullName"] == path
    assert (found["Name"], found["Extension"], found["Length"]) == ("Setup.ISO", ".ISO", 8)


def test_folders_are_listed_with_what_is_in_them(lab: Lab) -> None:
    lab.run("New-Item", Path=[f"{FOLDER}\\inner"], ItemType="Directory")
    path = lab.image()
    everything = lab.run("Get-ChildItem", LiteralPath=[FOLDER])
    assert [(one["Name"], one["PSIsContainer"]) for one in everything] == [("inner", True), ("setup.iso", False)]
    assert [one["FullName"] for one in lab.run("Get-ChildItem", LiteralPath=[FOLDER], File=True)] == [path]
    found = lab.run("Get-ChildItem", LiteralPath=["C:\\"], File=True, Recurse=True)
    assert [one["FullName"] for one in found] == [path]


def test_a_folder_outlives_its_files_and_goes_when_it_is_removed(lab: Lab) -> None:
    lab.run("New-Item", Path=["D:\\VMs\\web"], ItemType="Directory")
    lab.run("New-Item", Path=["D:\\VMs\\web\\a.iso"], ItemType="File")
    assert lab.error("Remove-Item", LiteralPath=["D:\\VMs\\web"]).category == "InvalidOperation"
    lab.run("Remove-Item", LiteralPath=["D:\\VMs\\web\\a.iso"])
    assert lab.run("Test-Path", LiteralPath=["D:\\VMs\\web"], PathType="Container") == [True]
    lab.run("Remove-Item", LiteralPath=["D:\\VMs\\web"])
    assert lab.run("Test-Path", LiteralPath=["D:\\VMs\\web"]) == [False]
    assert lab.run("Test-Path", LiteralPath=["D:\\VMs"]) == [True]


def test_what_is_not_there_is_not_found(lab: Lab) -> None:
    for cmdlet in ("Get-Item", "Get-ChildItem", "Remove-Item"):
        error = lab.error(cmdlet, LiteralPath=["C:\\nowhere"])
        assert (error.error_id, error.category) == ("PathNotFound", "ObjectNotFound")


def test_files_are_copied_and_moved(lab: Lab) -> None:
    path = lab.image()
    lab.run("Copy-Item", LiteralPath=[path], Destination=f"{FOLDER}\\copy.iso")
    lab.run("Move-Item", LiteralPath=[path], Destination="D:\\")
    assert lab.run("Test-Path", LiteralPath=[path, f"{FOLDER}\\copy.iso", "D:\\setup.iso"]) == [False, True, True]
    error = lab.error("Move-Item", LiteralPath=[f"{FOLDER}\\copy.iso"], Destination="D:\\setup.iso")
    assert error.hresult == 0x800700B7


def test_a_running_vm_holds_its_disks_and_what_they_lie_on(lab: Lab) -> None:
    base = lab.disk("base.vhdx")
    (child,) = lab.run("New-VHD", Path=[f"{FOLDER}\\child.vhdx"], ParentPath=base, Differencing=True)
    vm = lab.vm()
    lab.run("Add-VMHardDiskDrive", VM=[vm], Path=child["Path"])
    vm.owner.state = "Running"
    for path in (base, child["Path"]):
        assert lab.error("Remove-Item", LiteralPath=[path]).hresult == 0x80070020
        assert lab.error("Move-Item", LiteralPath=[path], Destination="D:\\x.vhdx").hresult == 0x80070020
    vm.owner.state = "Off"
    lab.run("Remove-Item", LiteralPath=[child["Path"]])


def test_volumes_tell_their_room(lab: Lab) -> None:
    before = lab.one("Get-Volume", FilePath=[FOLDER])
    lab.run("New-VHD", Path=[f"{FOLDER}\\a.vhdx"], SizeBytes=8 * MIB, Fixed=True)
    after = lab.one("Get-Volume", FilePath=[FOLDER])
    assert after["SizeRemaining"] <= before["SizeRemaining"] < before["Size"]
    assert [one["DriveLetter"] for one in lab.run("Get-Volume")] == ["C", "D"]
    assert lab.error("Get-Volume", FilePath=["Q:\\x"]).category == "ObjectNotFound"
