"""Hardware of a domain that exists: vCPUs and memory, disks, adapters, media."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hvsdk.enums import PowerState
from hvsdk.testing.fake._build import add_adapter, add_drive
from hvsdk.testing.fake._connection import Connection
from hvsdk.testing.fake._disks import Drive, Volume
from hvsdk.testing.fake._domain import Config, FakeDomain
from hvsdk.testing.fake._errors import FakeError
from hvsdk.testing.fake._power import require

if TYPE_CHECKING:
    from hvsdk._deadline import Deadline
    from hvsdk.models import Applied, Changes, DiskSpec, NicSpec
    from hvsdk.testing.fake._world import World

__all__ = ["DeviceVerbs"]


class DeviceVerbs(Connection):
    """reconfigure, and the verbs that attach and detach."""

    def reconfigure(self, native_id: str, changes: Changes, *, deadline: Deadline) -> Applied:
        """Change vCPUs and memory: while it runs, up to its maximum at once, all else at its next boot."""
        from hvsdk.models import Applied

        with self.round_trip("reconfigure", deadline, native_id) as world:
            domain = world.domain(native_id)
            require(domain, "reconfigure")
            config = world.config(domain)
            live = _live(domain, config, changes)
            _change(domain, config, changes)
            if domain.state is PowerState.SHUTOFF:
                live = changes.asked
            if "vcpus" in live:
                domain.live_vcpus = domain.vcpus
            if "memory" in live:
                domain.live_memory = domain.memory_bytes
            world.changed(domain)
            return Applied(live=live, next_boot=changes.asked - live)

    def attach_disk(self, native_id: str, disk: DiskSpec, *, deadline: Deadline) -> str:
        """Add a disk or a CD-ROM drive."""
        with self.round_trip("attach_disk", deadline, native_id) as world:
            domain = world.domain(native_id)
            require(domain, "attach_disk")
            made: list[Volume] = []
            try:
                drive = add_drive(world, domain, disk, made)
            except BaseException:
                for volume in made:
                    del volume.pool.volumes[volume.id]
                raise
            world.config(domain).drives.append(drive)
            world.changed(domain)
            return drive.id

    def detach_disk(self, native_id: str, disk_id: str, *, deadline: Deadline) -> None:
        """Ask for it to be taken out; a guest that runs may not let it go."""
        with self.round_trip("detach_disk", deadline, native_id) as world:
            domain = world.domain(native_id)
            require(domain, "detach_disk")
            config = world.config(domain)
            drive = config.drive(disk_id)
            if _lets_go(world, domain):
                config.drives.remove(drive)
                world.changed(domain)

    def resize_disk(self, native_id: str, disk_id: str, size_bytes: int, *, deadline: Deadline) -> None:
        """Grow a disk."""
        with self.round_trip("resize_disk", deadline, native_id) as world:
            domain = world.domain(native_id)
            require(domain, "resize_disk")
            volume = world.config(domain).drive(disk_id).volume
            if volume is None:
                raise FakeError("DISK_NOT_FOUND", f"drive {disk_id!r} is empty")
            if volume.format == "iso" or size_bytes < volume.size:
                raise FakeError(
                    "INVALID_PARAMETER", f"disk {disk_id!r} has {volume.size} bytes, and cannot have {size_bytes}"
                )
            if volume.format == "raw":
                volume.pool.need(size_bytes - volume.size)
            if size_bytes > volume.pool.capacity:
                raise FakeError("NO_SPACE", f"{size_bytes} bytes never fit into pool {volume.pool.name!r}")
            volume.size = size_bytes
            world.changed(domain)

    def attach_nic(self, native_id: str, nic: NicSpec, *, deadline: Deadline) -> str:
        """Add an adapter."""
        with self.round_trip("attach_nic", deadline, native_id) as world:
            domain = world.domain(native_id)
            require(domain, "attach_nic")
            config = world.config(domain)
            adapter = add_adapter(world, config, nic)
            config.adapters.append(adapter)
            world.changed(domain)
            return adapter.id

    def detach_nic(self, native_id: str, nic_id: str, *, deadline: Deadline) -> None:
        """Ask for it to be taken out; a guest that runs may not let it go."""
        with self.round_trip("detach_nic", deadline, native_id) as world:
            domain = world.domain(native_id)
            require(domain, "detach_nic")
            config = world.config(domain)
            adapter = config.adapter(nic_id)
            if _lets_go(world, domain):
                config.adapters.remove(adapter)
                world.changed(domain)

    def set_nic_link(self, native_id: str, nic_id: str, up: bool, *, deadline: Deadline) -> None:
        """Plug or unplug the cable."""
        with self.round_trip("set_nic_link", deadline, native_id) as world:
            domain = world.domain(native_id)
            world.config(domain).adapter(nic_id).link_up = up
            world.changed(domain)

    def insert_media(self, native_id: str, source: str, *, drive: str | None, deadline: Deadline) -> str:
        """Put an image into a drive; a domain without one gets one, when no drive is named."""
        with self.round_trip("insert_media", deadline, native_id) as world:
            domain = world.domain(native_id)
            config = world.config(domain)
            volume = world.volume(source)
            found = _cdrom(config, drive)
            if found is None:
                require(domain, "attach_disk")
                found = Drive(config.device_id("cdrom"), None, device="cdrom", bus="sata")
                config.drives.append(found)
            found.volume = volume
            world.changed(domain)
            return found.id

    def eject_media(self, native_id: str, *, drive: str | None, deadline: Deadline) -> None:
        """Empty a drive."""
        with self.round_trip("eject_media", deadline, native_id) as world:
            domain = world.domain(native_id)
            found = _cdrom(world.config(domain), drive)
            if found is None:
                raise FakeError("DISK_NOT_FOUND", f"domain {domain.name!r} has no CD-ROM drive")
            if found.volume is not None:
                found.volume = None
                world.changed(domain)


def _cdrom(config: Config, drive_id: str | None) -> Drive | None:
    if drive_id is not None:
        drive = config.drive(drive_id)
        if drive.device != "cdrom":
            raise FakeError("INVALID_PARAMETER", f"{drive_id!r} is no CD-ROM drive")
        return drive
    return next((drive for drive in config.drives if drive.device == "cdrom"), None)


def _lets_go(world: World, domain: FakeDomain) -> bool:
    return domain.state is not PowerState.RUNNING or world.guest(domain).unplug == "obeys"


def _live(domain: FakeDomain, config: Config, changes: Changes) -> frozenset[str]:
    """Return what a domain that is on can be given at once: more vCPUs, and memory either way, up to its maximum."""
    live = set()
    if changes.vcpus is not None and domain.live_vcpus <= changes.vcpus <= config.max_vcpus:
        live.add("vcpus")
    if changes.memory_bytes is not None and changes.memory_bytes <= config.max_memory:
        live.add("memory")
    return frozenset(live)


def _change(domain: FakeDomain, config: Config, changes: Changes) -> None:
    """Change what it boots with; a maximum that is not given is raised along."""
    vcpus = domain.vcpus if changes.vcpus is None else changes.vcpus
    most = max(config.max_vcpus, vcpus) if changes.max_vcpus is None else changes.max_vcpus
    memory = domain.memory_bytes if changes.memory_bytes is None else changes.memory_bytes
    limit = max(config.max_memory, memory) if changes.max_memory_bytes is None else changes.max_memory_bytes
    if vcpus > most or memory > limit:
        raise FakeError(
            "INVALID_PARAMETER", f"{vcpus} vCPUs and {memory} bytes are more than the maximum of {most} and {limit}"
        )
    topology = changes.cpu_topology
    if topology is not None and topology.sockets * topology.cores * topology.threads != most:
        raise FakeError("INVALID_PARAMETER", f"the topology does not make {most} vCPUs")
    if topology is not None or most != config.max_vcpus:
        config.topology = topology
    domain.vcpus, config.max_vcpus = vcpus, most
    domain.memory_bytes, config.max_memory = memory, limit
    config.details.update({key: value for key, value in changes.hints.items() if key.startswith("fake.")})
