"""Images in CD-ROM drives."""

from __future__ import annotations

import pytest
from hvsdk.driver import DiskSpec, errors

STATES = pytest.mark.parametrize("state", ["shutoff", "running"])
IMAGE, OTHER = "debian-12.iso", "gparted live.iso"


@pytest.fixture
def with_drive(domain):
    """The domain with an empty drive."""
    domain.attach_disk(DiskSpec(device="cdrom"))
    return domain


def image_in(domain):
    (drive,) = [disk for disk in domain.refresh().info.disks if disk.device == "cdrom"]
    return drive.details.get("xen.medium")


@STATES
@pytest.mark.parametrize("source", [IMAGE, f"ISO library/{IMAGE}"])
def test_an_image_goes_in_and_out(with_drive, reach, state, source):
    reach(state)
    drive = with_drive.insert_media(source)
    assert drive.source
    assert image_in(with_drive) == IMAGE
    with_drive.eject_media(drive=drive)
    with_drive.eject_media()
    assert image_in(with_drive) is None


@STATES
def test_an_image_takes_the_place_of_another(with_drive, reach, state):
    reach(state)
    with_drive.insert_media(IMAGE)
    with_drive.insert_media(OTHER)
    assert image_in(with_drive) == OTHER


def test_the_same_image_again_is_no_change(with_drive, pool):
    with_drive.insert_media(IMAGE)
    pool.reset_counts()
    with_drive.insert_media(IMAGE)
    assert not {"VBD.insert", "VBD.eject"} & set(pool.counts())


def test_an_image_that_is_refused_leaves_the_one_before(with_drive, pool):
    with_drive.insert_media(IMAGE)
    pool.fault("VBD.insert:error=INTERNAL_ERROR,broken:1")
    with pytest.raises(errors.OperationFailedError):
        with_drive.insert_media(OTHER)
    assert image_in(with_drive) == IMAGE


def test_an_image_is_found_by_its_uuid(with_drive, raw):
    (image,) = raw("VDI.get_by_name_label", OTHER)
    with_drive.insert_media(raw("VDI.get_uuid", image))
    assert image_in(with_drive) == OTHER


def test_an_image_that_is_not_there_is_not_found(with_drive):
    for source in ("no-such.iso", f"no such library/{IMAGE}", "ISO library/no-such.iso"):
        with pytest.raises(errors.VolumeNotFoundError):
            with_drive.insert_media(source)
    assert image_in(with_drive) is None


def test_images_of_one_name_are_told_apart_by_their_uuids(with_drive, raw):
    (image,) = raw("VDI.get_by_name_label", IMAGE)
    record = {"name_label": IMAGE, "name_description": "", "virtual_size": 1 << 20, "type": "user", "sharable": True}
    record |= {"read_only": True, "other_config": {}, "SR": raw("VDI.get_SR", image)}
    twin = raw("VDI.create", record)
    try:
        with pytest.raises(errors.AmbiguousNameError) as refused:
            with_drive.insert_media(IMAGE)
        uuids = {one[0] for one in refused.value.candidates}
        assert uuids == {raw("VDI.get_uuid", image), raw("VDI.get_uuid", twin)}
        with_drive.insert_media(raw("VDI.get_uuid", image))
        assert image_in(with_drive) == IMAGE
    finally:
        raw("VDI.destroy", twin)


def test_a_disk_is_no_image(with_drive):
    with pytest.raises((errors.InvalidSpecError, errors.VolumeNotFoundError)):
        with_drive.insert_media(with_drive.info.disks[0].volume)


def test_without_a_drive_there_is_nowhere_to_insert(domain):
    with pytest.raises(errors.DiskNotFoundError, match="no CD-ROM drive"):
        domain.insert_media(IMAGE)
    with pytest.raises(errors.DiskNotFoundError):
        domain.eject_media()


def test_a_disk_is_no_drive(with_drive):
    with pytest.raises(errors.DiskNotFoundError, match="no CD-ROM drive"):
        with_drive.insert_media(IMAGE, drive=with_drive.info.disks[0])
