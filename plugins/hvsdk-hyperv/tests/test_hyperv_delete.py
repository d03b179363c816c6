"""Removing domains: what goes, what stays, and when nothing happens."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from hvsdk import DiskSpec, errors
from hvsdk_simulators import Running
from hyperv_making import FOLDER, Lab, lab_on


@pytest.fixture
def lab(either: Running) -> Iterator[Lab]:
    with lab_on(either) as lab:
        yield lab


def test_disks_that_stay_are_whole_and_named_as_before(lab: Lab) -> None:
    volume = lab.volume()
    before = lab.files()
    domain = lab.domain(DiskSpec(source=volume.path))
    for name in ("first", "second"):
        domain.create_snapshot(name)
    assert len(lab.files()) == len(before) + 2
    domain.delete(disks="keep")
    assert lab.files() == before
    assert lab.pool.volume(volume.id).backing is None
    volume.delete()


def test_its_own_volumes_go_and_images_stay(lab: Lab) -> None:
    image = lab.file("disks-setup.iso")
    before = lab.files()
    domain = lab.domain(DiskSpec(size="8MiB"), DiskSpec(size="8MiB"), media=image)
    domain.create_snapshot("first")
    domain.delete(disks="delete")
    assert lab.files() == before
    with pytest.raises(errors.DomainNotFoundError):
        lab.host.domain(domain.native_id)


def test_a_running_or_suspended_domain_stays(lab: Lab) -> None:
    domain = lab.domain(DiskSpec(size="8MiB"))
    snapshot = domain.create_snapshot("first")
    domain.start()
    with pytest.raises(errors.PowerStateError):
        domain.delete(disks="delete")
    domain.suspend()
    with pytest.raises(errors.PowerStateError):
        domain.delete(disks="delete")
    assert [one.id for one in domain.snapshots()] == [snapshot.id]


def test_a_volume_that_another_domain_has_keeps_all(lab: Lab) -> None:
    volume = lab.volume()
    shared = DiskSpec(source=volume.path, shareable=True)
    one, _other = lab.domain(shared), lab.domain(shared)
    with pytest.raises(errors.BusyError, match="has it"):
        one.delete(disks="delete")
    assert one.refresh().disks[0].source == volume.path


@pytest.mark.parametrize("disks", ["keep", "delete"])
def test_what_a_linked_clone_lies_on_is_neither_removed_nor_merged_into(lab: Lab, disks: str) -> None:
    domain = lab.domain(DiskSpec(size="8MiB"))
    domain.create_snapshot("first")
    copy = domain.clone(lab.name(), linked=True)
    lab.domains.append(copy)
    before = lab.files()
    with pytest.raises(errors.BusyError):
        domain.delete(disks=disks)  # type: ignore[arg-type]
    assert lab.files() == before
    assert len(domain.snapshots()) == 1
    copy.delete(disks="delete")


def test_nothing_goes_while_a_file_cannot_be_read(lab: Lab) -> None:
    domain = lab.domain(DiskSpec(size="8MiB"))
    broken = lab.file("broken disks-.vhdx", size=5)
    try:
        with pytest.raises(errors.BusyError, match="broken"):
            domain.delete(disks="delete")
        assert len(domain.refresh().disks) == 1
    finally:
        lab.pool.volume(broken).delete()
    domain.delete(disks="delete")


def test_a_disk_whose_file_is_gone_is_no_hindrance(lab: Lab) -> None:
    domain = lab.domain(DiskSpec(size="8MiB"))
    lab.server.act("file", path=domain.disks[0].source, gone=True)
    domain.delete(disks="delete")


def test_merges_end_before_the_domain_goes(make_server: Callable[..., Running]) -> None:
    with lab_on(make_server(duration_scale=0.3)) as lab:
        domain = lab.domain(DiskSpec(size="8MiB"))
        path = domain.disks[0].source
        domain.create_snapshot("first")
        shares: list[float | None] = []
        domain.delete(disks="keep", progress=shares.append)
        assert [one for one in lab.files() if one.endswith(".avhdx")] == []
        assert path in lab.files()
        lab.pool.volume(str(path)).delete()


def test_a_role_in_a_cluster_goes_too(make_server: Callable[..., Running]) -> None:
    with lab_on(make_server(nodes=2)) as lab:
        clustered = [one for one in lab.host.domains(full=True) if one.info.details.get("hyperv.clustered")]
        if not clustered:
            pytest.skip("no domain of the simulated cluster has a role")
        domain = clustered[0]
        domain.power_off(discard_memory=True)
        domain.delete(disks="delete")
        assert domain.native_id not in [one.native_id for one in lab.host.domains()]


def test_the_folder_for_disks_outlives_the_last_of_them(lab: Lab) -> None:
    domain = lab.domain(DiskSpec(size="8MiB"))
    domain.delete(disks="delete")
    assert lab.host.storage_pool(FOLDER).info.active
