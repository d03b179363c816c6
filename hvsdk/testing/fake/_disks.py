"""Volumes with real, sparse content, the pools they lie in, and what is plugged into a domain."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hvsdk.testing.fake._errors import FakeError
from hvsdk.testing.fake._identity import mix

__all__ = ["BLOCK", "Adapter", "Blocks", "Drive", "Pool", "Volume", "differing", "extents", "read", "write", "zero"]

BLOCK = 65536
"""Content is kept in blocks of this size; those that read as zeros are not kept."""

Blocks = dict[int, bytes]
"""A disk's content: block number to 64 KiB. Copies share the blocks, which never change themselves."""


class Volume:
    """One volume. Which domains and volumes use it is found by looking, as products do, not kept here."""

    __slots__ = ("_blocks", "_seed", "backing", "format", "id", "name", "pool", "size")

    def __init__(self, pool: Pool, volume_id: str, name: str, size: int, format: str) -> None:
        self.pool: Pool = pool
        self.id: str = volume_id
        self.name: str = name
        self.size: int = size
        self.format: str = format
        self.backing: Volume | None = None
        self._blocks: Blocks = {}
        self._seed: int | None = None

    @property
    def blocks(self) -> Blocks:
        """Its content, which a seeded volume has from the moment when somebody looks."""
        if self._seed is not None:
            self._blocks = _seeded(self.path, self._seed, self.size)
            self._seed = None
        return self._blocks

    @blocks.setter
    def blocks(self, blocks: Blocks) -> None:
        self._blocks = blocks
        self._seed = None

    def seed(self, number: int) -> None:
        """Give it some content that follows from a number."""
        self._seed = number

    @property
    def path(self) -> str:
        """Where it is, as `DiskSpec.source` takes it."""
        return f"{self.pool.path}/{self.name}"

    @property
    def allocated(self) -> int:
        """Bytes that it takes of its pool: its own blocks, not those it shares with what it lies on."""
        if self.format == "raw":
            return self.size
        if self._seed is not None:
            return len(_places(self._seed, self.size)) * BLOCK
        if self.backing is None:
            return len(self.blocks) * BLOCK
        below = self.backing.blocks
        return sum(BLOCK for number, block in self.blocks.items() if below.get(number) is not block)


class Pool:
    """A place for volumes, of limited size."""

    def __init__(self, pool_id: str, name: str, capacity: int, kind: str = "dir") -> None:
        self.id = pool_id
        self.name = name
        self.capacity = capacity
        self.kind = kind
        self.path: str = f"/fake/{name}"
        self.volumes: dict[str, Volume] = {}
        self._last = 0

    @property
    def allocated(self) -> int:
        """Bytes in use."""
        return sum(volume.allocated for volume in self.volumes.values())

    def need(self, size: int) -> None:
        """Raise `NO_SPACE` unless `size` more bytes fit."""
        free = self.capacity - self.allocated
        if size > free:
            raise FakeError("NO_SPACE", f"pool {self.name!r} has {free} bytes left, {size} are needed")

    def make(self, name: str, size: int, format: str | None = None) -> Volume:
        """Make an empty volume; a sparse one takes no space yet, but must be able to fit."""
        format = format or "qcow2"
        if any(volume.name == name for volume in self.volumes.values()):
            raise FakeError("ALREADY_EXISTS", f"pool {self.name!r} has a volume {name!r}")
        if format not in ("qcow2", "raw", "iso"):
            raise FakeError("INVALID_PARAMETER", f"no volume format {format!r}; there are qcow2, raw and iso")
        if size > self.capacity:
            raise FakeError("NO_SPACE", f"{size} bytes never fit into pool {self.name!r}, which has {self.capacity}")
        if format == "raw":
            self.need(size)
        return self.put(name, size, format)

    def put(self, name: str, size: int, format: str) -> Volume:
        """Add a volume without asking whether it fits."""
        self._last += 1
        volume = Volume(self, f"vol-{self._last}", name, size, format)
        self.volumes[volume.id] = volume
        return volume

    def free_name(self, wanted: str) -> str:
        """Return `wanted`, or with a number behind it where that is taken."""
        taken = {volume.name for volume in self.volumes.values()}
        name, number = wanted, 1
        while name in taken:
            number += 1
            name = f"{wanted}-{number}"
        return name

    def adopt(self, volume: Volume) -> None:
        """Take over a volume that lay in another pool."""
        del volume.pool.volumes[volume.id]
        volume.name = self.free_name(volume.name)
        self._last += 1
        volume.pool, volume.id = self, f"vol-{self._last}"
        self.volumes[volume.id] = volume

    def copy(self, source: Volume, name: str, *, linked: bool = False, blocks: Blocks | None = None) -> Volume:
        """Make a volume with the content of another one; a linked one takes space only for what is written later."""
        format = "qcow2" if linked or source.format == "iso" else source.format
        content = source.blocks if blocks is None else blocks
        if not linked:
            self.need(source.size if format == "raw" else len(content) * BLOCK)
        volume = self.put(self.free_name(name), source.size, format)
        volume.blocks = dict(content)
        volume.backing = source if linked else None
        return volume

    def find(self, key: str) -> Volume | None:
        """Return the volume of that id, name or path."""
        for volume in self.volumes.values():
            if key in (volume.id, volume.name, volume.path):
                return volume
        return None


class Drive:
    """A disk or CD-ROM drive of a domain, with a volume in it or without."""

    __slots__ = ("boot_order", "bus", "device", "id", "readonly", "serial", "shareable", "volume")

    def __init__(self, drive_id: str, volume: Volume | None, *, device: str = "disk", bus: str = "virtio") -> None:
        self.id: str = drive_id
        self.volume: Volume | None = volume
        self.device: str = device
        self.bus: str = bus
        self.readonly: bool = device == "cdrom"
        self.shareable: bool = False
        self.boot_order: int | None = None
        self.serial: str | None = None

    def copy(self) -> Drive:
        """Return another drive of the same settings."""
        other = Drive(self.id, self.volume, device=self.device, bus=self.bus)
        other.readonly, other.shareable = self.readonly, self.shareable
        other.boot_order, other.serial = self.boot_order, self.serial
        return other


class Adapter:
    """A network adapter of a domain."""

    __slots__ = ("id", "link_up", "mac", "model", "mtu", "network", "vlan")

    def __init__(self, adapter_id: str, mac: str, network: str | None, model: str = "virtio") -> None:
        self.id: str = adapter_id
        self.mac: str = mac
        self.network: str | None = network
        self.model: str = model
        self.link_up: bool = True
        self.vlan: int | None = None
        self.mtu: int | None = None

    def copy(self) -> Adapter:
        """Return another adapter of the same settings, MAC included."""
        other = Adapter(self.id, self.mac, self.network, self.model)
        other.link_up, other.vlan, other.mtu = self.link_up, self.vlan, self.mtu
        return other


def _places(seed: int, size: int) -> set[int]:
    """Return the blocks that a seeded volume has: the first one, and a few more."""
    last = max(1, size // BLOCK)
    return {0, *(mix(seed + step) % last for step in range(1, 4))}


def _seeded(label: str, seed: int, size: int) -> Blocks:
    """Return a seeded volume's content: a boot sector that tells where it is from, and blocks of data."""
    blocks = {number: mix(seed * number).to_bytes(8, "big") * (BLOCK // 8) for number in _places(seed, size)}
    sector = f"fake boot sector of {label}".encode()[:510].ljust(510, b"\0") + b"\x55\xaa"
    blocks[0] = sector.ljust(BLOCK, b"\0")
    return blocks


def read(blocks: Blocks, size: int, offset: int, length: int) -> bytes:
    """Return bytes of a disk; what lies behind its end is not there."""
    end = min(offset + length, size)
    parts = []
    while offset < end:
        number, start = divmod(offset, BLOCK)
        stop = min(BLOCK, start + end - offset)
        block = blocks.get(number)
        parts.append(bytes(stop - start) if block is None else block[start:stop])
        offset += stop - start
    return b"".join(parts)


def write(blocks: Blocks, offset: int, data: bytes) -> None:
    """Write bytes; a block that becomes all zeros is given back."""
    done = 0
    while done < len(data):
        number, start = divmod(offset + done, BLOCK)
        part = data[done : done + BLOCK - start]
        if len(part) == BLOCK:
            block = part
        else:
            old = blocks.get(number) or bytes(BLOCK)
            block = old[:start] + part + old[start + len(part) :]
        if block.count(0) == BLOCK:
            blocks.pop(number, None)
        else:
            blocks[number] = block
        done += len(part)


def zero(blocks: Blocks, offset: int, length: int) -> None:
    """Make a range read as zeros."""
    first, last = -(-offset // BLOCK), (offset + length) // BLOCK
    if first >= last:
        write(blocks, offset, bytes(length))
        return
    write(blocks, offset, bytes(first * BLOCK - offset))
    write(blocks, last * BLOCK, bytes(offset + length - last * BLOCK))
    for number in [number for number in blocks if first <= number < last]:
        del blocks[number]


def extents(numbers: Iterable[int], size: int) -> Iterator[tuple[int, int]]:
    """Yield (offset, length) of the runs that these blocks form on a disk of `size` bytes."""
    start = end = -1
    for number in sorted(numbers):
        if number != end:
            if start >= 0:
                yield start * BLOCK, min(end * BLOCK, size) - start * BLOCK
            start = number
        end = number + 1
    if start >= 0:
        yield start * BLOCK, min(end * BLOCK, size) - start * BLOCK


def differing(one: Blocks, other: Blocks) -> set[int]:
    """Return the numbers of the blocks in which two contents differ."""
    return {number for number in one.keys() | other.keys() if one.get(number) != other.get(number)}


def check_range(size: int, offset: int, length: int) -> None:
    """Raise `INVALID_PARAMETER` unless the range lies on the disk."""
    if offset < 0 or length < 0 or offset + length > size:
        raise FakeError("INVALID_PARAMETER", f"{length} bytes at {offset} do not lie on a disk of {size} bytes")
