"""Making, copying, removing and moving domains. Each is undone as a whole when it fails or is cancelled half-way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from hvsdk.enums import EventKind, PowerState
from hvsdk.models._checks import RESERVED
from hvsdk.testing.fake._build import build, find_template
from hvsdk.testing.fake._connection import Connection
from hvsdk.testing.fake._disks import Pool, Volume
from hvsdk.testing.fake._domain import Config, FakeDomain
from hvsdk.testing.fake._errors import FakeError
from hvsdk.testing.fake._power import require
from hvsdk.testing.fake._records import domain_info

if TYPE_CHECKING:
    from hvsdk._deadline import Deadline
    from hvsdk._driver.base import Driver, Result
    from hvsdk.models import DomainInfo, DomainSpec
    from hvsdk.testing.fake._tasks import Work
    from hvsdk.testing.fake._world import World

__all__ = ["MakingVerbs"]


class MakingVerbs(Connection):
    """create_domain, clone, delete, migrate."""

    def create_domain(self, spec: DomainSpec, *, deadline: Deadline) -> Result[DomainInfo]:
        """Make a domain, shut off."""
        with self.round_trip("create_domain", deadline) as world:
            _check_name(spec.name)
            if spec.uuid is not None and any(domain.uuid == spec.uuid for domain in world.domains.values()):
                raise FakeError("ALREADY_EXISTS", f"there is a domain with UUID {spec.uuid}")
            return self.carry_out("create_domain", None, _create(world, spec), cancellable=True)

    def clone(self, native_id: str, name: str, *, linked: bool, deadline: Deadline) -> Result[DomainInfo]:
        """Copy a domain, its labels included; hvsdk's own marks stay behind."""
        with self.round_trip("clone", deadline, native_id) as world:
            domain = world.domain(native_id)
            require(domain, "clone")
            _check_name(name)
            work = _clone(world, domain, name, linked=linked)
            return self.carry_out("clone", native_id, work, cancellable=True)

    def delete(self, native_id: str, *, disks: Literal["keep", "delete"], deadline: Deadline) -> Result[None]:
        """Remove snapshots, then the definition, then its own volumes if that was asked for; never an ISO image."""
        with self.round_trip("delete", deadline, native_id) as world:
            domain = world.domain(native_id)
            require(domain, "delete")
            doomed = _own_volumes(world, domain) if disks == "delete" else []
            for volume in doomed:
                holder = world.held(volume, but=domain)
                if holder is not None:
                    raise FakeError(
                        "VOLUME_IN_USE", f"disk {volume.path} of domain {domain.name!r} cannot go: {holder}"
                    )
            return self.carry_out("delete", native_id, _delete(world, domain, doomed))

    def check_migrate(
        self, native_id: str, target: Driver, *, node: str | None, pool: str | None, live: bool, deadline: Deadline
    ) -> str | None:
        """Look for what stands in the way."""
        with self.round_trip("check_migrate", deadline, native_id) as world:
            there = _world_behind(target)
            if there is None:
                return "its target is no open fake:// host"
            return _obstacle(world, world.domain(native_id), there, node, pool)

    def migrate(
        self, native_id: str, target: Driver, *, node: str | None, pool: str | None, live: bool, deadline: Deadline
    ) -> Result[str]:
        """Move it to another node or pool, or another fake host of this process: definition, disks, snapshots, memory."""
        with self.round_trip("migrate", deadline, native_id) as world:
            domain = world.domain(native_id)
            require(domain, "migrate")
            if not live and domain.state is not PowerState.SHUTOFF:
                raise FakeError("BAD_POWER_STATE", f"domain {domain.name!r} is {domain.state}", state=domain.state)
            there = _world_behind(target)
            reason = (
                "its target is no open fake:// host" if there is None else _obstacle(world, domain, there, node, pool)
            )
            if there is None or reason is not None:
                raise FakeError("UNSUPPORTED", f"domain {domain.name!r} cannot migrate: {reason}")
            work = _migrate(
                world, domain, there, node, there.pool(pool) if pool is not None or there is not world else None
            )
            return self.carry_out("migrate", native_id, work, cancellable=True)


def _check_name(name: str) -> None:
    if not name.strip() or len(name) > 255:
        raise FakeError("INVALID_PARAMETER", f"a name has 1 to 255 characters, not {len(name)}")


def _new_domain(world: World, name: str, uuid: str | None, vcpus: int, memory: int) -> FakeDomain:
    number = world.next_number()
    node = world.nodes[number % len(world.nodes)]
    uuid = uuid or world.new_uuid(number)
    return FakeDomain(number, f"vm-{number}", uuid, name, PowerState.SHUTOFF, node, vcpus, memory)


def _create(world: World, spec: DomainSpec) -> Work[DomainInfo]:
    template = find_template(world, spec.template) if spec.template is not None else None
    domain = _new_domain(world, spec.name, spec.uuid, spec.vcpus, spec.memory_bytes)
    config = domain.config = Config(world.utc())
    made: list[Volume] = []
    try:
        if template is not None:
            _copy_drives(world, template, domain, made, linked=False)
        build(world, domain, spec, made)
        config.folder = f"/{spec.hints.get('fake.folder', '')}".rstrip("/") or None
        yield
        world.add(domain)
    except BaseException:
        _discard(made)
        raise
    return domain_info(world, domain)


def _clone(world: World, domain: FakeDomain, name: str, *, linked: bool) -> Work[DomainInfo]:
    old = world.config(domain)
    copy = _new_domain(world, name, None, domain.vcpus, domain.memory_bytes)
    config = copy.config = old.copy()
    config.created_at = world.utc()
    config.drives, config.adapters, config.autostart = [], [], False
    config.metadata = {key: value for key, value in old.metadata.items() if not key.startswith(RESERVED)}
    made: list[Volume] = []
    try:
        _copy_drives(world, domain, copy, made, linked=linked)
        for adapter in old.adapters:
            twin = adapter.copy()
            twin.mac = world.new_mac()
            twin.link_up = adapter.link_up or domain.blocked
            config.adapters.append(twin)
        yield
        world.add(copy)
    except BaseException:
        _discard(made)
        raise
    return domain_info(world, copy)


def _copy_drives(world: World, source: FakeDomain, copy: FakeDomain, made: list[Volume], *, linked: bool) -> None:
    """Give `copy` drives like those of `source`: disks copied or linked, media and shared disks as they are."""
    config = world.config(copy)
    for drive in world.config(source).drives:
        twin = drive.copy()
        volume = drive.volume
        if volume is not None and drive.device == "disk" and not drive.shareable:
            name = f"{copy.native_id}-{drive.id}.{volume.format}"
            twin.volume = volume.pool.copy(volume, name, linked=linked)
            made.append(twin.volume)
        config.drives.append(twin)
    config.devices = max(config.devices, world.config(source).devices)


def _discard(volumes: list[Volume]) -> None:
    for volume in volumes:
        volume.pool.volumes.pop(volume.id, None)


def _own_volumes(world: World, domain: FakeDomain) -> list[Volume]:
    """Return the volumes that its disks are on; an ISO image is nobody's own."""
    volumes = [drive.volume for drive in world.config(domain).drives if drive.device == "disk"]
    return [volume for volume in dict.fromkeys(volumes) if volume is not None and volume.format != "iso"]


def _delete(world: World, domain: FakeDomain, doomed: list[Volume]) -> Work[None]:
    world.set_state(domain, PowerState.CHANGING)
    try:
        yield
    except FakeError:
        world.set_state(domain, PowerState.SHUTOFF)
        raise
    domain.snapshots.clear()
    world.remove(domain)
    _discard(doomed)


def _world_behind(target: Driver) -> World | None:
    return target._world if isinstance(target, Connection) else None


def _obstacle(world: World, domain: FakeDomain, there: World, node: str | None, pool: str | None) -> str | None:
    """Return why a domain cannot move, in words."""
    if domain.blocked:
        return "it is fenced"
    if node is not None and node not in there.nodes:
        return f"there is no such node, only {', '.join(there.nodes)}"
    if pool is not None and not any(pool in (one.id, one.name) for one in there.pools.values()):
        return "there is no such storage pool"
    if there is world and node is None and pool is None:
        return "it is there already"
    if there is not world:
        return _obstacle_between(world, domain, there)
    return _shared_disk(world, domain) if pool is not None else None


def _obstacle_between(world: World, domain: FakeDomain, there: World) -> str | None:
    if any(other.uuid == domain.uuid for other in there.domains.values()):
        return f"the target has a domain with UUID {domain.uuid}"
    known = {network.name for network in there.networks}
    missing = {nic.network for nic in world.config(domain).adapters if nic.network is not None} - known
    if missing:
        return f"the target has no network {', '.join(sorted(missing))}"
    return _shared_disk(world, domain)


def _shared_disk(world: World, domain: FakeDomain) -> str | None:
    for drive in world.config(domain).drives:
        volume = drive.volume
        if volume is None or drive.device != "disk":
            continue
        holder = world.held(volume, but=domain)
        if drive.shareable or volume.backing is not None or holder is not None:
            return f"disk {volume.path} is shared or linked" + (f": {holder}" if holder else "")
    return None


def _migrate(world: World, domain: FakeDomain, there: World, node: str | None, pool: Pool | None) -> Work[str]:
    """Move a domain; its disks go to `pool`, or stay where they are without one."""
    state = domain.state
    world.set_state(domain, PowerState.CHANGING)
    try:
        yield
        moving = [] if pool is None else [v for v in _moving(world.config(domain), domain) if v.pool is not pool]
        if pool is not None:
            pool.need(sum(volume.allocated for volume in moving))
    except BaseException:
        world.set_state(domain, state)
        raise
    if pool is not None:
        for volume in moving:
            pool.adopt(volume)
    if there is world:
        domain.node = node or domain.node
        world.set_state(domain, state, EventKind.MIGRATED)
        return domain.native_id
    config = world.config(domain)
    run_seconds = domain.run_seconds
    world.remove(domain)
    for drive in config.drives:
        drive.volume = None if drive.device == "cdrom" else drive.volume
    domain.number = there.next_number()
    domain.native_id = f"vm-{domain.number}"
    domain.node = node or there.nodes[domain.number % len(there.nodes)]
    domain.up_at, domain.run_since, domain.run_seconds = there.now(), None, run_seconds
    there.domains[domain.native_id] = domain
    there.set_state(domain, state, EventKind.MIGRATED)
    return domain.native_id


def _moving(config: Config, domain: FakeDomain) -> list[Volume]:
    volumes = {drive.volume: None for drive in config.drives if drive.device == "disk" and drive.volume is not None}
    for snapshot in domain.snapshots:
        volumes.update(dict.fromkeys(snapshot.contents))
    return list(volumes)
