"""The control door's look into disks, and what it sets of checkpoints."""

from __future__ import annotations

import base64
from typing import Any
from uuid import UUID

from hvsdk_simulators.hyperv import disks
from hvsdk_simulators.hyperv.actions import ActionError, action
from hvsdk_simulators.hyperv.world import World

from .chains import file_at, parent_of

__all__: list[str] = []


@action("disk")
def _disk(world: World, arguments: dict[str, Any]) -> dict[str, Any]:
    """Write into a disk, as its guest would, or read it with all that it lies on; bytes are base64.

    `act("disk", path=…, offset=0, write="aGVsbG8=")`, `act("disk", path=…, offset=0, length=512)["data"]`; the answer
    has `parent` too.
    """
    path, offset = str(arguments["path"]), int(arguments.get("offset", 0))
    file = file_at(world, path)
    if not file.exists():
        raise ActionError(f"there is no file {path}")
    data = base64.b64decode(arguments["write"]) if arguments.get("write") else None
    with disks.open(file, data is not None) as image:
        if data is not None:
            image.write(offset, data)
        read = image.read(offset, int(arguments.get("length", 0)))
    return {"data": base64.b64encode(read).decode(), "parent": parent_of(world, path)}


@action("checkpoint-type")
def _checkpoint_type(world: World, arguments: dict[str, Any]) -> None:
    """Set of which kind checkpoints of a machine become: `act("checkpoint-type", vm=ID, type="Disabled")`."""
    vm = world.vms.get(UUID(str(arguments["vm"])))
    if vm is None:
        raise ActionError(f"there is no virtual machine {arguments['vm']}")
    vm.hardware.checkpoint_type = str(arguments["type"])
