"""The control door's look into disks, and what it sets of checkpoints."""

from __future__ import annotations

import base64
from typing import Any

from hvsdk_simulators.hyperv import disks
from hvsdk_simulators.hyperv.actions import ActionError, action, find_vm
from hvsdk_simulators.hyperv.world import World

from .chains import file_at, parent_of

__all__: list[str] = []


@action("disk")
def _disk(world: World, *, path: str, offset: int = 0, length: int = 0, write: str = "") -> dict[str, Any]:
    """Write into a disk, as its guest would, or read it with all that it lies on; bytes are base64.

    `act("disk", path=…, offset=0, write="aGVsbG8=")`, `act("disk", path=…, offset=0, length=512)["data"]`; the answer
    has `parent` too.
    """
    file = file_at(world, path)
    if not file.exists():
        raise ActionError(f"there is no file {path}")
    with disks.open(file, bool(write)) as image:
        if write:
            image.write(offset, base64.b64decode(write))
        read = image.read(offset, length)
    return {"data": base64.b64encode(read).decode(), "parent": parent_of(world, path)}


@action("checkpoint-type")
def _checkpoint_type(world: World, *, vm: str, type: str) -> None:
    """Set of which kind checkpoints of a machine become: `act("checkpoint-type", vm=ID, type="Disabled")`."""
    find_vm(world, vm).hardware.checkpoint_type = type
