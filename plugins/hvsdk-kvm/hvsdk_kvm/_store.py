"""Volumes in pools, wherever they are: libvirt's storage driver, or a directory where there is none."""

from __future__ import annotations

import posixpath
import re
import secrets
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from hvsdk.driver import StoragePoolInfo, VolumeInfo, errors

if TYPE_CHECKING:
    from hvsdk_kvm._session import Session

__all__ = ["SUFFIXES", "Store", "check_volume_name", "fresh_name", "lies_on", "store_of"]

SUFFIXES = {"qcow2": ".qcow2", "raw": ".raw", "iso": ".iso"}
"""How names of volumes end that are made here."""


_FLAT = frozenset({"raw", "iso"})


class Store(ABC):
    """Pools and their volumes. Ids of volumes are their names.

    `VolumeInfo.details` has `kvm.type` (`file block network`, as a disk's source names it), `kvm.pool`, the pool's name,
    and `kvm.backing_format`, where the volume tells the format of what it lies on.
    """

    sees_files: ClassVar[bool] = False
    """Whether files outside of all pools can be seen and read."""

    @abstractmethod
    def pools(self) -> list[StoragePoolInfo]:
        """Return all pools."""

    @abstractmethod
    def pool(self, key: str | None) -> StoragePoolInfo:
        """Return a pool by id or name, or the default one without a key.

        Raises:
            StoragePoolNotFoundError: There is none.
            InvalidSpecError: No key was given, and it is not plain which pool is meant.
        """

    @abstractmethod
    def volumes(self, pool_id: str) -> list[VolumeInfo]:
        """Return the volumes of a pool."""

    @abstractmethod
    def volume(self, pool_id: str, volume_id: str) -> VolumeInfo:
        """Return one volume, or raise `VolumeNotFoundError`."""

    @abstractmethod
    def locate(self, path: str) -> VolumeInfo | None:
        """Return the volume at a path. Its `pool` is empty for a file in none; `None` when it cannot be seen at all."""

    @abstractmethod
    def thin_format(self, pool: StoragePoolInfo) -> str:
        """Return the format that new volumes have where nobody asked for one."""

    @abstractmethod
    def create(self, pool: StoragePoolInfo, name: str, size_bytes: int, format: str | None) -> VolumeInfo:
        """Make an empty volume."""

    @abstractmethod
    def copy(self, source: VolumeInfo, pool: StoragePoolInfo, name: str, format: str | None) -> VolumeInfo:
        """Make a full copy, with nothing below it; nothing is left when it fails."""

    @abstractmethod
    def overlay(self, base: VolumeInfo, pool: StoragePoolInfo, name: str) -> VolumeInfo:
        """Make an empty qcow2 volume that lies on `base`, of the same size."""

    @abstractmethod
    def upload(self, pool: StoragePoolInfo, name: str, data: bytes) -> VolumeInfo:
        """Make a raw volume with this content; nothing is left when it fails."""

    @abstractmethod
    def resize(self, volume: VolumeInfo, size_bytes: int) -> None:
        """Grow a volume that no running domain uses."""

    @abstractmethod
    def delete(self, volume: VolumeInfo) -> None:
        """Remove a volume, whoever uses it; see `Usage` in `_usage.py`."""

    def same(self, path: str) -> str:
        """Return one spelling of a path for all the ways to write it, as far as they can be told apart from here."""
        return posixpath.normpath("/" + path.lstrip("/"))

    def chain(self, path: str) -> Iterable[VolumeInfo]:
        """Return the volume at a path and those below it, as far as they can be seen, the uppermost first."""
        volume = self.locate(path)
        if volume is not None:
            yield volume
            yield from self.below(volume)

    def below(self, volume: VolumeInfo) -> Iterable[VolumeInfo]:
        """Return what a volume lies on, as far as it can be seen, with the formats that the volumes above tell.

        A raw volume lies on nothing, whatever a guest has written to its beginning.
        """
        seen = {volume.path}
        while (path := lies_on(volume)) is not None and path not in seen:
            seen.add(path)
            lower = self.locate(path)
            if lower is None:
                return
            volume = lower.replace(format=volume.details.get("kvm.backing_format") or lower.format)
            yield volume

    def lying_on(self, path: str) -> list[VolumeInfo]:
        """Return the volumes in active pools that have this one directly below them."""
        active = [pool.id for pool in self.pools() if pool.active]
        volumes = (volume for pool in active for volume in self.volumes(pool))
        wanted = self.same(path)
        return [volume for volume in volumes if volume.backing is not None and self.same(volume.backing) == wanted]


def store_of(session: Session) -> Store:
    """Return the store of a connection: its storage driver, or the stand-in for an embedded one."""
    if session.embedded:
        from hvsdk_kvm._embed_store import EmbedStore

        return EmbedStore.of(session)
    from hvsdk_kvm._pool_store import PoolStore

    return PoolStore(session)


def lies_on(volume: VolumeInfo) -> str | None:
    """Return the path that a volume of its format lies on, if it can lie on any."""
    return None if volume.format in _FLAT else volume.backing


def fresh_name(domain: str, part: str, format: str) -> str:
    """Return a name for a volume that is taken by no other: the domain's, as far as file names allow, and `part`."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", domain).strip("._-")[:60] or "domain"
    return f"{plain}-{part}-{secrets.token_hex(4)}{SUFFIXES.get(format, '')}"


def check_volume_name(name: str) -> str:
    """Return `name` if a volume can have it.

    Raises:
        InvalidSpecError: It holds a slash or control character, or is longer than a file name can be.
    """
    if "/" in name or re.search(r"[\x00-\x1f\x7f\ud800-\udfff]", name) or name in (".", ".."):
        raise errors.InvalidSpecError(f"a volume cannot be named {name!r}", hint="no '/', no control characters")
    if len(name.encode()) > 240:
        raise errors.InvalidSpecError(f"a volume's name has at most 240 bytes; {name!r} has {len(name.encode())}")
    return name
