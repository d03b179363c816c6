"""What the product keeps, as our records."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from hvsdk.enums import PowerState
from hvsdk.models._domain import FIELD_GROUPS, DomainInfo, domain_info_maker
from hvsdk.models._mapping import frozen
from hvsdk.testing.fake._seed import EPOCH

if TYPE_CHECKING:
    from hvsdk.models import Disk, Nic
    from hvsdk.testing.fake._disks import Adapter, Drive
    from hvsdk.testing.fake._domain import FakeDomain
    from hvsdk.testing.fake._world import World

__all__ = ["domain_info", "domain_infos", "guest_fields", "shown_disk"]

CONFIG = frozenset({"config"})


@cache
def _maker(groups: frozenset[str]) -> Callable[..., DomainInfo]:
    names = [name for group in ("summary", "config", "guest") if group in groups for name in FIELD_GROUPS[group]]
    return domain_info_maker(*names, "seen_at")


def domain_infos(world: World, domains: Iterable[FakeDomain], include: frozenset[str]) -> list[DomainInfo]:
    """Return records of domains, with these field groups besides the summary."""
    make = _maker(include | {"summary"})
    now = datetime.now(UTC)
    kind = world.settings.hypervisor
    found = []
    for domain in domains:
        more: tuple[Any, ...] = ()
        if "config" in include:
            more += _config(world, domain)
        if "guest" in include:
            more += guest_fields(world, domain)
        info = make(
            domain.native_id,
            domain.uuid,
            domain.name,
            domain.state,
            kind,
            domain.node,
            domain.is_template,
            domain.is_control,
            domain.vcpus,
            domain.memory_bytes,
            *more,
            now,
        )
        found.append(info)
    return found


def domain_info(world: World, domain: FakeDomain, include: frozenset[str] = CONFIG) -> DomainInfo:
    """Return one domain's record."""
    return domain_infos(world, (domain,), include)[0]


def _config(world: World, domain: FakeDomain) -> tuple[Any, ...]:
    """Return the fields of the group `config`, in its order."""
    from hvsdk.models._marks import read_marks

    config = world.config(domain)
    disks = [drive for drive in config.drives if drive.device == "disk"]
    details = config.details
    if domain.memory is not None:
        details = {**details, "fake.memory": f"boot-{domain.memory}"}
    values = {
        **read_marks(config.metadata),
        "folder": config.folder,
        "max_vcpus": config.max_vcpus,
        "cpu_topology": config.topology,
        "max_memory_bytes": config.max_memory,
        "disks": tuple(shown_disk(drive, disks.index(drive) if drive in disks else None) for drive in config.drives),
        "nics": tuple(_shown_nic(adapter, position) for position, adapter in enumerate(config.adapters)),
        "firmware": config.firmware,
        "secure_boot": config.secure_boot,
        "virtualization": "hvm",
        "autostart": config.autostart,
        "tags": config.tags,
        "notes": config.notes,
        "metadata": frozen(config.metadata),
        "created_at": config.created_at,
        "started_at": _started_at(domain),
        "details": frozen(details),
    }
    return tuple(values[name] for name in FIELD_GROUPS["config"])


def _started_at(domain: FakeDomain) -> datetime | None:
    if domain.state not in (PowerState.RUNNING, PowerState.PAUSED):
        return None
    return domain.started_at or EPOCH + timedelta(minutes=domain.number % 100_000)


def guest_fields(world: World, domain: FakeDomain) -> tuple[Any, ...]:
    """Return the fields of the group `guest`: addresses, host name, system, agent."""
    from hvsdk.models import Address

    guest = world.guest(domain)
    up = domain.state is PowerState.RUNNING and world.now() >= domain.up_at
    agent = guest.agent if guest.agent in ("absent", "stopped") else "stopped"
    if up and guest.agent == "running":
        agent = "running"
    if not up:
        return (), None, None, agent
    source: Literal["agent", "lease"] = "agent" if agent == "running" else "lease"
    addresses = tuple(
        Address(
            ip=f"10.{position}.{domain.number >> 8 & 255}.{domain.number & 255}",
            source=source,
            mac=adapter.mac,
            interface=f"eth{position}" if source == "agent" else None,
            prefix_length=16,
        )
        for position, adapter in enumerate(world.config(domain).adapters)
        if adapter.link_up
    )
    return addresses, *((domain.name, "Debian GNU/Linux 12") if agent == "running" else (None, None)), agent


def shown_disk(drive: Drive, position: int | None) -> Disk:
    """Return a drive's record."""
    from hvsdk.models import Disk

    volume = drive.volume
    return Disk(
        id=drive.id,
        device="cdrom" if drive.device == "cdrom" else "disk",
        bus=drive.bus,
        position=position,
        capacity_bytes=None if volume is None else volume.size,
        allocated_bytes=None if volume is None else volume.allocated,
        source=None if volume is None else volume.path,
        pool=None if volume is None else volume.pool.id,
        volume=None if volume is None else volume.id,
        format=None if volume is None else volume.format,
        readonly=drive.readonly,
        shareable=drive.shareable,
        boot_order=drive.boot_order,
        serial=drive.serial,
    )


def _shown_nic(adapter: Adapter, position: int) -> Nic:
    from hvsdk.models import Nic

    return Nic(
        id=adapter.id,
        mac=adapter.mac,
        network=adapter.network,
        model=adapter.model,
        position=position,
        link_up=adapter.link_up,
        vlan=adapter.vlan,
        mtu=adapter.mtu,
    )
