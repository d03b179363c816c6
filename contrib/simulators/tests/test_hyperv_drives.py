"""Drives and controllers of the simulated Hyper-V host's virtual machines."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hyperv_lab import FOLDER, Lab, fits_model


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


def test_drives_are_shown_as_the_module_shows_them(lab: Lab) -> None:
    vm, path = lab.vm(), lab.disk("a.vhdx")
    drive = lab.one("Add-VMHardDiskDrive", VM=[vm], Path=path.upper(), Passthru=True)
    lab.run("Add-VMDvdDrive", VM=[vm])
    (dvd,) = lab.run("Get-VMDvdDrive", VM=[vm])
    assert drive["Path"] == path
    assert drive["Name"] == "Hard Drive on SCSI controller number 0 at location 0"
    assert re.fullmatch(r"Microsoft:[0-9A-F-]{36}\\[0-9A-F-]{36}\\0\\0\\D", drive["Id"])
    assert (dvd["Path"], dvd["DvdMediaType"]) == (None, "None")
    assert dvd["Name"] == "DVD Drive on SCSI controller number 0 at location 1"
    fits_model([drive, dvd, *lab.run("Get-VMScsiController", VM=[vm])])
    fits_model(lab.run("Get-VMIdeController", VM=[lab.vm(generation=1)]))


def test_generation_1_begins_on_ide_and_goes_on_on_scsi(lab: Lab) -> None:
    vm = lab.vm(generation=1)
    places = []
    for number in range(5):
        lab.disk(f"{number}.vhdx")
        drive = lab.one("Add-VMHardDiskDrive", VM=[vm], Path=f"{FOLDER}\\{number}.vhdx", Passthru=True)
        places.append((drive["ControllerType"], drive["ControllerNumber"], drive["ControllerLocation"]))
    assert places == [("IDE", 0, 0), ("IDE", 0, 1), ("IDE", 1, 0), ("IDE", 1, 1), ("SCSI", 0, 0)]
    assert lab.error("Add-VMDvdDrive", VM=[vm]).category == "InvalidOperation"


def test_places_are_checked(lab: Lab) -> None:
    vm = lab.vm()
    lab.disk("a.vhdx"), lab.disk("b.vhdx")
    how = {"VM": [vm], "ControllerType": "SCSI", "ControllerNumber": 0, "ControllerLocation": 63}
    lab.run("Add-VMHardDiskDrive", Path=f"{FOLDER}\\a.vhdx", **how)
    assert lab.error("Add-VMHardDiskDrive", Path=f"{FOLDER}\\b.vhdx", **how).category == "InvalidOperation"
    assert lab.error("Add-VMHardDiskDrive", **{**how, "ControllerLocation": 64}).category == "InvalidArgument"
    assert lab.error("Add-VMHardDiskDrive", **{**how, "ControllerNumber": 1}).category == "ObjectNotFound"
    assert lab.error("Add-VMHardDiskDrive", VM=[vm], ControllerType="IDE").category == "InvalidOperation"


def test_only_scsi_is_plugged_while_it_runs(lab: Lab) -> None:
    vm, path = lab.vm(generation=1), lab.disk("a.vhdx")
    on_ide = lab.one("Add-VMHardDiskDrive", VM=[vm], Path=lab.disk("b.vhdx"), Passthru=True)
    vm.owner.state = "Running"
    error = lab.error("Add-VMHardDiskDrive", VM=[vm], ControllerType="IDE", Path=path)
    assert (error.error_id, error.category) == ("InvalidState", "InvalidOperation")
    assert lab.error("Remove-VMHardDiskDrive", VMHardDiskDrive=[on_ide]).error_id == "InvalidState"
    added = lab.one("Add-VMHardDiskDrive", VM=[vm], Path=path, Passthru=True)
    assert added["ControllerType"] == "SCSI"
    lab.run("Remove-VMHardDiskDrive", VMHardDiskDrive=[added])
    assert lab.error("Remove-VMHardDiskDrive", VMHardDiskDrive=[added]).category == "ObjectNotFound"
    vm.owner.state = "Saved"
    assert lab.error("Add-VMHardDiskDrive", VM=[vm], Path=path).error_id == "InvalidState"


def test_a_disk_is_not_attached_twice(lab: Lab) -> None:
    vm, other, path = lab.vm(), lab.vm(name="other"), lab.disk("a.vhdx")
    lab.run("Add-VMHardDiskDrive", VM=[vm], Path=path)
    assert lab.error("Add-VMHardDiskDrive", VM=[vm], Path=path.upper()).category == "ResourceBusy"
    vm.owner.state = other.owner.state = "Running"
    assert lab.error("Add-VMHardDiskDrive", VM=[other], Path=path).hresult == 0x80070020


def test_files_have_to_be_there_and_of_the_right_kind(lab: Lab) -> None:
    vm, image = lab.vm(), lab.image()
    assert lab.error("Add-VMHardDiskDrive", VM=[vm], Path=f"{FOLDER}\\none.vhdx").hresult == 0x80070002
    assert lab.error("Add-VMHardDiskDrive", VM=[vm], Path=image).category == "InvalidArgument"
    assert lab.error("Add-VMHardDiskDrive", VM=[vm], Path=lab.disk("old.vhd")).category == "InvalidArgument"
    assert lab.error("Add-VMDvdDrive", VM=[vm], Path=lab.disk("a.vhdx")).category == "InvalidArgument"


def test_media_come_and_go(lab: Lab) -> None:
    vm, image = lab.vm(generation=1), lab.image()
    lab.run("Add-VMDvdDrive", VM=[vm])
    vm.owner.state = "Running"
    (drive,) = lab.run("Get-VMDvdDrive", VM=[vm])
    shown = lab.one("Set-VMDvdDrive", VMDvdDrive=[drive], Path=image, Passthru=True)
    assert (shown["Path"], shown["DvdMediaType"]) == (image, "ISO")
    shown = lab.one("Set-VMDvdDrive", VMDvdDrive=[drive], Path=None, Passthru=True)
    assert (shown["Path"], shown["DvdMediaType"]) == (None, "None")


def test_controllers_are_added_up_to_four(lab: Lab) -> None:
    vm = lab.vm()
    for _ in range(3):
        lab.run("Add-VMScsiController", VM=[vm])
    assert [one["ControllerNumber"] for one in lab.run("Get-VMScsiController", VM=[vm])] == [0, 1, 2, 3]
    assert lab.error("Add-VMScsiController", VM=[vm]).category == "InvalidOperation"
    last = lab.run("Get-VMScsiController", VM=[vm])[-1]
    lab.run("Remove-VMScsiController", VMScsiController=[last])
    assert len(lab.run("Get-VMScsiController", VM=[vm])) == 3
    vm.owner.state = "Running"
    assert lab.error("Add-VMScsiController", VM=[vm]).error_id == "InvalidState"
