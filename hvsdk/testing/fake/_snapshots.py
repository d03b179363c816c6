"""Snapshots: a tree for each domain, with disk content, settings, and memory where it was asked for."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from hvsdk.enums import PowerState
from hvsdk.testing.fake._connection import Connection
from hvsdk.testing.fake._disks import differing, extents
from hvsdk.testing.fake._domain import FakeDomain, Snapshot
from hvsdk.testing.fake._errors import FakeError
from hvsdk.testing.fake._power import require, require_tools, require_unfenced, switch_off, switch_on
from hvsdk.testing.fake._records import domain_info

if TYPE_CHECKING:
    from hvsdk._deadline import Deadline
    from hvsdk._driver.base import Result
    from hvsdk.models import DomainInfo, Extent, SnapshotInfo
    from hvsdk.testing.fake._disks import Volume
    from hvsdk.testing.fake._tasks import Work
    from hvsdk.testing.fake._world import World

__all__ = ["SnapshotVerbs", "take_snapshot"]


class SnapshotVerbs(Connection):
    """list, create, revert, delete, and what changed between two of them."""

    def list_snapshots(self, native_id: str, *, deadline: Deadline) -> list[SnapshotInfo]:
        """Return them, parents before children, since that is the order in which they were made."""
        with self.round_trip("list_snapshots", deadline, native_id) as world:
            domain = world.domain(native_id)
            return [_shown(domain, snapshot) for snapshot in domain.snapshots]

    def create_snapshot(
        self, native_id: str, name: str, *, memory: bool, quiesce: bool, description: str, deadline: Deadline
    ) -> Result[SnapshotInfo]:
        """Make exactly this kind, or refuse before anything changes."""
        with self.round_trip("create_snapshot", deadline, native_id) as world:
            domain = world.domain(native_id)
            require(domain, "create_snapshot")
            if memory and quiesce:
                raise FakeError("INVALID_PARAMETER", "a snapshot has memory or rests the file systems, not both")
            if (memory or quiesce) and domain.state is not PowerState.RUNNING:
                raise FakeError(
                    "BAD_POWER_STATE",
                    f"a snapshot with {'memory' if memory else 'resting file systems'} needs a running domain",
                    state=domain.state,
                )
            if quiesce:
                require_tools(world, domain)

            def work() -> Work[SnapshotInfo]:
                yield
                snapshot = take_snapshot(world, domain, name, at=world.utc())
                snapshot.description = description
                snapshot.quiesced = quiesce
                snapshot.memory = domain.memory if memory else None
                world.changed(domain)
                return _shown(domain, snapshot)

            return self.carry_out("create_snapshot", native_id, work(), cancellable=True)

    def revert_snapshot(self, native_id: str, snapshot_id: str, *, deadline: Deadline) -> Result[DomainInfo | None]:
        """Go back: settings and labels too, as several products do; the core puts the labels right again."""
        with self.round_trip("revert_snapshot", deadline, native_id) as world:
            domain = world.domain(native_id)
            require(domain, "revert_snapshot")
            require_unfenced(domain, "revert")
            snapshot = domain.snapshot(snapshot_id)
            _check_volumes(world, domain, snapshot)

            def work() -> Work[DomainInfo | None]:
                yield
                _revert(world, domain, snapshot)
                return domain_info(world, domain)

            return self.carry_out("revert_snapshot", native_id, work())

    def delete_snapshot(self, native_id: str, snapshot_id: str, *, children: bool, deadline: Deadline) -> Result[None]:
        """Remove it; what was made on it moves up to its parent, or goes with it."""
        with self.round_trip("delete_snapshot", deadline, native_id) as world:
            domain = world.domain(native_id)
            snapshot = domain.snapshot(snapshot_id)

            def work() -> Work[None]:
                yield
                gone = _descendants(domain, snapshot) if children else [snapshot]
                for other in domain.snapshots:
                    if other.parent == snapshot.id:
                        other.parent = snapshot.parent
                if domain.current in [one.id for one in gone]:
                    domain.current = snapshot.parent
                domain.snapshots = [one for one in domain.snapshots if one not in gone]
                world.changed(domain)

            return self.carry_out("delete_snapshot", native_id, work())

    def changed_blocks(
        self, native_id: str, disk_id: str, snapshot_id: str, since_id: str, *, deadline: Deadline
    ) -> list[Extent]:
        """Compare two snapshots' content of a disk."""
        from hvsdk.models import Extent

        with self.round_trip("changed_blocks", deadline, native_id) as world:
            domain = world.domain(native_id)
            volume, later = _content(domain, disk_id, snapshot_id)
            same_volume, earlier = _content(domain, disk_id, since_id)
            if same_volume is not volume:
                raise FakeError(
                    "INVALID_PARAMETER", f"disk {disk_id!r} was another volume at the time of one of the snapshots"
                )
            blocks, size = later
            found = differing(blocks, earlier[0])
            return [
                Extent(offset=offset, length=length, zero=zero)
                for zero, numbers in ((False, found & blocks.keys()), (True, found - blocks.keys()))
                for offset, length in extents(numbers, size)
            ]


def take_snapshot(world: World, domain: FakeDomain, name: str, *, at: datetime) -> Snapshot:
    """Add a snapshot of a domain as it is now, on the one its state was made on."""
    config = world.config(domain)
    snapshot = Snapshot(f"snap-{world.next_number()}", name, at)
    snapshot.parent = domain.current
    snapshot.domain_name = domain.name
    snapshot.vcpus, snapshot.memory_bytes = domain.vcpus, domain.memory_bytes
    snapshot.config = config.copy()
    volumes = [drive.volume for drive in config.drives if drive.device == "disk" and drive.volume is not None]
    snapshot.contents = {volume: (dict(volume.blocks), volume.size) for volume in volumes}
    domain.snapshots.append(snapshot)
    domain.current = snapshot.id
    return snapshot


def _revert(world: World, domain: FakeDomain, snapshot: Snapshot) -> None:
    assert snapshot.config is not None
    devices = world.config(domain).devices
    domain.config = snapshot.config.copy()
    domain.config.devices = max(devices, domain.config.devices)
    domain.name = snapshot.domain_name
    domain.vcpus, domain.memory_bytes = snapshot.vcpus, snapshot.memory_bytes
    for volume, (blocks, size) in snapshot.contents.items():
        volume.blocks, volume.size = dict(blocks), size
    domain.current = snapshot.id
    switch_off(world, domain)
    if snapshot.memory is not None:
        domain.live_vcpus, domain.live_memory = domain.vcpus, domain.memory_bytes
        domain.up_at, domain.started_at = world.now(), world.utc()
        domain.boot += 1
        switch_on(world, domain, memory=snapshot.memory)


def _check_volumes(world: World, domain: FakeDomain, snapshot: Snapshot) -> None:
    for volume in snapshot.contents:
        for other, drive in world.attached(volume):
            if other is not domain and not drive.shareable:
                raise FakeError(
                    "VOLUME_IN_USE", f"disk {volume.path} of the snapshot is attached to domain {other.name!r} now"
                )


def _content(domain: FakeDomain, disk_id: str, snapshot_id: str) -> tuple[Volume, tuple[dict[int, bytes], int]]:
    snapshot = domain.snapshot(snapshot_id)
    assert snapshot.config is not None
    volume = snapshot.config.drive(disk_id).volume
    if volume is None or volume not in snapshot.contents:
        raise FakeError("DISK_NOT_FOUND", f"snapshot {snapshot.name!r} does not hold disk {disk_id!r}")
    return volume, snapshot.contents[volume]


def _descendants(domain: FakeDomain, root: Snapshot) -> list[Snapshot]:
    found = [root]
    for snapshot in domain.snapshots:
        if snapshot.parent in [one.id for one in found]:
            found.append(snapshot)
    return found


def _shown(domain: FakeDomain, snapshot: Snapshot) -> SnapshotInfo:
    from hvsdk.models import SnapshotInfo

    return SnapshotInfo(
        id=snapshot.id,
        name=snapshot.name,
        created_at=snapshot.created_at,
        parent=snapshot.parent,
        is_current=snapshot.id == domain.current,
        has_memory=snapshot.memory is not None,
        quiesced=snapshot.quiesced,
        description=snapshot.description,
    )
