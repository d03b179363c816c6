"""Storage pools: folders of the host."""

from __future__ import annotations

import pytest
from hvsdk import DiskSpec, errors
from hyperv_making import FOLDER, Lab


def test_the_hosts_own_folder_is_a_pool(lab: Lab) -> None:
    first = lab.host.storage_pools()[0].info
    assert (first.id, first.name, first.path, first.type, first.active) == (FOLDER, FOLDER, FOLDER, "dir", True)
    assert first.details["hyperv.default"] is True
    assert first.capacity_bytes is not None
    assert first.free_bytes is not None
    assert first.allocated_bytes == first.capacity_bytes - first.free_bytes


def test_folders_of_files_that_domains_have_are_pools(lab: Lab) -> None:
    folder = "D:\\Some [x] Images"
    image = lab.server.act("file", path=f"{folder}\\disks.iso", size=4096)["path"]
    assert folder not in [pool.id for pool in lab.host.storage_pools()]
    domain = lab.domain()
    domain.insert_media(image)
    pool = lab.host.storage_pool(folder)
    assert [volume.path for volume in pool.volumes()] == [image]
    assert pool.info.details.get("hyperv.default") is None


def test_any_folder_of_the_host_is_a_pool_when_it_is_asked_for(lab: Lab) -> None:
    lab.server.act("file", path="D:\\New Images\\old.iso", size=4096)
    pool = lab.host.storage_pool("d:/New Images/")
    assert pool not in lab.host.storage_pools()
    assert pool.refresh().active is True
    made = pool.create_volume(name=lab.name(), size="8MiB")
    assert [volume.name for volume in pool.volumes() if volume != made] == ["old.iso"]
    made.delete()


@pytest.mark.parametrize("path", [FOLDER.lower(), FOLDER.upper() + "\\", FOLDER.replace("\\", "/")])
def test_a_pool_is_the_same_however_its_path_is_written(lab: Lab, path: str) -> None:
    assert lab.host.storage_pool(path) == lab.pool


@pytest.mark.parametrize("path", ["D:\\$(reboot)", "nowhere", "C:\\a*", "C:", "\\\\?\\pipe", ""])
def test_what_is_no_folder_is_no_pool(lab: Lab, path: str) -> None:
    with pytest.raises(errors.StoragePoolNotFoundError, match="no storage pool"):
        lab.host.storage_pool(path)


def test_a_folder_that_is_not_there_is_no_pool(lab: Lab) -> None:
    domain = lab.domain()
    for pool in ("C:\\Nowhere", "nowhere"):
        with pytest.raises(errors.StoragePoolNotFoundError):
            domain.attach_disk(DiskSpec(size="8MiB", pool=pool))
    assert domain.refresh().disks == ()
