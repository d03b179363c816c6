"""Hardware of a domain: vCPUs, memory, disks, adapters, media."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hvsdk import errors
from hvsdk.capability import Capability
from hvsdk.enums import PowerState
from hvsdk.models import Disk, DiskSpec, NicSpec
from hvsdk.testing.conformance._fixtures import Kit, Reach
from hvsdk.testing.conformance._helpers import Names, concerns, needs, own_volume, stands_in

if TYPE_CHECKING:
    from hvsdk._domain import Domain
    from hvsdk._host import Host

__all__ = ["DiskDevices", "Media", "NicDevices", "Reconfigure"]

STATES = pytest.mark.parametrize("state", [PowerState.SHUTOFF, PowerState.RUNNING], ids=lambda state: state.name)
MIB = 1 << 20


def needs_hotplug(domain: Domain, state: PowerState, capability: Capability) -> None:
    """Skip where a running domain, or this one, cannot be changed so."""
    if state is PowerState.RUNNING:
        needs(domain.host, capability)
        reason = domain.why_not(capability)
        if reason is not None:
            pytest.skip(reason)


def own_disk(domain: Domain) -> Disk:
    """Return the first disk, or skip."""
    for disk in domain.info.disks:
        if disk.device == "disk":
            return disk
    pytest.skip("the domain has no disk")


class Reconfigure(Kit):
    """vCPUs and memory."""

    def test_a_domain_that_is_off_takes_other_sizes(self, host: Host, domain: Domain) -> None:
        needs(host, Capability.RECONFIGURE)
        applied = domain.reconfigure(vcpus=2, memory="128MiB")
        assert applied.live | applied.next_boot >= {"vcpus", "memory"}
        assert (domain.vcpus, domain.memory_bytes) == (2, 128 * MIB)
        seen = stands_in(domain)
        assert (seen.vcpus, seen.memory_bytes) == (2, 128 * MIB)
        assert seen.power_state is PowerState.SHUTOFF

    def test_what_is_not_mentioned_stays(self, host: Host, domain: Domain) -> None:
        needs(host, Capability.RECONFIGURE)
        before = domain.memory_bytes
        domain.reconfigure(vcpus=2)
        assert stands_in(domain).memory_bytes == before

    def test_a_running_domain_says_what_was_applied(self, host: Host, running: Domain) -> None:
        needs(host, Capability.RECONFIGURE)
        concerns(Capability.RECONFIGURE_RUNNING)
        before = running.vcpus
        try:
            applied = running.reconfigure(vcpus=2)
        except (errors.PowerStateError, errors.InvalidSpecError):
            assert stands_in(running).vcpus == before, "refused, but changed"
            return
        assert applied.live | applied.next_boot == {"vcpus"}
        assert not applied.live & applied.next_boot
        assert not applied.live or host.supports(Capability.RECONFIGURE_RUNNING)
        assert stands_in(running).power_state is PowerState.RUNNING

    @pytest.mark.parametrize("wish", [{"vcpus": 0}, {"memory": "a lot"}, {"memory": 0}, {"vcpus": "2"}], ids=str)
    def test_impossible_sizes_are_refused(self, host: Host, domain: Domain, wish: dict[str, object]) -> None:
        needs(host, Capability.RECONFIGURE)
        before = domain.refresh().info
        with pytest.raises(errors.InvalidSpecError):
            domain.reconfigure(**wish)  # type: ignore[arg-type]
        assert stands_in(domain).info == before

    def test_nothing_to_change_is_refused_or_harmless(self, host: Host, domain: Domain) -> None:
        needs(host, Capability.RECONFIGURE)
        before = domain.refresh().info
        try:
            applied = domain.reconfigure()
        except errors.InvalidSpecError:
            return
        assert not applied.live | applied.next_boot
        assert stands_in(domain).info == before


class DiskDevices(Kit):
    """Disks come and go when the verb returns, not later."""

    @STATES
    def test_a_disk_is_there_when_attach_returns(
        self, host: Host, domain: Domain, reach: Reach, patience: float, state: PowerState
    ) -> None:
        needs(host, Capability.ATTACH_DISK)
        needs_hotplug(domain, state, Capability.HOTPLUG_DISK)
        before = {disk.id for disk in reach(domain, state).info.disks}
        disk = domain.attach_disk(DiskSpec(size="8MiB"), timeout=patience)
        assert disk.id not in before
        seen = {disk.id: disk for disk in stands_in(domain).info.disks}
        assert seen.keys() == before | {disk.id}
        assert seen[disk.id] == disk
        assert disk.device == "disk"
        assert disk.capacity_bytes in (8 * MIB, None)
        assert disk in domain.info.disks, "the handle is not fresh"

    @STATES
    def test_a_disk_is_gone_when_detach_returns(
        self, host: Host, domain: Domain, reach: Reach, patience: float, state: PowerState
    ) -> None:
        needs(host, Capability.ATTACH_DISK, Capability.DETACH_DISK)
        needs_hotplug(domain, state, Capability.HOTPLUG_DISK)
        before = {disk.id for disk in reach(domain, state).info.disks}
        disk = domain.attach_disk(DiskSpec(size="8MiB"), timeout=patience)
        domain.detach_disk(disk, timeout=patience)
        assert {disk.id for disk in domain.info.disks} == before
        assert {disk.id for disk in stands_in(domain).info.disks} == before

    def test_a_detached_disk_keeps_its_volume(self, host: Host, domain: Domain, clean: list[object]) -> None:
        needs(host, Capability.ATTACH_DISK, Capability.DETACH_DISK, Capability.LIST_VOLUMES)
        disk = domain.attach_disk(DiskSpec(size="8MiB"))
        volume = own_volume(host, disk)
        clean.append(volume)
        domain.detach_disk(disk.id)
        assert [item.id for item in volume.pool.volumes()].count(volume.id) == 1

    @pytest.mark.parametrize("verb", ["detach_disk", "resize_disk"])
    def test_a_disk_that_is_not_there_is_not_found(self, host: Host, domain: Domain, verb: str) -> None:
        needs(host, Capability(verb))
        before = domain.refresh().info.disks
        with pytest.raises(errors.DiskNotFoundError):
            getattr(domain, verb)("no-such-disk", *(["64MiB"] if verb == "resize_disk" else []))
        assert stands_in(domain).info.disks == before

    @STATES
    def test_a_disk_grows(self, host: Host, domain: Domain, reach: Reach, state: PowerState) -> None:
        needs(host, Capability.RESIZE_DISK)
        needs_hotplug(domain, state, Capability.RESIZE_DISK_RUNNING)
        disk = own_disk(reach(domain, state))
        size = (disk.capacity_bytes or 16 * MIB) + 16 * MIB
        grown = domain.resize_disk(disk, size)
        assert grown.id == disk.id
        assert grown.capacity_bytes in (size, None)
        (seen,) = [item for item in stands_in(domain).info.disks if item.id == disk.id]
        assert seen == grown

    def test_a_disk_does_not_shrink(self, host: Host, domain: Domain) -> None:
        needs(host, Capability.RESIZE_DISK)
        disk = own_disk(domain)
        if disk.capacity_bytes is None:
            pytest.skip("the product does not tell the size with the domain")
        with pytest.raises(errors.InvalidSpecError):
            domain.resize_disk(disk, disk.capacity_bytes // 2)
        assert own_disk(stands_in(domain)).capacity_bytes == disk.capacity_bytes

    def test_a_disk_in_a_pool_that_is_not_there_is_not_attached(self, host: Host, domain: Domain, names: Names) -> None:
        needs(host, Capability.ATTACH_DISK)
        before = domain.refresh().info.disks
        with pytest.raises((errors.NotFoundError, errors.InvalidSpecError)):
            domain.attach_disk(DiskSpec(size="8MiB", pool=names("no-pool")))
        assert stands_in(domain).info.disks == before


class NicDevices(Kit):
    """Network adapters."""

    @STATES
    def test_an_adapter_is_there_when_attach_returns(
        self, host: Host, domain: Domain, reach: Reach, state: PowerState
    ) -> None:
        needs(host, Capability.ATTACH_NIC)
        needs_hotplug(domain, state, Capability.HOTPLUG_NIC)
        before = {nic.id for nic in reach(domain, state).info.nics}
        nic = domain.attach_nic(NicSpec(mac="52:54:00:0a:0b:0c"))
        assert nic.mac == "52:54:00:0a:0b:0c"
        assert {item.id for item in stands_in(domain).info.nics} == before | {nic.id}
        assert nic in domain.info.nics

    @STATES
    @pytest.mark.parametrize("by", ["nic", "id", "mac"])
    def test_an_adapter_is_gone_when_detach_returns(
        self, host: Host, domain: Domain, reach: Reach, patience: float, state: PowerState, by: str
    ) -> None:
        needs(host, Capability.ATTACH_NIC, Capability.DETACH_NIC)
        needs_hotplug(domain, state, Capability.HOTPLUG_NIC)
        before = {nic.id for nic in reach(domain, state).info.nics}
        nic = domain.attach_nic(NicSpec())
        if by == "mac" and nic.mac is None:
            domain.detach_nic(nic, timeout=patience)
            pytest.skip("the product gives an adapter its MAC when the domain is started")
        domain.detach_nic(nic if by == "nic" else getattr(nic, by), timeout=patience)
        assert {item.id for item in domain.info.nics} == before
        assert {item.id for item in stands_in(domain).info.nics} == before

    @STATES
    def test_a_link_goes_down_and_up(self, host: Host, domain: Domain, reach: Reach, state: PowerState) -> None:
        needs(host, Capability.SET_NIC_LINK)
        nics = reach(domain, state).info.nics
        if not nics:
            pytest.skip("the domain has no adapter")
        for up in (False, True):
            domain.set_nic_link(nics[0], up)
            (seen,) = [nic for nic in stands_in(domain).info.nics if nic.id == nics[0].id]
            assert seen.link_up is up
            domain.set_nic_link(nics[0], up)

    @pytest.mark.parametrize("verb", ["detach_nic", "set_nic_link"])
    def test_an_adapter_that_is_not_there_is_not_found(self, host: Host, domain: Domain, verb: str) -> None:
        needs(host, Capability(verb))
        with pytest.raises(errors.NicNotFoundError):
            getattr(domain, verb)("02:00:00:00:00:99", *([False] if verb == "set_nic_link" else []))

    def test_an_adapter_on_a_network_that_is_not_there_is_not_attached(
        self, host: Host, domain: Domain, names: Names
    ) -> None:
        needs(host, Capability.ATTACH_NIC)
        before = domain.refresh().info.nics
        with pytest.raises((errors.NotFoundError, errors.InvalidSpecError)):
            domain.attach_nic(NicSpec(network=names("no-network")))
        assert stands_in(domain).info.nics == before


class Media(Kit):
    """Images in CD-ROM drives."""

    @STATES
    def test_an_image_goes_in_and_out(
        self, host: Host, domain: Domain, reach: Reach, image: str, state: PowerState
    ) -> None:
        needs(host, Capability.INSERT_MEDIA, Capability.EJECT_MEDIA, Capability.ATTACH_DISK)
        if not any(disk.device == "cdrom" for disk in domain.info.disks):
            domain.attach_disk(DiskSpec(device="cdrom"))
        reach(domain, state)
        drive = domain.insert_media(image)
        assert drive.device == "cdrom"
        assert drive.source
        (seen,) = [disk for disk in stands_in(domain).info.disks if disk.id == drive.id]
        assert seen == drive
        domain.eject_media(drive=drive)
        (seen,) = [disk for disk in stands_in(domain).info.disks if disk.id == drive.id]
        assert seen.source is None
        domain.eject_media(drive=drive.id)

    def test_without_a_drive_there_is_nowhere_to_insert(self, host: Host, domain: Domain, image: str) -> None:
        needs(host, Capability.INSERT_MEDIA)
        with pytest.raises(errors.DiskNotFoundError):
            domain.insert_media(image, drive="no-such-drive")
