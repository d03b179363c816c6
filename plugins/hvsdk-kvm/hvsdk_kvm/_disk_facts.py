"""What a domain's XML does not tell of its disks: their sizes, and which volumes they are."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import libvirt
from hvsdk.driver import Deadline, Disk

from hvsdk_kvm._embed_store import POOL, EmbedStore
from hvsdk_kvm._errors import is_lost
from hvsdk_kvm._parallel import in_parallel

if TYPE_CHECKING:
    from hvsdk_kvm._session import Session

__all__ = ["with_facts"]

_NOWAIT = libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT
_IN_FLIGHT = 5
"""A daemon answers so many requests of one connection at once."""

Sizes = dict[str, dict[str, int]]
Places = dict[str, tuple[str, str]]
"""Ids of pool and volume by path."""


def with_facts(
    session: Session, domain: libvirt.virDomain, disks: tuple[Disk, ...], *, running: bool, deadline: Deadline
) -> tuple[Disk, ...]:
    """Return the disks with sizes, pools and volumes, as far as libvirt tells them without waiting for the domain.

    One call for all sizes, and behind a daemon two for each disk's volume.
    """
    if session.is_test or not any(disk.source for disk in disks):
        return disks
    sizes = _sizes(session, domain)
    paths = [path for path in map(_path, disks) if path is not None]
    places = _places_here(session, paths) if session.embedded else _places(session, paths, deadline)
    return tuple(_filled(disk, sizes, places, running=running, here=session.embedded) for disk in disks)


def _filled(disk: Disk, sizes: Sizes, places: Places, *, running: bool, here: bool) -> Disk:
    size = sizes.get(disk.id, {})
    # Of one that runs QEMU tells how far it was written, which is something else.
    allocated = None if running else size.get("allocation")
    path = _path(disk)
    if here and path is not None:
        allocated = _blocks(path)
    pool, volume = places.get(path or "", (disk.pool, disk.volume))
    return disk.replace(capacity_bytes=size.get("capacity"), allocated_bytes=allocated, pool=pool, volume=volume)


def _path(disk: Disk) -> str | None:
    """Return the path of a disk in a file or device; other sources may look like one."""
    return disk.source if disk.details.get("kvm.type") in ("file", "block") else None


def _sizes(session: Session, domain: libvirt.virDomain) -> Sizes:
    """Return libvirt's figures of each disk by its id; there may be none, as of a domain that is busy."""
    try:
        rows = session.connection.domainListGetStats([domain], libvirt.VIR_DOMAIN_STATS_BLOCK, _NOWAIT)
    except libvirt.libvirtError as exc:
        if is_lost(exc):
            raise
        return {}
    stats = rows[0][1] if rows else {}
    found: Sizes = {}
    for position in range(stats.get("block.count", 0)):
        sizes = {name: stats.get(f"block.{position}.{name}") for name in ("capacity", "allocation")}
        key = stats.get(f"block.{position}.name", "")
        found[key] = {name: size for name, size in sizes.items() if isinstance(size, int)}
    return found


def _places_here(session: Session, paths: Iterable[str]) -> Places:
    directory = EmbedStore.of(session).directory
    return {path: (POOL, file.name) for path in paths if (file := Path(path)).parent == directory}


def _places(session: Session, paths: Iterable[str], deadline: Deadline) -> Places:
    connection = session.connection

    def look_up(path: str) -> tuple[str, str] | None:
        try:
            volume = connection.storageVolLookupByPath(path)
            return volume.storagePoolLookupByVolume().UUIDString(), volume.name()
        except libvirt.libvirtError as exc:
            if is_lost(exc):
                raise
            return None  # in no active pool, or there is no storage driver

    found = in_parallel(look_up, dict.fromkeys(paths), width=_IN_FLIGHT, deadline=deadline)
    return {path: place for path, place in found.items() if place is not None}


def _blocks(path: str) -> int | None:
    try:
        return os.stat(path).st_blocks * 512
    except OSError:
        return None
