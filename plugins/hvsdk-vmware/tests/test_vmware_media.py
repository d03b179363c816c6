"""Images in CD-ROM drives."""

from __future__ import annotations

import threading

import pytest
from hvsdk import DiskSpec, Domain, errors
from hvsdk_simulators import Running
from pyVmomi import vim
from vmware_files import write_file
from vmware_support import Raw, domain_calls


@pytest.fixture
def image(spare: Domain, center: Running, raw: Raw) -> str:
    """An image in the domain's directory, which goes with it."""
    disk = next(one for one in spare.disks if one.device == "disk")
    path = str(disk.source).rpartition("/")[0] + "/a 50% <image> & 'more'.iso"
    write_file(center, raw, path, b"an image")
    return path


@pytest.fixture
def with_drive(spare: Domain) -> Domain:
    """A domain with an empty drive."""
    spare.attach_disk(DiskSpec(device="cdrom"))
    return spare


def _link(raw: Raw, domain: Domain) -> tuple[bool, bool]:
    devices = raw.vm(domain.native_id).config.hardware.device
    link = next(one for one in devices if isinstance(one, vim.vm.device.VirtualCdrom)).connectable
    assert link is not None
    return link.startConnected, link.connected


@pytest.mark.parametrize("state", ["shutoff", "running"])
def test_an_image_goes_in_and_out(with_drive: Domain, raw: Raw, image: str, state: str) -> None:
    raw.reach(with_drive.native_id, state)
    drive = with_drive.insert_media(image)
    assert (drive.device, drive.source) == ("cdrom", image)
    assert _link(raw, with_drive) == (True, state == "running")
    with_drive.eject_media(drive=drive)
    (seen,) = [disk for disk in with_drive.refresh().disks if disk.id == drive.id]
    assert seen.source is None
    assert _link(raw, with_drive) == (False, False)


def test_an_image_that_is_in_the_drive_is_not_put_in_again(with_drive: Domain, center: Running, image: str) -> None:
    with_drive.insert_media(image)
    calls = domain_calls(center, lambda: with_drive.insert_media(image))
    assert "ReconfigVM_Task" not in calls
    with_drive.eject_media()
    calls = domain_calls(center, with_drive.eject_media)
    assert "ReconfigVM_Task" not in calls


def test_a_domain_that_is_off_gets_a_drive_with_its_first_image(spare: Domain, raw: Raw, image: str) -> None:
    assert not any(disk.device == "cdrom" for disk in spare.disks)
    drive = spare.insert_media(image)
    assert (drive.source, drive.bus) == (image, "ide")
    assert spare.insert_media(image).id == drive.id


def test_a_running_domain_without_a_drive_gets_none(spare: Domain, raw: Raw, image: str) -> None:
    raw.reach(spare.native_id, "running")
    with pytest.raises(errors.DiskNotFoundError, match="sata"):
        spare.insert_media(image)
    with pytest.raises(errors.DiskNotFoundError):
        spare.eject_media()


def test_the_named_drive_is_taken(with_drive: Domain, image: str) -> None:
    second = with_drive.attach_disk(DiskSpec(device="cdrom", bus="sata"))
    assert with_drive.insert_media(image, drive=second).id == second.id
    first = next(disk for disk in with_drive.disks if disk.device == "cdrom" and disk.id != second.id)
    assert first.source is None
    disk = next(disk for disk in with_drive.disks if disk.device == "disk")
    for wrong in (disk.id, "no-such"):
        with pytest.raises(errors.DiskNotFoundError):
            with_drive.insert_media(image, drive=wrong)


def test_an_image_is_named_by_datastore_and_path_too(with_drive: Domain, image: str) -> None:
    store, _, inside = image.removeprefix("[").partition("] ")
    assert with_drive.insert_media(f"{store}/{inside}").source == image


def test_what_is_no_image_is_refused(with_drive: Domain, image: str) -> None:
    store = image.partition("]")[0] + "]"
    with pytest.raises(errors.VolumeNotFoundError):
        with_drive.insert_media(f"{store} no/such.iso")
    with pytest.raises(errors.InvalidSpecError, match="is a disk"):
        with_drive.insert_media(str(next(disk for disk in with_drive.disks if disk.device == "disk").source))
    with pytest.raises(errors.InvalidSpecError, match="datastore"):
        with_drive.insert_media("debian.iso")
    with pytest.raises(errors.StoragePoolNotFoundError):
        with_drive.insert_media("[no such] debian.iso")


def test_a_suspended_domain_keeps_what_is_in_its_drive(with_drive: Domain, raw: Raw, image: str) -> None:
    raw.reach(with_drive.native_id, "suspended")
    with pytest.raises(errors.PowerStateError):
        with_drive.insert_media(image)


def test_a_refused_image_leaves_the_one_that_is_there(
    with_drive: Domain, center: Running, raw: Raw, image: str
) -> None:
    other = image.rpartition("/")[0] + "/other.iso"
    write_file(center, raw, other, b"another")
    with_drive.insert_media(image)
    center.fault("ReconfigVM_Task:task-error=CannotAccessFile:1")
    with pytest.raises(errors.HvsdkError):
        with_drive.insert_media(other)
    (seen,) = [disk for disk in with_drive.refresh().disks if disk.device == "cdrom"]
    assert seen.source == image


def test_a_locked_door_is_told_as_the_question_that_it_is(
    with_drive: Domain, center: Running, raw: Raw, image: str
) -> None:
    raw.reach(with_drive.native_id, "running")
    with_drive.insert_media(image)
    words = "The guest operating system has locked the CD-ROM door. Disconnect anyway?"
    asked: list[str] = []
    ask = threading.Timer(
        0.5, lambda: asked.append(center.act("question", vm=with_drive.native_id, text=words, now=True))
    )
    center.fault("ReconfigVM_Task:task-slow=2:1")
    ask.start()
    try:
        with pytest.raises(errors.BusyError, match="locked the CD-ROM door") as caught:
            with_drive.eject_media()
    finally:
        ask.join()
    assert caught.value.lasting
    raw.vm(with_drive.native_id).AnswerVM(asked[0], "button.uuid.copiedTheVM")
    with_drive.wait_for("running", timeout=20)


def test_what_is_no_image_or_no_drive_says_what_there_is(with_drive: Domain) -> None:
    disk = next(one for one in with_drive.refresh().disks if one.device == "disk")
    with pytest.raises(errors.InvalidSpecError) as caught:
        with_drive.insert_media(str(disk.source))
    assert "attach_disk" in str(caught.value.hint)
    drive = next(one for one in with_drive.disks if one.device == "cdrom")
    with pytest.raises(errors.DiskNotFoundError) as missing:
        with_drive.eject_media(drive=disk.id)
    assert missing.value.hint == f"its CD-ROM drives: {drive.id}"
    store = str(disk.source).partition("]")[0]
    with pytest.raises(errors.VolumeNotFoundError) as absent:
        with_drive.insert_media(f"{store}] no such.iso")
    assert "volumes()" in str(absent.value.hint)
