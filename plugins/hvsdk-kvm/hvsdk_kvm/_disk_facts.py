"""What a domain's XML does not tell of its disks: their sizes, and which volumes of an embedded driver they are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import libvirt
from hvsdk.driver import Disk

from hvsdk_kvm._embed_store import POOL, EmbedStore
from hvsdk_kvm._errors import is_lost

if TYPE_CHECKING:
    from hvsdk_kvm._session import Session

__all__ = ["block_stats", "with_facts"]

_NOWAIT = libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT


def block_stats(session: Session, domain: libvirt.virDomain) -> dict[str, Any]:
    """Return libvirt's figures of a domain's disks in one call; none where it has none, or the domain is busy."""
    if session.is_test:
        return {}
    try:
        rows = session.connection.domainListGetStats([domain], libvirt.VIR_DOMAIN_STATS_BLOCK, _NOWAIT)
    except libvirt.libvirtError as exc:
        if is_lost(exc):
            raise
        return {}
    return rows[0][1] if rows else {}


def with_facts(
    session: Session, disks: tuple[Disk, ...], stats: Mapping[str, Any], *, running: bool
) -> tuple[Disk, ...]:
    """Return the disks with what libvirt's figures tell of them. No I/O.

    Which volume a path is would be two calls for each disk behind a daemon, so only an embedded driver tells that.
    """
    if not disks or not (session.embedded or stats.get("block.count")):
        return disks
    positions = {stats.get(f"block.{n}.name"): n for n in range(stats.get("block.count", 0))}
    directory = EmbedStore.of(session).directory if session.embedded else None
    filled = []
    for disk in disks:
        block = f"block.{positions.get(disk.id)}"
        changes = {"capacity_bytes": stats.get(f"{block}.capacity")}
        if not running:  # QEMU tells of a running domain how far it has written, which is something else
            changes["allocated_bytes"] = stats.get(f"{block}.allocation")
        file = Path(disk.source) if disk.source is not None and disk.details.get("kvm.type") == "file" else None
        if file is not None and file.parent == directory:
            changes |= {"pool": POOL, "volume": file.name}
        filled.append(disk.replace(**changes))
    return tuple(filled)
