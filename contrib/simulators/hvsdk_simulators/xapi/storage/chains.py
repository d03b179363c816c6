"""Chains of images: what a disk and its snapshots share is in hidden disks below them, which nobody manages."""

from hvsdk_simulators.xapi.database import Object
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.world import World

from .disk import Disk
from .space import remeasure

PARENT = "vhd-parent"
"""Key of `sm_config` with the UUID of the image below."""
_NAME = "base copy"


class Chains:
    """Which image stands on which, by UUIDs. A hidden image on which only one still stands is merged into that one."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._below: dict[str, str] = {}
        self._above: dict[str, set[str]] = {}

    def base_of(self, vdi: Object) -> Disk | None:
        """The content of the image that a disk stands on."""
        below = self._below.get(vdi["uuid"])
        return self._world.disks.get(below, vdi["virtual_size"]) if below is not None else None

    def split(self, vdi: Object, new: Object) -> None:
        """Let a disk and one that was just made from it stand on what they share."""
        below = self._below.get(vdi["uuid"])
        if below is None or self._written(vdi):
            below = self._hide(vdi, below)
        self._link(new["uuid"], below)
        for one in (vdi, new):
            remeasure(self._world, one)

    def drop(self, uuid: str) -> None:
        """An image is no more."""
        below = self._below.get(uuid)
        if below is None:
            return
        self._link(uuid, None)
        if len(self._above[below]) <= 1:
            self._merge(below)

    def show(self, vdi: Object) -> None:
        """Let a record name the image that the disk stands on."""
        below = self._below.get(vdi["uuid"])
        kept = {key: value for key, value in vdi["sm_config"].items() if key != PARENT}
        self._world.db.update(vdi, sm_config=kept | ({PARENT: below} if below is not None else {}))

    def _written(self, vdi: Object) -> bool:
        base = self.base_of(vdi)
        disk: Disk = self._world.storage.disk(vdi)
        return base is None or disk.bytes_above(base) > 0

    def _hide(self, vdi: Object, below: str | None) -> str:
        """Make the hidden disk that holds what a disk holds now."""
        world = self._world
        uuid = world.db.new_uuid()
        world.disks.put(uuid, world.storage.disk(vdi).fork())
        hidden = world.db.create(
            "VDI", uuid=uuid, SR=vdi["SR"], name_label=_NAME, virtual_size=vdi["virtual_size"], type=vdi["type"],
            location=uuid, managed=False, read_only=True,
        )  # fmt: skip
        self._link(vdi["uuid"], uuid)
        if below is not None:
            self._link(uuid, below)
        remeasure(world, hidden)
        return uuid

    def _link(self, uuid: str, below: str | None) -> None:
        """Let an image stand on another, or on none."""
        before = self._below.pop(uuid, None)
        if before is not None:
            self._above[before].discard(uuid)
        if below is not None:
            self._below[uuid] = below
            self._above.setdefault(below, set()).add(uuid)
        vdi = self._record(uuid)
        if vdi is not None:
            self.show(vdi)

    def _merge(self, uuid: str) -> None:
        """Merge a hidden image into the one that stands on it, or drop it when none does."""
        world = self._world
        below = self._below.get(uuid)
        for above in list(self._above[uuid]):
            self._link(above, below)
            vdi = self._record(above)
            if vdi is not None:
                remeasure(world, vdi)
        hidden = self._record(uuid)
        if hidden is not None:
            world.db.delete(hidden)
        world.disks.drop(uuid)
        del self._above[uuid]
        self.drop(uuid)

    def _record(self, uuid: str) -> Object | None:
        try:
            return self._world.db.find("VDI", uuid)
        except Failure:
            return None
