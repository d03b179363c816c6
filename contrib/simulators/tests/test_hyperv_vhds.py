"""Virtual hard disks of the simulated Hyper-V host: real files, and the errors of the real module."""

from __future__ import annotations

from pathlib import Path

import pytest
from hvsdk_simulators.hyperv import disks
from hyperv_lab import FOLDER, MIB, Lab, fits_model


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


@pytest.mark.parametrize("ending", ["vhdx", "vhd"])
def test_a_new_disk_is_a_real_file(lab: Lab, ending: str) -> None:
    path = lab.disk(f"a.{ending}")
    shown = lab.one("Get-VHD", Path=[path])
    fits_model([shown])
    assert (shown["Size"], shown["VhdFormat"], shown["VhdType"]) == (8 * MIB, ending.upper(), "Dynamic")
    assert shown["ParentPath"] == ""
    with disks.open(lab.world.root / path) as image:
        assert image.read(0, 512) == bytes(512)


def test_an_empty_dynamic_vhdx_begins_with_four_megabytes(lab: Lab) -> None:
    shown = lab.one("Get-VHD", Path=[lab.disk("a.vhdx")])
    assert (shown["FileSize"], shown["BlockSize"]) == (4194304, 33554432)
    assert (shown["LogicalSectorSize"], shown["PhysicalSectorSize"]) == (512, 4096)


def test_new_disks_are_checked(lab: Lab) -> None:
    path = lab.disk("a.vhdx")
    again = lab.error("New-VHD", Path=[path.upper()], SizeBytes=8 * MIB)
    assert (again.error_id, again.category, again.hresult) == ("OperationFailed", "NotSpecified", 0x80070050)
    for size in (MIB, 8 * MIB + 1, 65 << 40):
        assert lab.error("New-VHD", Path=[f"{FOLDER}\\b.vhdx"], SizeBytes=size).category == "InvalidArgument"
    assert lab.error("New-VHD", Path=["C:\\nowhere\\b.vhdx"], SizeBytes=8 * MIB).hresult == 0x80070003
    assert lab.error("New-VHD", Path=[f"{FOLDER}\\b.raw"], SizeBytes=8 * MIB).category == "InvalidArgument"
    assert lab.run("Test-Path", LiteralPath=[f"{FOLDER}\\b.vhdx"]) == [False]


def test_a_differencing_disk_tells_what_it_lies_on(lab: Lab) -> None:
    base = lab.disk("base.vhdx")
    child = lab.one("New-VHD", Path=[f"{FOLDER}\\child.vhdx"], ParentPath=base, Differencing=True)
    assert (child["VhdType"], child["ParentPath"], child["Size"]) == ("Differencing", base, 8 * MIB)
    with disks.open(lab.world.root / child["Path"], True) as image:
        image.write(0, b"changed".ljust(512))
    lab.run("Merge-VHD", Path=child["Path"], DestinationPath=base)
    assert lab.run("Test-Path", LiteralPath=[child["Path"]]) == [False]
    with disks.open(lab.world.root / base) as image:
        assert image.read(0, 7) == b"changed"


def test_a_disk_grows_but_does_not_shrink(lab: Lab) -> None:
    path = lab.disk("a.vhdx")
    lab.run("Resize-VHD", Path=[path], SizeBytes=16 * MIB)
    assert lab.one("Get-VHD", Path=[path])["Size"] == 16 * MIB
    assert lab.error("Resize-VHD", Path=[path], SizeBytes=8 * MIB).error_id == "OperationFailed"


def test_only_vhdx_on_scsi_grow_while_they_are_used(lab: Lab) -> None:
    vm = lab.vm(generation=1)
    on_ide, on_scsi = lab.disk("a.vhdx"), lab.disk("b.vhdx")
    lab.run("Add-VMHardDiskDrive", VM=[vm], Path=on_ide)
    lab.run("Add-VMHardDiskDrive", VM=[vm], ControllerType="SCSI", Path=on_scsi)
    vm.owner.state = "Running"
    assert lab.one("Get-VHD", Path=[on_scsi])["Attached"] is True
    error = lab.error("Resize-VHD", Path=[on_ide], SizeBytes=16 * MIB)
    assert (error.error_id, error.category) == ("ObjectInUse", "ResourceBusy")
    lab.run("Resize-VHD", Path=[on_scsi], SizeBytes=16 * MIB)
    assert lab.error("Convert-VHD", Path=on_scsi, DestinationPath=f"{FOLDER}\\c.vhdx").category == "ResourceBusy"


def test_a_converted_disk_is_whole(lab: Lab) -> None:
    base = lab.disk("base.vhdx")
    with disks.open(lab.world.root / base, True) as image:
        image.write(5 * MIB, b"content".ljust(512))
    child = lab.one("New-VHD", Path=[f"{FOLDER}\\child.vhdx"], ParentPath=base, Differencing=True)
    made = lab.one("Convert-VHD", Path=child["Path"], DestinationPath=f"{FOLDER}\\copy.vhd", Passthru=True)
    assert (made["VhdFormat"], made["VhdType"], made["ParentPath"]) == ("VHD", "Dynamic", "")
    with disks.open(lab.world.root / made["Path"]) as image:
        assert image.read(5 * MIB, 7) == b"content"


def test_what_is_no_disk_is_told(lab: Lab) -> None:
    missing = lab.error("Get-VHD", Path=[f"{FOLDER}\\none.vhdx"])
    assert (missing.error_id, missing.category, missing.hresult) == ("ObjectNotFound", "ObjectNotFound", 0x80070002)
    lab.run("New-Item", Path=[f"{FOLDER}\\broken.vhdx"], ItemType="File", Value="no disk")
    assert lab.error("Get-VHD", Path=[f"{FOLDER}\\broken.vhdx"]).error_id == "OperationFailed"


def test_a_mounted_disk_is_held(lab: Lab) -> None:
    path = lab.disk("a.vhdx")
    assert lab.one("Mount-VHD", Path=[path], Passthru=True)["Attached"] is True
    assert lab.error("Set-VHD", Path=path, ParentPath=path).category == "ResourceBusy"
    assert lab.error("Remove-Item", LiteralPath=[path]).hresult == 0x80070020
    lab.run("Dismount-VHD", Path=[path])
    assert lab.one("Get-VHD", Path=[path])["Attached"] is False
