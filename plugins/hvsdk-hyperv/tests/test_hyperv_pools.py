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


def test_a_folder_that_is_not_there_is_no_pool(lab: Lab) -> None:
    domain = lab.domain()
    for pool in ("C:\\Nowhere", "nowhere"):
        with pytest.raises(errors.StoragePoolNotFoundError):
            domain.attach_disk(DiskSpec(size="8MiB", pool=pool))
    assert domain.refresh().disks == ()
