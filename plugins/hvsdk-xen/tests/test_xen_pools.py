"""Volumes: made, found and removed, and kept where somebody has them."""

from __future__ import annotations

import pytest
from hvsdk.driver import DiskSpec, VolumeSpec, errors
from xen_making import MIB, nothing_new
from xen_support import connect


@pytest.fixture
def storage(host):
    return next(pool for pool in host.storage_pools() if pool.info.details.get("xen.is_default"))


@pytest.fixture
def make_volume(storage, raw):
    made = []

    def make(name="xen-volume", size="16MiB", **more):
        made.append(storage.create_volume(VolumeSpec(name=name, size=size, **more)))
        return made[-1]

    yield make
    for volume in made:
        if raw.refused("VDI.get_by_uuid", volume.id) is None:
            raw("VDI.destroy", raw("VDI.get_by_uuid", volume.id))


def test_a_volume_is_made_and_found(make_volume, storage):
    volume = make_volume("xen <odd> 'name'")
    assert (volume.name, volume.capacity_bytes, volume.info.pool) == ("xen <odd> 'name'", 16 * MIB, storage.id)
    assert storage.volume(volume.name).info == volume.info


def test_two_volumes_may_have_one_name(make_volume, storage, domain):
    assert make_volume("xen-twin").id != make_volume("xen-twin").id
    with pytest.raises(errors.AmbiguousNameError):
        storage.volume("xen-twin")
    with pytest.raises(errors.AmbiguousNameError):
        domain.attach_disk(DiskSpec(source="xen-twin", pool=storage.id))


def test_a_format_that_the_pool_has_not_is_refused(make_volume, raw):
    with nothing_new(raw), pytest.raises(errors.InvalidSpecError, match="qcow2"):
        make_volume(format="qcow2")


def test_a_volume_for_which_there_is_no_room_is_refused(host, raw):
    thick = next(pool for pool in host.storage_pools() if pool.type == "lvmoiscsi")
    with nothing_new(raw), pytest.raises(errors.InsufficientResourcesError):
        thick.create_volume(name="xen-volume-large", size=thick.capacity_bytes + (1 << 30))


def test_a_volume_goes(make_volume, storage):
    volume = make_volume()
    volume.delete()
    assert volume.id not in [one.id for one in storage.volumes()]
    with pytest.raises(errors.VolumeNotFoundError):
        volume.delete()


def test_a_volume_that_a_domain_has_stays(make_volume, domain, raw):
    volume = make_volume()
    domain.attach_disk(DiskSpec(source=volume.id))
    with nothing_new(raw), pytest.raises(errors.BusyError, match=domain.name) as refused:
        volume.delete()
    assert refused.value.lasting


def test_the_memory_of_a_suspended_domain_stays(domain, reach, host, raw):
    reach("suspended")
    memory = raw("VM.get_suspend_VDI", raw("VM.get_by_uuid", domain.native_id))
    uuid, sr = raw("VDI.get_uuid", memory), raw("SR.get_uuid", raw("VDI.get_SR", memory))
    volume = next(pool for pool in host.storage_pools() if pool.id == sr).volume(uuid)
    with nothing_new(raw), pytest.raises(errors.BusyError, match=domain.name):
        volume.delete()


def test_an_image_stays(host, raw):
    library = next(pool for pool in host.storage_pools() if pool.name == "ISO library")
    with nothing_new(raw), pytest.raises(errors.UnsupportedError):
        library.volume("debian-12.iso").delete()


def test_a_lost_answer_makes_no_second_volume(pool, raw):
    with connect(pool) as host:
        storage = next(one for one in host.storage_pools() if one.info.details.get("xen.is_default"))
        pool.reset_counts()
        pool.fault("VDI.create:drop-after:1")
        volume = storage.create_volume(name="xen-volume-lost", size="16MiB")
        assert pool.counts()["VDI.create"] == 1
    assert raw("VDI.get_uuid", *raw("VDI.get_by_name_label", "xen-volume-lost")) == volume.id
    raw("VDI.destroy", raw("VDI.get_by_uuid", volume.id))
