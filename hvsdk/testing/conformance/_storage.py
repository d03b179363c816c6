"""Storage pools, volumes and what is on disks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import pytest

from hvsdk import errors
from hvsdk.capability import Capability
from hvsdk.enums import PowerState
from hvsdk.models import DiskSpec
from hvsdk.testing.conformance._fixtures import Kit, MakeDomain, Reach
from hvsdk.testing.conformance._helpers import Names, needs, stands_in

if TYPE_CHECKING:
    from hvsdk._disk_io import DiskReader
    from hvsdk._domain import Domain
    from hvsdk._host import Host
    from hvsdk._storage import StoragePool, Volume

__all__ = ["DiskContent", "Pools"]

MIB: Final = 1 << 20
PIECES: Final = {0: b"first sector".ljust(512, b"\xa5"), MIB + 7: bytes(range(256)) * 300, 4 * MIB - 3: b"end"}
"""What the kit writes to a volume of 4 MiB: at its ends, and over the border of blocks of any size."""


def fill(volume: Volume) -> None:
    """Write the kit's pieces."""
    with volume.open_writer() as writer:
        for offset, data in PIECES.items():
            writer.write(offset, data)


def expected(size: int = 4 * MIB) -> bytes:
    """Return the volume's content."""
    content = bytearray(size)
    for offset, data in PIECES.items():
        content[offset : offset + len(data)] = data
    return bytes(content)


def same(found: bytes, wanted: bytes | bytearray) -> None:
    """Fail where two contents differ, naming the first place: pytest's own comparison takes minutes for megabytes."""
    if found != wanted:
        at = next((n for n, (one, other) in enumerate(zip(found, wanted, strict=False)) if one != other), None)
        where = f"they have {len(found)} and {len(wanted)} bytes" if at is None else f"the first difference is at {at}"
        pytest.fail(f"what was read is not what was written: {where}")


def whole(reader: DiskReader) -> bytes:
    """Read a disk in order."""
    return b"".join(reader.read(at, min(MIB, reader.size - at)) for at in range(0, reader.size, MIB))


class Pools(Kit):
    """Places for volumes."""

    def test_a_pool_is_found_by_id_and_name(self, host: Host, pool: StoragePool) -> None:
        assert host.storage_pool(pool.id) == pool
        assert host.storage_pool(pool.name) == pool
        assert pool.refresh().id == pool.id

    def test_a_pool_that_is_not_there_is_not_found(self, host: Host, names: Names) -> None:
        needs(host, Capability.LIST_STORAGE_POOLS)
        with pytest.raises(errors.StoragePoolNotFoundError):
            host.storage_pool(names("no-pool"))

    def test_the_sizes_of_a_pool_add_up(self, pool: StoragePool) -> None:
        info = pool.info
        if info.capacity_bytes is not None and info.free_bytes is not None:
            assert 0 <= info.free_bytes <= info.capacity_bytes
        assert info.allocated_bytes is None or info.allocated_bytes >= 0

    def test_a_volume_is_made_and_found(self, host: Host, make_volume: Callable[..., Volume], names: Names) -> None:
        needs(host, Capability.LIST_VOLUMES, Capability.CREATE_VOLUME)
        volume = make_volume(size="8MiB")
        assert volume.capacity_bytes == 8 * MIB
        keys = [volume.id, volume.name, *([volume.path] if volume.path else [])]
        for key in keys:
            found = volume.pool.volume(key)
            assert found == volume
            assert found.capacity_bytes == 8 * MIB
        assert volume.info.pool == volume.pool.id
        assert volume.backing is None

    def test_a_volume_that_is_not_there_is_not_found(self, host: Host, pool: StoragePool, names: Names) -> None:
        needs(host, Capability.LIST_VOLUMES)
        with pytest.raises(errors.VolumeNotFoundError):
            pool.volume(names("no-volume"))

    def test_a_name_of_a_volume_is_not_given_twice(
        self, host: Host, make_volume: Callable[..., Volume], pool: StoragePool
    ) -> None:
        needs(host, Capability.LIST_VOLUMES)
        volume = make_volume("twin")
        try:
            twin = make_volume("twin")
        except errors.AlreadyExistsError:
            return
        assert twin.id != volume.id
        with pytest.raises(errors.AmbiguousNameError):
            pool.volume(volume.name)

    def test_a_deleted_volume_is_gone(self, host: Host, make_volume: Callable[..., Volume]) -> None:
        needs(host, Capability.LIST_VOLUMES, Capability.DELETE_VOLUME)
        volume = make_volume()
        volume.delete()
        assert volume.id not in [item.id for item in volume.pool.volumes()]
        with pytest.raises(errors.VolumeNotFoundError):
            volume.delete()

    def test_a_volume_in_use_is_not_deleted(
        self, host: Host, make_volume: Callable[..., Volume], make_domain: MakeDomain
    ) -> None:
        needs(host, Capability.LIST_VOLUMES, Capability.DELETE_VOLUME, Capability.ATTACH_DISK)
        volume = make_volume()
        make_domain(disks=[DiskSpec(source=volume.name, pool=volume.pool.name, format=volume.format)])
        with pytest.raises(errors.BusyError):
            volume.delete()
        assert volume.id in [item.id for item in volume.pool.volumes()]


class DiskContent(Kit):
    """Bytes in, the same bytes out."""

    @pytest.fixture
    def filled(self, host: Host, make_volume: Callable[..., Volume], make_domain: MakeDomain) -> Domain:
        """Return a domain whose only disk holds the kit's pieces."""
        needs(host, Capability.OPEN_VOLUME, Capability.OPEN_DISK, Capability.ATTACH_DISK)
        volume = make_volume()
        fill(volume)
        return make_domain(disks=[DiskSpec(source=volume.name, pool=volume.pool.name, format=volume.format)])

    def test_what_was_written_is_read(self, filled: Domain) -> None:
        with filled.open_disk(filled.info.disks[0]) as reader:
            assert reader.size == 4 * MIB
            same(whole(reader), expected())

    def test_a_disk_is_read_at_any_place(self, host: Host, filled: Domain) -> None:
        needs(host, Capability.DISK_RANDOM_READ)
        content = expected()
        with filled.open_disk(filled.info.disks[0]) as reader:
            for offset, length in ((4 * MIB - 5, 5), (MIB, 4096), (0, 512), (MIB + 100, 3), (7, 0)):
                same(reader.read(offset, length), content[offset : offset + length])

    def test_a_disk_that_is_read_in_order_says_so(self, host: Host, filled: Domain) -> None:
        if host.supports(Capability.DISK_RANDOM_READ):
            pytest.skip("disks are read at any place")
        with filled.open_disk(filled.info.disks[0]) as reader:
            reader.read(0, 4096)
            with pytest.raises(errors.UnsupportedError):
                reader.read(0, 512)

    def test_extents_cover_the_disk_exactly(self, filled: Domain) -> None:
        content = expected()
        with filled.open_disk(filled.info.disks[0]) as reader:
            position = 0
            for extent in reader.extents():
                assert extent.offset == position, "extents leave a gap or overlap"
                assert extent.length > 0
                position += extent.length
                if extent.zero:
                    part = content[extent.offset : position]
                    assert part.count(0) == len(part), "what is told to be zeros holds data"
            assert position == reader.size

    def test_no_byte_beyond_the_end_is_read(self, filled: Domain) -> None:
        with filled.open_disk(filled.info.disks[0]) as reader:
            for offset, length in ((4 * MIB - 1, 2), (-1, 1), (4 * MIB + 1, 0)):
                with pytest.raises(errors.InvalidSpecError):
                    reader.read(offset, length)

    def test_a_closed_disk_is_not_read(self, filled: Domain) -> None:
        reader = filled.open_disk(filled.info.disks[0])
        reader.close()
        reader.close()
        with pytest.raises(errors.HvsdkError):
            reader.read(0, 512)

    def test_a_disk_of_a_running_domain_is_not_opened(self, filled: Domain, reach: Reach) -> None:
        disk = filled.info.disks[0]
        reach(filled, PowerState.RUNNING)
        assert filled.why_not("open_disk")
        with pytest.raises(errors.PowerStateError):
            filled.open_disk(disk)

    def test_a_disk_of_a_suspended_domain_is_opened(self, host: Host, filled: Domain, reach: Reach) -> None:
        reach(filled, PowerState.SUSPENDED)
        with filled.open_disk(filled.info.disks[0]) as reader:
            assert reader.size == 4 * MIB
        assert stands_in(filled).power_state is PowerState.SUSPENDED

    def test_a_disk_is_read_as_a_snapshot_holds_it(self, host: Host, filled: Domain, names: Names) -> None:
        needs(host, Capability.DISK_READ_SNAPSHOT, Capability.CREATE_SNAPSHOT)
        snapshot = filled.create_snapshot(names("held"))
        for named in (snapshot, snapshot.id, snapshot.name):
            with filled.open_disk(filled.info.disks[0], snapshot=named) as reader:
                same(whole(reader), expected())
        with pytest.raises(errors.SnapshotNotFoundError):
            filled.open_disk(filled.info.disks[0], snapshot=names("no-such-snapshot"))

    def test_a_disk_that_is_not_there_is_not_opened(self, filled: Domain) -> None:
        with pytest.raises(errors.DiskNotFoundError):
            filled.open_disk("no-such-disk")

    def test_zeroed_ranges_read_as_zeros(
        self, host: Host, make_volume: Callable[..., Volume], make_domain: MakeDomain
    ) -> None:
        needs(host, Capability.OPEN_VOLUME, Capability.OPEN_DISK, Capability.ATTACH_DISK)
        volume = make_volume()
        fill(volume)
        with volume.open_writer() as writer:
            assert writer.size == 4 * MIB
            writer.zero(MIB, 2 * MIB)
            writer.zero(5, 7)
            writer.flush()
        content = bytearray(expected())
        content[MIB : 3 * MIB] = bytes(2 * MIB)
        content[5:12] = bytes(7)
        domain = make_domain(disks=[DiskSpec(source=volume.name, pool=volume.pool.name, format=volume.format)])
        with domain.open_disk(domain.info.disks[0]) as reader:
            same(whole(reader), content)

    def test_a_copied_disk_holds_the_same(
        self, host: Host, make_volume: Callable[..., Volume], make_domain: MakeDomain
    ) -> None:
        needs(host, Capability.OPEN_VOLUME, Capability.OPEN_DISK, Capability.ATTACH_DISK)
        volume = make_volume()
        fill(volume)
        spec = DiskSpec(source=volume.name, pool=volume.pool.name, copy=True, size="8MiB")
        domain = make_domain(disks=[spec])
        with domain.open_disk(domain.info.disks[0]) as reader:
            assert reader.size == 8 * MIB
            same(whole(reader), expected(8 * MIB))

    def test_a_writer_stays_within_the_volume(self, host: Host, make_volume: Callable[..., Volume]) -> None:
        needs(host, Capability.OPEN_VOLUME)
        with make_volume().open_writer() as writer:
            for offset, data in ((4 * MIB, b"x"), (4 * MIB - 1, b"xx"), (-1, b"x")):
                with pytest.raises(errors.InvalidSpecError):
                    writer.write(offset, data)

    def test_a_writer_ends_once(self, host: Host, make_volume: Callable[..., Volume]) -> None:
        needs(host, Capability.OPEN_VOLUME)
        volume = make_volume()
        writer = volume.open_writer()
        writer.write(0, b"x")
        writer.close()
        writer.close()
        writer.abort()
        with pytest.raises(errors.HvsdkError):
            writer.write(0, b"y")
        aborted = volume.open_writer()
        aborted.abort()
        aborted.abort()
        volume.open_writer().close()

    def test_a_volume_in_use_is_not_written(
        self, host: Host, filled: Domain, make_volume: Callable[..., Volume], reach: Reach
    ) -> None:
        reach(filled, PowerState.RUNNING)
        volume = next(volume for pool in host.storage_pools() for volume in pool.volumes() if is_disk(volume, filled))
        with pytest.raises(errors.HvsdkError):
            volume.open_writer().close()


def is_disk(volume: Volume, domain: Domain) -> bool:
    """Return whether a volume is a domain's first disk."""
    disk = domain.info.disks[0]
    return volume.path == disk.source if disk.source else volume.id == disk.volume
