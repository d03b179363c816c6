"""Volumes for new disks: what a specification means is found out first, then made, and undone when it fails."""

from __future__ import annotations

import posixpath
from types import TracebackType
from typing import Self

import attrs
import libvirt
from hvsdk.driver import DiskSpec, StoragePoolInfo, VolumeInfo, errors

from hvsdk_kvm._store import SUFFIXES, Store, fresh_name

__all__ = ["DiskWish", "Making", "find_media", "known_format", "resolve_disk"]

_BY_SUFFIX = {suffix: "raw" if kind == "iso" else kind for kind, suffix in SUFFIXES.items()}


@attrs.frozen(kw_only=True)
class DiskWish:
    """A disk's specification with all that it names found."""

    spec: DiskSpec
    pool: StoragePoolInfo | None = None
    """Where a volume is to be made; `None` when nothing is."""
    source: VolumeInfo | None = None
    """What exists: to attach, or to copy where there is a pool."""
    format: str | None = None


def resolve_disk(store: Store, spec: DiskSpec) -> DiskWish:
    """Find the pool and the source of a disk. Nothing is made.

    Raises:
        InvalidSpecError: It contradicts itself or what is there.
        NotFoundError: The pool or the source is not there.
    """
    if spec.source is None:
        if spec.size_bytes is None:
            return DiskWish(spec=spec)
        if spec.device == "cdrom":
            raise errors.InvalidSpecError("a CD-ROM drive takes an image as its source, not a size")
        pool = store.pool(spec.pool)
        return DiskWish(spec=spec, pool=pool, format=spec.format or store.thin_format(pool))
    if spec.copy:
        return _resolve_copy(store, spec, spec.source)
    source = find_source(store, spec.source, spec.pool, spec.format)
    if spec.shareable and source.format not in ("raw", "iso"):
        raise errors.InvalidSpecError(f"only a raw volume can be shared; {spec.source!r} is {source.format}")
    return DiskWish(spec=spec, source=source, format=source.format)


def _resolve_copy(store: Store, spec: DiskSpec, name: str) -> DiskWish:
    source = _locate(store, name, spec.pool)
    if not source.pool and not store.sees_files:
        raise errors.InvalidSpecError(
            f"{name!r} lies in no storage pool of this host, so it cannot be copied", hint="put it into one"
        )
    source = known_format(source, None)
    if spec.size_bytes is not None and spec.size_bytes < (source.capacity_bytes or 0):
        raise errors.InvalidSpecError(
            f"a copy of {name!r} cannot have {spec.size_bytes} bytes: the source has {source.capacity_bytes}"
        )
    pool = store.pool(spec.pool)
    return DiskWish(spec=spec, pool=pool, source=source, format=spec.format or store.thin_format(pool))


def find_source(store: Store, source: str, pool: str | None, format: str | None) -> VolumeInfo:
    """Return the volume that a text names: a path, or a name in a pool.

    Raises:
        VolumeNotFoundError: It is not there, as far as this can be seen.
        InvalidSpecError: It lies in no pool, and its format is not plain.
    """
    return known_format(_locate(store, source, pool), format)


def _locate(store: Store, source: str, pool: str | None) -> VolumeInfo:
    if not source.startswith("/"):
        return store.volume(store.pool(pool).id, source)
    located = store.locate(source)
    if located is not None:
        return located
    beside = any(p.active and p.path == posixpath.dirname(source) for p in store.pools())
    if beside or store.sees_files:
        raise errors.VolumeNotFoundError(f"there is no volume {source!r}")
    return _unseen(source)


def known_format(volume: VolumeInfo, format: str | None) -> VolumeInfo:
    """Return a volume with the format that was asked for, else with its own.

    Raises:
        InvalidSpecError: Nothing tells it, or its first bytes and its name tell different ones: a guest can write the
            former on a raw disk.
    """
    named = _BY_SUFFIX.get(posixpath.splitext(volume.path or volume.name)[1])
    if format is None and named == "raw" and volume.format not in ("raw", "iso", None):
        raise errors.InvalidSpecError(
            f"{volume.path!r} is raw by its name, but begins like {volume.format}, as any guest could have written it",
            hint=f"say format='raw', or format={volume.format!r} if that is where it comes from",
        )
    format = format or volume.format
    if format is None:
        raise errors.InvalidSpecError(
            f"the format of {volume.path!r} is not known: it lies in no storage pool, and its name does not tell",
            hint="say format='raw' or format='qcow2', or give it a name that ends so",
        )
    return volume.replace(format=format)


def _unseen(path: str) -> VolumeInfo:
    device = path.startswith("/dev/")
    return VolumeInfo(
        id=path,
        name=posixpath.basename(path),
        pool="",
        format="raw" if device else _BY_SUFFIX.get(posixpath.splitext(path)[1]),
        path=path,
        details={"kvm.type": "block" if device else "file", "kvm.pool": ""},
    )


def find_media(store: Store, media: str) -> VolumeInfo:
    """Return the image that a text names: a path, `pool/volume`, or a volume in the default pool."""
    if media.startswith("/"):
        return find_source(store, media, None, "raw")
    pool, slash, name = media.partition("/")
    return find_source(store, name if slash else media, pool if slash else None, "raw")


class Making:
    """Makes volumes; leaving it with an exception removes them again."""

    def __init__(self, store: Store, domain: str) -> None:
        self._store = store
        self._domain = domain
        self._made: list[VolumeInfo] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        if exc is None:
            return
        for volume in reversed(self._made):
            try:
                self._store.delete(volume)
            except (libvirt.libvirtError, errors.HvsdkError, OSError) as second:
                exc.add_note(f"the volume {volume.path or volume.id} that was made could not be removed: {second}")

    def volume(self, wish: DiskWish, target: str) -> VolumeInfo | None:
        """Return the volume of a disk, which is made when it is to be."""
        if wish.pool is None:
            return wish.source
        name = fresh_name(self._domain, target, wish.format or "raw")
        if wish.source is None:
            made = self._store.create(wish.pool, name, wish.spec.size_bytes or 0, wish.format)
            self._made.append(made)
            return made
        made = self._store.copy(wish.source, wish.pool, name, wish.format)
        self._made.append(made)
        if wish.spec.size_bytes is not None and wish.spec.size_bytes > (made.capacity_bytes or 0):
            self._store.resize(made, wish.spec.size_bytes)
        return made

    def upload(self, pool: StoragePoolInfo, name: str, data: bytes) -> VolumeInfo:
        """Make a raw volume with this content."""
        made = self._store.upload(pool, name, data)
        self._made.append(made)
        return made
