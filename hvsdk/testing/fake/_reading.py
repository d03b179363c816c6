"""Everything that only looks: domains, figures, screens, networks, nodes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from hvsdk.enums import PowerState
from hvsdk.testing.fake._connection import Connection
from hvsdk.testing.fake._identity import mix
from hvsdk.testing.fake._power import node_memory, require
from hvsdk.testing.fake._records import domain_info, domain_infos

if TYPE_CHECKING:
    from hvsdk._deadline import Deadline
    from hvsdk.models import Console, DomainInfo, DomainStats, Network, Node
    from hvsdk.testing.fake._domain import FakeDomain
    from hvsdk.testing.fake._world import World

__all__ = ["ReadingVerbs"]


class ReadingVerbs(Connection):
    """list_domains, get_domain, find_domains, stats, console, screenshot, list_networks, list_nodes."""

    def list_domains(self, include: frozenset[str], *, deadline: Deadline) -> list[DomainInfo]:
        """Return all domains in one round trip."""
        with self.round_trip("list_domains", deadline) as world:
            return domain_infos(world, world.domains.values(), include)

    def get_domain(self, native_id: str, include: frozenset[str], *, deadline: Deadline) -> DomainInfo:
        """Return one domain."""
        with self.round_trip("get_domain", deadline, native_id) as world:
            return domain_info(world, world.domain(native_id), include)

    def find_domains(self, key: str, *, deadline: Deadline) -> list[str]:
        """Return the ids of domains with that UUID, in either byte order, or that name."""
        with self.round_trip("find_domains", deadline) as world:
            lower = key.lower()
            keys = {lower, _swapped(lower)}
            return [d.native_id for d in world.domains.values() if d.uuid in keys or d.name == key]

    def stats(self, native_ids: Iterable[str] | None, *, deadline: Deadline) -> list[DomainStats]:
        """Return counters that go on with the world's clock while a domain runs."""
        with self.round_trip("stats", deadline) as world:
            if native_ids is not None:
                return [_figures(world, world.domain(native_id)) for native_id in native_ids]
            return [_figures(world, d) for d in world.domains.values() if d.state is PowerState.RUNNING]

    def console(self, native_id: str, *, deadline: Deadline) -> Console:
        """Say where a VNC server would be; nothing listens there."""
        from hvsdk.models import Console

        with self.round_trip("console", deadline, native_id) as world:
            domain = world.domain(native_id)
            require(domain, "console")
            return Console(
                kind="vnc",
                host="127.0.0.1",
                port=5900 + domain.number % 50_000,
                password=f"{mix(world.seed ^ domain.boot << 32 ^ domain.number):016x}"[:8],
            )

    def screenshot(self, native_id: str, *, deadline: Deadline) -> bytes:
        """Draw a picture that is the same for the same name."""
        from hvsdk.testing.fake._png import picture

        with self.round_trip("screenshot", deadline, native_id) as world:
            domain = world.domain(native_id)
            require(domain, "screenshot")
            return picture(domain.name)

    def list_networks(self, *, deadline: Deadline) -> list[Network]:
        """Return the networks."""
        from hvsdk.models import Network

        with self.round_trip("list_networks", deadline) as world:
            return [
                Network(id=n.id, name=n.name, active=True, bridge=n.bridge, vlan=n.vlan, mtu=1500)
                for n in world.networks
            ]

    def list_nodes(self, *, deadline: Deadline) -> list[Node]:
        """Return the physical machines."""
        from hvsdk.models import Node

        with self.round_trip("list_nodes", deadline) as world:
            memory = node_memory(world)
            used = dict.fromkeys(world.nodes, 0)
            for domain in world.domains.values():
                if domain.state in (PowerState.RUNNING, PowerState.PAUSED):
                    used[domain.node] += domain.live_memory
            return [
                Node(
                    id=name,
                    name=name,
                    state="up",
                    cpus=64,
                    memory_bytes=memory,
                    free_memory_bytes=max(0, memory - used[name]),
                    cpu_model="Fake CPU",
                    hypervisor_version="1.0",
                )
                for name in world.nodes
            ]


def _swapped(uuid: str) -> str:
    """Return a UUID in the other byte order, as some products and guests spell it."""
    parts = uuid.split("-")
    if [len(part) for part in parts] != [8, 4, 4, 4, 12]:
        return uuid
    turned = ["".join(reversed([part[at : at + 2] for at in range(0, len(part), 2)])) for part in parts[:3]]
    return "-".join([*turned, *parts[3:]])


def _figures(world: World, domain: FakeDomain) -> DomainStats:
    from hvsdk.models import DomainStats

    at = world.utc()
    if domain.state not in (PowerState.RUNNING, PowerState.PAUSED):
        return DomainStats(native_id=domain.native_id, name=domain.name, at=at)
    seconds = world.run_time(domain)
    load = mix(domain.number)
    read, written = int(seconds * (load & 0xFFFF) * 64), int(seconds * (load >> 16 & 0xFFFF) * 32)
    received, sent = int(seconds * (load >> 32 & 0xFFFF) * 8), int(seconds * (load >> 48 & 0xFFFF) * 4)
    return DomainStats(
        native_id=domain.native_id,
        name=domain.name,
        at=at,
        cpu_seconds=seconds * domain.live_vcpus * (load & 63) / 64,
        disk_read_bytes=read,
        disk_write_bytes=written,
        disk_read_requests=read // 16_384,
        disk_write_requests=written // 8192,
        net_rx_bytes=received,
        net_tx_bytes=sent,
        net_rx_packets=received // 1024,
        net_tx_packets=sent // 512,
        vcpus=domain.live_vcpus,
        memory_bytes=domain.live_memory,
        memory_used_bytes=domain.live_memory * (32 + (load & 63)) // 128,
    )
