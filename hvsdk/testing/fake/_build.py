"""A domain from its specification: disks, adapters, media, labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hvsdk.testing.fake._disks import Adapter, Drive, Volume
from hvsdk.testing.fake._errors import FakeError

if TYPE_CHECKING:
    from hvsdk.models import DiskSpec, DomainSpec, NicSpec
    from hvsdk.testing.fake._domain import Config, FakeDomain
    from hvsdk.testing.fake._world import World

__all__ = ["add_adapter", "add_drive", "build", "find_template"]

BUSES = ("virtio", "scsi", "sata", "ide")
MODELS = ("virtio", "e1000e", "e1000", "rtl8139")


def find_template(world: World, key: str) -> FakeDomain:
    """Return the template of that id, UUID or name."""
    for domain in world.domains.values():
        if domain.is_template and key in (domain.native_id, domain.uuid, domain.name):
            return domain
    raise FakeError("DOMAIN_NOT_FOUND", f"there is no template {key!r}")


def build(world: World, domain: FakeDomain, spec: DomainSpec, made: list[Volume]) -> None:
    """Give a domain all that its specification says; volumes that are made are added to `made` at once."""
    config = world.config(domain)
    config.max_vcpus = spec.max_vcpus or spec.vcpus
    config.max_memory = spec.max_memory_bytes or spec.memory_bytes
    config.topology = spec.cpu_topology
    config.firmware, config.secure_boot = spec.firmware, spec.secure_boot
    config.autostart = spec.autostart
    config.tags, config.notes, config.metadata = spec.tags, spec.notes, dict(spec.metadata)
    config.cloud_init = spec.cloud_init
    config.details = _details(spec)
    for disk in spec.disks:
        drive = add_drive(world, domain, disk, made)
        config.drives.append(drive)
    if spec.media is not None:
        config.drives.append(Drive(config.device_id("cdrom"), world.volume(spec.media), device="cdrom", bus="sata"))
    for nic in spec.nics:
        config.adapters.append(add_adapter(world, config, nic))


def _details(spec: DomainSpec) -> dict[str, object]:
    """Return what a specification says that no field of a record shows, so that nothing is silently dropped."""
    told = {
        "fake.clock": None if spec.clock == "utc" else spec.clock,
        "fake.guest_os": spec.guest_os,
        "fake.machine": spec.machine,
        "fake.smbios": dict(spec.smbios) or None,
        "fake.pci_order": spec.pci_order or None,
        "fake.cloud_init": True if spec.cloud_init is not None else None,
    }
    told.update({key: value for key, value in spec.hints.items() if key.startswith("fake.")})
    return {key: value for key, value in told.items() if value is not None}


def add_drive(world: World, domain: FakeDomain, disk: DiskSpec, made: list[Volume]) -> Drive:
    """Return a new drive for a disk; a volume that was made for it is added to `made`."""
    config = world.config(domain)
    if disk.bus is not None and disk.bus not in BUSES:
        raise FakeError("INVALID_PARAMETER", f"no bus {disk.bus!r}; there are {', '.join(BUSES)}")
    bus = disk.bus or ("sata" if disk.device == "cdrom" else "virtio")
    drive = Drive(config.device_id(disk.device), None, device=disk.device, bus=bus)
    drive.readonly = disk.readonly or disk.device == "cdrom"
    drive.shareable, drive.serial = disk.shareable, disk.serial
    if disk.boot_order is not None and any(other.boot_order == disk.boot_order for other in config.drives):
        raise FakeError("INVALID_PARAMETER", f"two disks have boot order {disk.boot_order}")
    drive.boot_order = disk.boot_order
    drive.volume = _volume(world, f"{domain.native_id}-{drive.id}", disk, made)
    if disk.device == "disk" and drive.volume is not None:
        _check_free(world, drive.volume, drive)
    return drive


def _volume(world: World, name: str, disk: DiskSpec, made: list[Volume]) -> Volume | None:
    if disk.source is None:
        if disk.device == "cdrom":
            return None
        assert disk.size_bytes is not None
        pool = world.pool(disk.pool)
        volume = pool.make(pool.free_name(f"{name}.{disk.format or 'qcow2'}"), disk.size_bytes, disk.format)
        made.append(volume)
        return volume
    source = world.volume(disk.source, disk.pool if not disk.copy else None)
    if not disk.copy:
        return source
    if disk.size_bytes is not None and disk.size_bytes < source.size:
        raise FakeError("INVALID_PARAMETER", f"a copy cannot be smaller than its source, which has {source.size} bytes")
    pool = world.pool(disk.pool)
    volume = pool.copy(source, f"{name}.{disk.format or 'qcow2'}")
    made.append(volume)
    if disk.size_bytes is not None:
        volume.size = disk.size_bytes
    return volume


def _check_free(world: World, volume: Volume, drive: Drive) -> None:
    for domain, other in world.attached(volume):
        if not (drive.shareable and other.shareable) and not (drive.readonly and other.readonly):
            raise FakeError("VOLUME_IN_USE", f"volume {volume.path} is attached to domain {domain.name!r}")
    for pool in world.pools.values():
        for other_volume in pool.volumes.values():
            if other_volume.backing is volume and not drive.readonly:
                raise FakeError("VOLUME_IN_USE", f"volume {other_volume.path} lies on volume {volume.path}")


def add_adapter(world: World, config: Config, nic: NicSpec) -> Adapter:
    """Return a new adapter."""
    if nic.model is not None and nic.model not in MODELS:
        raise FakeError("INVALID_PARAMETER", f"no adapter model {nic.model!r}; there are {', '.join(MODELS)}")
    if nic.mac is not None and any(adapter.mac == nic.mac for adapter in config.adapters):
        raise FakeError("ALREADY_EXISTS", f"the domain has an adapter with MAC address {nic.mac}")
    network = world.network(nic.network)
    adapter = Adapter(config.device_id("nic"), nic.mac or world.new_mac(), network.name, nic.model or "virtio")
    adapter.link_up, adapter.mtu = nic.link_up, nic.mtu
    adapter.vlan = nic.vlan if nic.vlan is not None else network.vlan
    return adapter
