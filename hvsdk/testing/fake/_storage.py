"""Pools, volumes, and the content of disks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from hvsdk._deadline import Deadline
from hvsdk._driver.disk_io import DiskReader, DiskWriter
from hvsdk.testing.fake import _disks
from hvsdk.testing.fake._connection import Connection
from hvsdk.testing.fake._disks import BLOCK, Blocks, Pool, Volume
from hvsdk.testing.fake._errors import FakeError
from hvsdk.testing.fake._power import require

if TYPE_CHECKING:
    from hvsdk._driver.base import Result
    from hvsdk.models import Extent, StoragePoolInfo, VolumeInfo, VolumeSpec
    from hvsdk.testing.fake._tasks import Work
    from hvsdk.testing.fake._world import World

__all__ = ["FakeReader", "FakeWriter", "StorageVerbs"]


class StorageVerbs(Connection):
    """list_storage_pools, list_volumes, create_volume, delete_volume, open_volume, open_disk."""

    def list_storage_pools(self, *, deadline: Deadline) -> list[StoragePoolInfo]:
        """Return the pools."""
        with self.round_trip("list_storage_pools", deadline) as world:
            world.furnish_all()
            return [_shown_pool(pool) for pool in world.pools.values()]

    def list_volumes(self, pool_id: str, *, deadline: Deadline) -> list[VolumeInfo]:
        """Return a pool's volumes."""
        with self.round_trip("list_volumes", deadline) as world:
            world.furnish_all()
            return [_shown_volume(volume) for volume in world.pool(pool_id).volumes.values()]

    def create_volume(self, pool_id: str, spec: VolumeSpec, *, deadline: Deadline) -> Result[VolumeInfo]:
        """Make an empty volume."""
        with self.round_trip("create_volume", deadline) as world:
            world.furnish_all()
            volume = world.pool(pool_id).make(spec.name, spec.size_bytes, spec.format)

            def work() -> Work[VolumeInfo]:
                try:
                    yield
                except BaseException:
                    del volume.pool.volumes[volume.id]
                    raise
                return _shown_volume(volume)

            return self.carry_out("create_volume", None, work(), cancellable=True)

    def delete_volume(self, pool_id: str, volume_id: str, *, deadline: Deadline) -> None:
        """Remove a volume that nothing needs."""
        with self.round_trip("delete_volume", deadline) as world:
            volume = _unheld(world, pool_id, volume_id)
            del volume.pool.volumes[volume.id]

    def open_volume(self, pool_id: str, volume_id: str, *, deadline: Deadline) -> DiskWriter:
        """Open a volume that nothing needs, for writing."""
        with self.round_trip("open_volume", deadline) as world:
            return FakeWriter(self, _unheld(world, pool_id, volume_id))

    def open_disk(self, native_id: str, disk_id: str, *, snapshot_id: str | None, deadline: Deadline) -> DiskReader:
        """Open a disk at rest, or one of a snapshot, for reading."""
        with self.round_trip("open_disk", deadline, native_id) as world:
            domain = world.domain(native_id)
            if snapshot_id is None:
                require(domain, "open_disk")
                volume = world.config(domain).drive(disk_id).volume
                content = None if volume is None else (dict(volume.blocks), volume.size)
            else:
                snapshot = domain.snapshot(snapshot_id)
                assert snapshot.config is not None
                volume = snapshot.config.drive(disk_id).volume
                content = None if volume is None else snapshot.contents.get(volume)
            if content is None:
                raise FakeError("DISK_NOT_FOUND", f"drive {disk_id!r} of domain {domain.name!r} has no disk in it")
            return FakeReader(self, *content)


class FakeReader(DiskReader):
    """A disk as it was when it was opened. Each read is a round trip."""

    def __init__(self, connection: Connection, blocks: Blocks, size: int) -> None:
        self._connection = connection
        self._blocks = blocks
        self.size = size

    def extents(self) -> Iterator[Extent]:
        """Yield all of the disk: what is stored, and the holes between."""
        from hvsdk.models import Extent

        with self._connection.round_trip("extents", Deadline(self._connection.target.timeout)):
            at = 0
            for offset, length in _disks.extents(self._blocks, self.size):
                if offset > at:
                    yield Extent(offset=at, length=offset - at, zero=True)
                yield Extent(offset=offset, length=length)
                at = offset + length
            if at < self.size:
                yield Extent(offset=at, length=self.size - at, zero=True)

    def read(self, offset: int, length: int) -> bytes:
        with self._connection.round_trip("read", Deadline(self._connection.target.timeout)):
            _disks.check_range(self.size, offset, length)
            return _disks.read(self._blocks, self.size, offset, length)

    def close(self) -> None:
        self._blocks = {}


class FakeWriter(DiskWriter):
    """A volume that is being written: `flush` and `close` put it in place, `abort` leaves what was there before."""

    def __init__(self, connection: Connection, volume: Volume) -> None:
        self._connection = connection
        self._volume = volume
        self._before = dict(volume.blocks)
        self._blocks = dict(volume.blocks)
        self._open = True
        self.size = volume.size

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        with self._connection.round_trip("write", Deadline(self._connection.target.timeout)):
            content = bytes(data)
            _disks.check_range(self.size, offset, len(content))
            _disks.write(self._blocks, offset, content)
            if self._volume.format != "raw":
                self._volume.pool.need((len(self._blocks) - len(self._volume.blocks)) * BLOCK)

    def zero(self, offset: int, length: int) -> None:
        with self._connection.round_trip("zero", Deadline(self._connection.target.timeout)):
            _disks.check_range(self.size, offset, length)
            _disks.zero(self._blocks, offset, length)

    def flush(self) -> None:
        with self._connection.round_trip("flush", Deadline(self._connection.target.timeout)):
            self._volume.blocks = dict(self._blocks)

    def close(self) -> None:
        if self._open:
            self.flush()
            self._open = False

    def abort(self) -> None:
        if self._open:
            self._open = False
            self._volume.blocks = self._before


def _unheld(world: World, pool_id: str, volume_id: str) -> Volume:
    world.furnish_all()
    volume = world.pool(pool_id).volumes.get(volume_id)
    if volume is None:
        raise FakeError("VOLUME_NOT_FOUND", f"pool {pool_id!r} has no volume {volume_id!r}")
    holder = world.held(volume)
    if holder is not None:
        raise FakeError("VOLUME_IN_USE", f"volume {volume.path} cannot be taken: {holder}")
    return volume


def _shown_pool(pool: Pool) -> StoragePoolInfo:
    from hvsdk.models import StoragePoolInfo

    allocated = pool.allocated
    return StoragePoolInfo(
        id=pool.id,
        name=pool.name,
        type=pool.kind,
        active=True,
        capacity_bytes=pool.capacity,
        allocated_bytes=allocated,
        free_bytes=max(0, pool.capacity - allocated),
        path=pool.path,
    )


def _shown_volume(volume: Volume) -> VolumeInfo:
    from hvsdk.models import VolumeInfo

    return VolumeInfo(
        id=volume.id,
        name=volume.name,
        pool=volume.pool.id,
        capacity_bytes=volume.size,
        allocated_bytes=volume.allocated,
        format=volume.format,
        path=volume.path,
        backing=None if volume.backing is None else volume.backing.path,
    )
