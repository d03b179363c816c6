"""Making, copying and removing domains."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from hvsdk import errors
from hvsdk.capability import Capability
from hvsdk.enums import PowerState
from hvsdk.models import CloudInit, Disk, DiskSpec, DomainSpec, NicSpec
from hvsdk.testing.conformance._fixtures import Kit, MakeDomain, Reach
from hvsdk.testing.conformance._helpers import Names, needs, requires, stands_in

if TYPE_CHECKING:
    from hvsdk._domain import Domain
    from hvsdk._host import Host

__all__ = ["Clone", "Create"]

MAC: Final = "52:54:00:c0:ff:ee"
UUID: Final = "5a1b2c3d-4e5f-4a6b-8c7d-{tail}"


def new_uuid(names: Names) -> str:
    """Return a UUID that belongs to one test."""
    return UUID.format(tail=f"{names.token[-8:]}0a0b")


def mine(host: Host, names: Names) -> list[str]:
    """Return the names of the domains that the test made."""
    everything = host.domains(templates=True, superseded=True)
    return sorted(item.name for item in everything if names.owns(item.name))


class Create(Kit):
    """`create_domain`: all of it as asked, switched off; or nothing."""

    def test_a_new_domain_is_off(self, host: Host, make_domain: MakeDomain) -> None:
        domain = make_domain()
        assert domain.power_state is PowerState.SHUTOFF
        assert stands_in(domain).power_state is PowerState.SHUTOFF
        assert domain.host is host

    def test_a_new_domain_is_as_asked(self, host: Host, make_domain: MakeDomain, spec: DomainSpec) -> None:
        needs(host, Capability.SET_NOTES, Capability.SET_TAGS, Capability.SET_METADATA)
        domain = make_domain(
            vcpus=2,
            memory="96MiB",
            notes="made & <meant>",
            tags=["one", "two"],
            metadata={"kit.owner": "me"},
        )
        for info in (domain.info, stands_in(domain).info):
            assert (info.vcpus, info.memory_bytes) == (2, 96 << 20)
            assert (info.notes, info.tags) == ("made & <meant>", frozenset({"one", "two"}))
            assert info.metadata["kit.owner"] == "me"
            assert info.firmware in (spec.firmware or "bios", None)
            assert not info.is_template

    def test_autostart_is_as_asked(self, host: Host, make_domain: MakeDomain) -> None:
        needs(host, Capability.SET_AUTOSTART)
        assert stands_in(make_domain(autostart=True)).info.autostart is True
        assert stands_in(make_domain()).info.autostart is False

    def test_disks_are_as_asked(self, host: Host, make_domain: MakeDomain) -> None:
        needs(host, Capability.ATTACH_DISK)
        domain = make_domain(disks=[DiskSpec(size="12MiB"), DiskSpec(size="20MiB")])
        disks = [disk for disk in stands_in(domain).info.disks if disk.device == "disk"]
        assert len(disks) == 2
        for disk, size in zip(disks, (12, 20), strict=True):
            assert disk.capacity_bytes in (size << 20, None)

    def test_macs_are_as_asked(self, host: Host, make_domain: MakeDomain) -> None:
        needs(host, Capability.ATTACH_NIC)
        domain = make_domain(nics=[NicSpec(mac=MAC.upper()), NicSpec()])
        macs = [nic.mac for nic in stands_in(domain).info.nics]
        assert len(macs) == 2
        assert macs[0] == MAC
        assert macs[1] != MAC

    def test_the_uuid_is_as_asked(self, host: Host, make_domain: MakeDomain, names: Names) -> None:
        needs(host, Capability.CREATE_WITH_UUID)
        domain = make_domain(uuid=new_uuid(names).upper())
        assert domain.uuid == new_uuid(names)
        assert host.domain(new_uuid(names)) == domain

    def test_a_uuid_is_not_given_twice(self, host: Host, make_domain: MakeDomain, names: Names) -> None:
        needs(host, Capability.CREATE_WITH_UUID)
        make_domain(uuid=new_uuid(names))
        with pytest.raises(errors.AlreadyExistsError):
            make_domain(uuid=new_uuid(names), name=names("second"))
        assert names("second") not in mine(host, names)

    def test_domains_get_uuids_of_their_own(self, make_domain: MakeDomain) -> None:
        one, two = make_domain(), make_domain()
        assert one != two
        assert one.uuid != two.uuid or one.uuid is None

    def test_a_name_is_not_given_twice_where_names_are_unique(
        self, host: Host, make_domain: MakeDomain, names: Names
    ) -> None:
        if host.supports(Capability.DUPLICATE_NAMES):
            pytest.skip("two domains may have the same name")
        first = make_domain(name=names("twin"))
        try:
            make_domain(name=names("twin"))
        except errors.AlreadyExistsError:
            pass
        else:
            pytest.fail(
                "a second domain of that name was made: refuse it, or add DUPLICATE_NAMES to the driver's variants"
            )
        assert host.domain(names("twin")) == first

    def test_firmware_is_as_asked(self, host: Host, make_domain: MakeDomain) -> None:
        needs(host, Capability.UEFI)
        assert stands_in(make_domain(firmware="uefi")).info.firmware == "uefi"

    def test_secure_boot_is_as_asked(self, host: Host, make_domain: MakeDomain) -> None:
        needs(host, Capability.SECURE_BOOT)
        info = stands_in(make_domain(firmware="uefi", secure_boot=True)).info
        assert (info.firmware, info.secure_boot) == ("uefi", True)

    def test_cloud_init_is_taken(self, host: Host, make_domain: MakeDomain) -> None:
        needs(host, Capability.CLOUD_INIT)
        domain = make_domain(cloud_init=CloudInit(user_data="#cloud-config\npassword: kit-hidden-7\n"))
        assert stands_in(domain).power_state is PowerState.SHUTOFF
        assert "kit-hidden-7" not in str(domain.info.to_dict())

    def test_an_image_is_in_the_drive(self, host: Host, make_domain: MakeDomain, image: str) -> None:
        needs(host, Capability.INSERT_MEDIA)
        drives = [disk for disk in stands_in(make_domain(media=image)).info.disks if disk.device == "cdrom"]
        assert [bool(drive.source) for drive in drives] == [True]

    @pytest.mark.parametrize("wish", ["pool", "network", "source", "format", "bus", "model"])
    def test_what_cannot_be_leaves_nothing(self, host: Host, make_domain: MakeDomain, names: Names, wish: str) -> None:
        device = Capability.ATTACH_NIC if wish in ("network", "model") else Capability.ATTACH_DISK
        needs(host, device)
        value = names("no-such-thing")
        wishes: dict[str, dict[str, Any]] = {
            "pool": {"disks": [DiskSpec(size="8MiB"), DiskSpec(size="8MiB", pool=value)]},
            "source": {"disks": [DiskSpec(size="8MiB"), DiskSpec(source=f"/{value}")]},
            "format": {"disks": [DiskSpec(size="8MiB"), DiskSpec(size="8MiB", format=value)]},
            "bus": {"disks": [DiskSpec(size="8MiB"), DiskSpec(size="8MiB", bus=value)]},
            "network": {"nics": [NicSpec(network=value)]},
            "model": {"nics": [NicSpec(model=value)]},
        }
        volumes = self.volumes(host)
        with pytest.raises((errors.InvalidSpecError, errors.NotFoundError, errors.UnsupportedError)):
            make_domain(**wishes[wish])
        assert mine(host, names) == [], "refused, but a domain was left"
        assert self.volumes(host) <= volumes, "refused, but volumes were left"

    @staticmethod
    def volumes(host: Host) -> set[tuple[str, str]]:
        """Return what is in the pools."""
        if not host.supports(Capability.LIST_VOLUMES):
            return set()
        return {(pool.id, volume.id) for pool in host.storage_pools() for volume in pool.volumes()}


class Clone(Kit):
    """Copies of a domain."""

    def check_copy(self, domain: Domain, copy: Domain) -> None:
        """Check that a copy is one, and is somebody else."""
        assert copy.power_state is PowerState.SHUTOFF
        assert copy != domain
        assert copy.uuid != domain.uuid or copy.uuid is None
        assert (copy.vcpus, copy.memory_bytes) == (domain.vcpus, domain.memory_bytes)
        assert len(copy.info.nics) == len(domain.info.nics)
        macs = [{nic.mac for nic in one.info.nics if nic.mac} for one in (copy, domain)]  # some get theirs at a start
        assert not macs[0] & macs[1]
        assert self.sizes(copy) == self.sizes(domain)
        assert not self.places(copy) & self.places(domain), "the copy writes to the original's disks"

    @staticmethod
    def sizes(domain: Domain) -> list[int | None]:
        """Return the sizes of the disks."""
        return [disk.capacity_bytes for disk in domain.info.disks if disk.device == "disk"]

    @staticmethod
    def places(domain: Domain) -> set[tuple[str | None, str | None]]:
        """Return where the disks lie."""
        disks: list[Disk] = [disk for disk in domain.info.disks if disk.device == "disk"]
        return {(disk.pool, disk.source or disk.volume) for disk in disks if disk.source or disk.volume}

    def test_a_clone_is_somebody_else(self, host: Host, domain: Domain, names: Names) -> None:
        needs(host, Capability.CLONE)
        before = domain.refresh().info
        copy = domain.clone(names("clone"))
        assert copy.name == names("clone")
        self.check_copy(stands_in(domain), stands_in(copy))
        assert stands_in(domain).info == before, "cloning changed the original"

    def test_a_linked_clone_lies_on_the_original(self, host: Host, domain: Domain, names: Names) -> None:
        needs(host, Capability.CLONE, Capability.CLONE_LINKED, Capability.LIST_VOLUMES)
        copy = domain.clone(names("clone-linked"), linked=True)
        self.check_copy(stands_in(domain), stands_in(copy))
        places = self.places(copy)
        volumes = [volume for pool in host.storage_pools() for volume in pool.volumes()]
        found = [volume for volume in volumes if {volume.path, volume.id} & {place for _, place in places}]
        assert not found or all(volume.backing for volume in found), "a full copy in place of a linked one"

    @pytest.mark.parametrize("linked", [False, True], ids=["full", "linked"])
    def test_a_domain_that_runs_is_cloned_and_runs_on(
        self, host: Host, make_domain: MakeDomain, names: Names, patience: float, linked: bool
    ) -> None:
        needs(host, Capability.CLONE_LINKED_RUNNING if linked else Capability.CLONE_RUNNING)
        requires(host, Capability.START)
        domain = make_domain()
        domain.start(timeout=patience)
        if reason := domain.why_not("clone_linked" if linked else "clone"):
            pytest.skip(f"not of this domain: {reason}")
        copy = domain.clone(names("clone-running"), linked=linked)
        self.check_copy(stands_in(domain), stands_in(copy))
        assert stands_in(domain).power_state is PowerState.RUNNING

    def test_a_clone_outlives_the_original(
        self, host: Host, make_domain: MakeDomain, names: Names, patience: float
    ) -> None:
        needs(host, Capability.CLONE, Capability.DELETE, Capability.START)
        domain = make_domain()
        copy = domain.clone(names("clone"))
        domain.delete(disks="delete")
        copy.start(timeout=patience)
        assert stands_in(copy).power_state is PowerState.RUNNING

    def test_a_clone_has_the_labels(self, host: Host, domain: Domain, names: Names) -> None:
        needs(host, Capability.CLONE, Capability.SET_NOTES)
        domain.set_notes("copied too")
        assert stands_in(domain.clone(names("clone"))).info.notes == "copied too"

    def test_a_clone_starts_without_snapshots(self, host: Host, domain: Domain, names: Names) -> None:
        needs(host, Capability.CLONE, Capability.CREATE_SNAPSHOT, Capability.LIST_SNAPSHOTS)
        domain.create_snapshot(names("first"))
        try:
            copy = domain.clone(names("clone"))
        except (errors.PowerStateError, errors.BusyError, errors.UnsupportedError):
            assert names("clone") not in mine(host, names)
            return
        assert copy.snapshots() == []

    def test_a_clone_can_be_started_anew(self, host: Host, domain: Domain, reach: Reach, names: Names) -> None:
        needs(host, Capability.CLONE)
        reach(domain, PowerState.RUNNING)
        try:
            copy = domain.clone(names("clone"))
        except (errors.PowerStateError, errors.UnsupportedError):
            assert names("clone") not in mine(host, names)
            return
        assert copy.power_state is PowerState.SHUTOFF
        assert stands_in(domain).power_state is PowerState.RUNNING
