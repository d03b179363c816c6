"""What the control door can do with disks: write to them as a guest does, and tell what they hold."""

import base64
from collections import Counter
from typing import Any

from hvsdk_simulators.xapi.actions import action
from hvsdk_simulators.xapi.world import World

from .space import remeasure


@action("disk")
def disk(world: World, vdi: str, *, write: str = "", offset: int = 0, digest: bool = True) -> dict[str, Any]:
    """Write to a disk if asked to, and tell of it.

    Args:
        world: The pool.
        vdi: UUID of the disk.
        write: Bytes in base 64, written as a guest would.
        offset: Where they are written.
        digest: Also tell the SHA-256 of the whole content.
    """
    found = world.db.find("VDI", vdi)
    content = world.storage.disk(found)
    if write:
        content.write(offset, base64.b64decode(write, validate=True))
        remeasure(world, found)
    told = {"virtual_size": content.size, "written_bytes": content.written_bytes, "cbt_enabled": found["cbt_enabled"]}
    return told | ({"sha256": content.sha256()} if digest else {})


@action("hang-up-nbd")
def hang_up_nbd(world: World) -> int:
    """Cut all connections of NBD clients, and return how many there were."""
    return sum(server.hang_up() for server in world.storage.nbd_servers.values())


@action("vdis")
def vdis(world: World) -> dict[str, Any]:
    """Tell which disks there are: how many, of which types, and the UUIDs of those that no drive has."""
    known = [vdi for vdi in world.db.all("VDI") if vdi["managed"]]
    return {
        "count": len(known),
        "types": dict(Counter(vdi["type"] for vdi in known)),
        "snapshots": sum(vdi["is_a_snapshot"] for vdi in known),
        "without_drive": sorted(vdi["uuid"] for vdi in known if not vdi["VBDs"] and vdi["type"] in ("user", "system")),
        "hidden": world.db.count("VDI") - len(known),
        "contents": len(world.disks),
    }
