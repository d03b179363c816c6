"""Removing a domain: what goes with it and what never does."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from hvsdk import errors
from hvsdk.capability import Capability
from hvsdk.enums import PowerState
from hvsdk.models import DiskSpec
from hvsdk.testing.conformance._fixtures import Kit, MakeDomain
from hvsdk.testing.conformance._helpers import Names, find_volume, needs, own_volume, stands_in

if TYPE_CHECKING:
    from hvsdk._domain import Domain
    from hvsdk._host import Host
    from hvsdk._storage import Volume

__all__ = ["Delete"]


def own_volumes(host: Host, domain: Domain) -> list[Volume]:
    """Return the volumes of a domain's disks, or skip."""
    disks = [disk for disk in domain.info.disks if disk.device == "disk"]
    if not disks:
        pytest.skip("the domain has no disk")
    return [own_volume(host, disk) for disk in disks]


def is_there(volume: Volume) -> bool:
    """Return whether a volume is still in its pool."""
    return volume.id in [item.id for item in volume.pool.volumes()]


class Delete(Kit):
    """`delete` takes no more than it says."""

    def test_a_deleted_domain_is_gone(self, host: Host, make_domain: MakeDomain) -> None:
        needs(host, Capability.DELETE)
        domain = make_domain()
        domain.delete(disks="delete")
        for key in (domain.native_id, domain.name, *([domain.uuid] if domain.uuid else [])):
            with pytest.raises(errors.DomainNotFoundError):
                host.domain(key)
        assert domain.native_id not in [item.native_id for item in host.domains(templates=True)]

    def test_deleting_twice_says_that_it_is_gone(self, host: Host, make_domain: MakeDomain) -> None:
        needs(host, Capability.DELETE)
        domain = make_domain()
        domain.delete(disks="delete")
        with pytest.raises(errors.DomainNotFoundError):
            domain.delete(disks="delete")

    def test_delete_keeps_the_disks(self, host: Host, make_domain: MakeDomain, clean: list[Volume]) -> None:
        needs(host, Capability.DELETE, Capability.LIST_VOLUMES)
        domain = make_domain()
        volumes = own_volumes(host, domain)
        clean.extend(volumes)
        domain.delete()
        assert all(map(is_there, volumes)), "delete removed a disk without being asked to"

    def test_delete_keeps_the_content_of_disks_with_snapshots(
        self, host: Host, make_domain: MakeDomain, names: Names, clean: list[Volume]
    ) -> None:
        needs(host, Capability.DELETE, Capability.LIST_VOLUMES, Capability.CREATE_SNAPSHOT)
        domain = make_domain()
        domain.create_snapshot(names("first"))
        disks = [disk for disk in domain.refresh().info.disks if disk.device == "disk"]
        if not disks:
            pytest.skip("the domain has no disk")
        before = {(pool.id, volume.id) for pool in host.storage_pools() for volume in pool.volumes()}
        domain.delete()
        left = [volume for pool in host.storage_pools() for volume in pool.volumes()]
        kept = [volume for volume in left if (volume.pool.id, volume.id) in before and names.owns(volume.name)]
        clean.extend(kept)
        assert len(kept) >= len(disks) or find_volume(host.storage_pools(), disks[0]) is not None

    def test_delete_with_disks_removes_its_own_volumes(self, host: Host, make_domain: MakeDomain) -> None:
        needs(host, Capability.DELETE, Capability.LIST_VOLUMES)
        domain = make_domain()
        volumes = own_volumes(host, domain)
        domain.delete(disks="delete")
        assert not any(map(is_there, volumes))

    def test_delete_never_removes_images(self, host: Host, make_domain: MakeDomain, image: str) -> None:
        needs(host, Capability.DELETE, Capability.INSERT_MEDIA, Capability.LIST_VOLUMES)
        domain = make_domain(media=image)
        (drive,) = [disk for disk in domain.info.disks if disk.device == "cdrom"]
        volume = own_volume(host, drive)
        domain.delete(disks="delete")
        assert is_there(volume), "delete removed a CD-ROM image"

    def test_delete_never_takes_what_a_linked_clone_lies_on(
        self, host: Host, make_domain: MakeDomain, names: Names, patience: float
    ) -> None:
        needs(host, Capability.DELETE, Capability.CLONE, Capability.CLONE_LINKED, Capability.LIST_VOLUMES)
        domain = make_domain()
        volumes = own_volumes(host, domain)
        copy = domain.clone(names("clone-linked"), linked=True)
        ground = {volume.backing for volume in own_volumes(host, copy)}
        try:
            domain.delete(disks="delete")
        except errors.HvsdkError:
            assert stands_in(domain) == domain, "refused, but the definition is gone"
            assert all(map(is_there, volumes)), "refused, but a volume is gone"
        else:  # products that keep shared blocks apart from both need not refuse
            gone = {key for volume in volumes if not is_there(volume) for key in (volume.id, volume.path)}
            assert not ground & gone, "the ground is gone"
            needs(host, Capability.START)
            copy.start(timeout=patience)
            assert stands_in(copy).power_state is PowerState.RUNNING

    def test_delete_refuses_a_volume_that_another_domain_has(
        self, host: Host, make_domain: MakeDomain, make_volume: Callable[..., Volume]
    ) -> None:
        needs(host, Capability.DELETE, Capability.ATTACH_DISK, Capability.LIST_VOLUMES)
        volume = make_volume()
        if volume.path is None:
            pytest.skip("the product tells no paths of volumes")
        shared = DiskSpec(source=volume.path, shareable=True, format=volume.format)
        try:
            one = make_domain(disks=[shared])
        except errors.InvalidSpecError:  # not every format can be shared
            volume = make_volume("raw-volume", format="raw")
            shared = DiskSpec(source=volume.path, shareable=True, format="raw")
            one = make_domain(disks=[shared])
        make_domain(disks=[shared])
        with pytest.raises(errors.HvsdkError):
            one.delete(disks="delete")
        assert is_there(volume)
        assert stands_in(one) == one

    def test_an_unknown_wish_for_the_disks_is_refused(self, host: Host, make_domain: MakeDomain) -> None:
        needs(host, Capability.DELETE)
        domain = make_domain()
        with pytest.raises(errors.InvalidSpecError):
            domain.delete(disks="maybe")  # type: ignore[arg-type]
        assert stands_in(domain) == domain
