"""What a world holds when it begins: the same for the same seed, and made as late as can be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from hvsdk.enums import PowerState
from hvsdk.testing.fake._disks import Adapter, Drive, Pool
from hvsdk.testing.fake._domain import Config, FakeDomain
from hvsdk.testing.fake._identity import ROLES, domain_name, mac_address, mix, uuid_text

if TYPE_CHECKING:
    from hvsdk.testing.fake._options import Settings
    from hvsdk.testing.fake._world import World

__all__ = ["EPOCH", "GIB", "domains", "furnish", "nodes", "pools"]

GIB = 1024**3
EPOCH = datetime(2025, 1, 1, tzinfo=UTC)
"""Seeded domains were made in the year before this, and those that run were started after it."""

_STATES = (
    *(PowerState.RUNNING,) * 11,
    *(PowerState.SHUTOFF,) * 3,
    PowerState.PAUSED,
    PowerState.SUSPENDED,
)
_VCPUS = (1, 2, 2, 4, 4, 8, 2, 1)
_MEMORY = (1, 2, 4, 4, 8, 8, 16, 2)
_ZONES = ("prod", "test", "dev")


def nodes(settings: Settings) -> list[str]:
    """Return the names of the physical machines."""
    return [f"node-{number}" for number in range(1, settings.nodes + 1)]


def pools(settings: Settings) -> list[Pool]:
    """Return the storage pools, large enough for the domains; the last one holds ISO images."""
    size = max(4096, 64 * settings.domains) * GIB
    images = Pool("pool-3", "iso", 256 * GIB, kind="iso")
    for name in ("debian-12.iso", "rescue.iso"):
        images.put(name, GIB // 2, "iso").seed(len(name))
    return [Pool("pool-1", "default", size), Pool("pool-2", "fast", size, kind="lvm"), images]


def domains(settings: Settings, seed: int, node_names: list[str]) -> dict[str, FakeDomain]:
    """Return the domains by native id: ordinary ones, templates, control domains."""
    found = {}
    count = len(node_names)
    for index in range(settings.domains):
        native_id = f"vm-{index + 1}"
        high = mix(seed + index)
        low = mix(high)
        bits = low >> 16 ^ high
        state = _STATES[bits & 15] if index else PowerState.RUNNING
        found[native_id] = FakeDomain(
            index + 1,
            native_id,
            uuid_text(high, low),
            domain_name(index),
            state,
            node_names[index % count],
            _VCPUS[bits >> 4 & 7],
            _MEMORY[bits >> 7 & 7] * GIB,
        )
    special = [(f"template-{n}", n % count, "template") for n in range(1, settings.templates + 1)]
    special += [(f"Control domain on {node}", at, "control") for at, node in enumerate(node_names) if settings.control]
    for number, (name, node, kind) in enumerate(special, settings.domains + 1):
        high = mix(seed + number)
        state = PowerState.RUNNING if kind == "control" else PowerState.SHUTOFF
        domain = FakeDomain(
            number, f"vm-{number}", uuid_text(high, mix(high)), name, state, node_names[node], 2, 2 * GIB
        )
        domain.is_template, domain.is_control = kind == "template", kind == "control"
        found[domain.native_id] = domain
    return found


def furnish(world: World, domain: FakeDomain) -> Config:
    """Return a seeded domain's settings, with its disks in the pools and its snapshots."""
    bits = mix(world.seed ^ domain.number * 0x9E3779B9)
    config = domain.config = Config(EPOCH - timedelta(minutes=bits % 525_600))
    role = ROLES[(domain.number - 1) % len(ROLES)]
    config.folder = f"/{_ZONES[bits % 3]}"
    config.max_vcpus = domain.vcpus * 2
    config.max_memory = domain.memory_bytes * 2
    config.firmware = "uefi" if bits >> 8 & 3 == 0 else "bios"
    config.autostart = bool(bits >> 10 & 1)
    config.tags = frozenset({role, _ZONES[bits % 3]})
    config.notes = f"{role} server of team {bits >> 11 & 7}"
    config.metadata = {"team.owner": f"team-{bits >> 11 & 7}"}
    if domain.is_control:
        return config
    for position in range(1 + (bits >> 14 & 1)):
        pool = world.pools["pool-1" if position == 0 else "pool-2"]
        volume = pool.put(f"{domain.native_id}-disk-{position}.qcow2", (20, 40, 80, 100)[bits >> 15 & 3] * GIB, "qcow2")
        volume.seed(bits + position)
        drive = Drive(config.device_id("disk"), volume)
        drive.boot_order = 1 if position == 0 else None
        config.drives.append(drive)
    config.drives.append(Drive(config.device_id("cdrom"), None, device="cdrom", bus="sata"))
    for position in range(1 + (bits >> 17 & 1)):
        network = world.networks[position % len(world.networks)].name
        mac = mac_address(mix(bits + position))
        config.adapters.append(Adapter(config.device_id("nic"), mac, network))
    return config
