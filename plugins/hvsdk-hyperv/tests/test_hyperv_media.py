"""Images in DVD drives."""

from __future__ import annotations

import pytest
from hvsdk import DiskSpec, errors
from hyperv_making import FOLDER, Lab


@pytest.mark.parametrize("firmware", ["bios", "uefi"])
def test_a_domain_that_is_off_gets_a_drive(lab: Lab, firmware: str) -> None:
    domain = lab.domain(firmware=firmware)
    image = lab.file("disks-[x] $(1).iso")
    drive = domain.insert_media(image)
    assert (drive.device, drive.source, drive.bus) == ("cdrom", image, "ide" if firmware == "bios" else "scsi")
    domain.eject_media()
    (empty,) = [disk for disk in domain.refresh().disks if disk.device == "cdrom"]
    assert (empty.id, empty.source) == (drive.id, None)
    domain.eject_media(drive=drive.id)


def test_an_image_is_changed_while_it_runs(lab: Lab) -> None:
    domain = lab.domain(DiskSpec(device="cdrom"), firmware="bios")
    one, other = lab.file("disks-one.iso"), lab.file("disks-other.iso")
    domain.start()
    assert domain.insert_media(one).source == one
    assert domain.insert_media(f"{FOLDER}/disks-other").source == other
    assert domain.insert_media("disks-one.iso").source == one


def test_a_running_domain_of_generation_1_gets_no_drive(lab: Lab) -> None:
    domain = lab.domain(firmware="bios")
    image = lab.file("disks-one.iso")
    domain.start()
    with pytest.raises(errors.DiskNotFoundError):
        domain.insert_media(image)
    with pytest.raises(errors.DiskNotFoundError):
        domain.eject_media()
    assert domain.refresh().disks == ()


def test_only_images_that_are_there_are_inserted(lab: Lab) -> None:
    domain = lab.domain(DiskSpec(device="cdrom"))
    with pytest.raises(errors.NotFoundError):
        domain.insert_media(f"{FOLDER}\\nothing.iso")
    with pytest.raises(errors.InvalidSpecError):
        domain.insert_media(lab.volume().id)
    with pytest.raises(errors.DiskNotFoundError):
        domain.insert_media(lab.file("disks-one.iso"), drive="scsi:0:63")
    assert [disk.source for disk in domain.refresh().disks] == [None]
