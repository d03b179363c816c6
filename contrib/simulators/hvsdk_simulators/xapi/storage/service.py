"""What other parts of the server do with disks: make, clone, copy and destroy them. The world is locked."""

from typing import Any

from hvsdk_simulators.xapi.database import Object
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.schema import EPOCH, NULL
from hvsdk_simulators.xapi.world import World

from .chains import Chains
from .connections import assert_attached
from .disk import Disk, DiskStore
from .drivers import driver_of
from .forgotten import Forgotten
from .readers import Readers
from .space import assert_room, estimate, remeasure, rounded
from .tracking import Tracker

_KEPT_BY_COPIES = "name_label name_description virtual_size type sharable read_only xenstore_data sm_config tags"


class Storage:
    """The storage of a pool, `world.storage`."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.tracker = Tracker()
        self.readers = Readers(world)
        self.forgotten = Forgotten(world)
        self.chains = Chains(world)
        self.nbd_servers: dict[str, Any] = {}
        """What serves disks by NBD, by reference of the host."""

    def disk(self, vdi: Object) -> Disk:
        """The content of a VDI."""
        disk: Disk = self.world.disks.get(vdi["uuid"], vdi["virtual_size"])
        return disk

    def create_vdi(self, sr: Object, size: int, *, type: str = "user", name: str = "", **fields: Any) -> Object:
        """Make an empty disk.

        Raises:
            Failure: The SR is not plugged, cannot make disks, or is full.
        """
        assert_attached(self.world, sr)
        if not driver_of(sr).can("VDI_CREATE"):
            raise Failure("SR_OPERATION_NOT_SUPPORTED", sr.ref)
        size = rounded(size)
        assert_room(self.world, sr, size)
        return self._record(sr, size, type=type, name_label=name, **fields)

    def clone_vdi(self, vdi: Object, *, snapshot: bool) -> Object:
        """Make a disk beside another that shares what is written so far.

        Args:
            vdi: The disk.
            snapshot: The new one is its snapshot, not a disk of its own.
        """
        sr = self.world.db.get("SR", vdi["SR"])
        assert_attached(self.world, sr)
        if not driver_of(sr).can("VDI_SNAPSHOT" if snapshot else "VDI_CLONE"):
            raise Failure("SR_OPERATION_NOT_SUPPORTED", sr.ref)
        assert_room(self.world, sr, estimate(sr, vdi["virtual_size"], 0, leaf=not snapshot))
        fields = self._inherited(vdi) | {"other_config": dict(vdi["other_config"])}
        if snapshot:
            fields |= {"is_a_snapshot": True, "snapshot_of": vdi.ref, "snapshot_time": self.world.now()}
            fields["cbt_enabled"] = vdi["cbt_enabled"]
        new = self._record(sr, vdi["virtual_size"], **fields)
        self._share(vdi, new, tracked=snapshot)
        self.chains.split(vdi, new)
        return new

    def copy_vdi(self, vdi: Object, sr: Object) -> Object:
        """Make a disk of its own with the same content, in any SR."""
        assert_attached(self.world, sr)
        if not driver_of(sr).can("VDI_CREATE"):
            raise Failure("SR_OPERATION_NOT_SUPPORTED", sr.ref)
        assert_room(self.world, sr, estimate(sr, vdi["virtual_size"], self.disk(vdi).written_bytes))
        fields = self._inherited(vdi) | {"other_config": dict(vdi["other_config"]), "sm_config": {}}
        new = self._record(sr, vdi["virtual_size"], **fields)
        self._share(vdi, new, tracked=False)
        return new

    def destroy_vdi(self, vdi: Object) -> None:
        """Destroy a disk, the drives that hold it with it. Nothing is asked: callers have checked."""
        for ref in list(vdi["VBDs"]):
            vbd = self.world.db.lookup("VBD", ref)
            if vbd is not None:
                self.world.db.delete(vbd)
        for ref in list(vdi["snapshots"]):
            snapshot = self.world.db.lookup("VDI", ref)
            if snapshot is not None:
                self.world.db.update(snapshot, snapshot_of=NULL)
        self.world.disks.drop(vdi["uuid"])
        self.tracker.forget(vdi["uuid"])
        self.world.db.delete(vdi)
        self.chains.drop(vdi["uuid"])

    def _record(self, sr: Object, size: int, **fields: Any) -> Object:
        uuid = self.world.db.new_uuid()
        values = {"type": "user", "snapshot_time": EPOCH, "location": uuid, "managed": True} | fields
        vdi = self.world.db.create("VDI", uuid=uuid, SR=sr.ref, virtual_size=size, **values)
        self.world.db.update(vdi, physical_utilisation=estimate(sr, size, 0, leaf=not vdi["is_a_snapshot"]))
        return vdi

    def _inherited(self, vdi: Object) -> dict[str, Any]:
        kept = {name: vdi[name] for name in _KEPT_BY_COPIES.split() if name != "virtual_size"}
        return {name: value.copy() if isinstance(value, dict | list) else value for name, value in kept.items()}

    def _share(self, vdi: Object, new: Object, *, tracked: bool) -> None:
        disk = self.disk(vdi)
        self.world.disks.put(new["uuid"], disk.fork())
        if tracked:
            self.tracker.snapshotted(vdi["uuid"], new["uuid"], disk)
        remeasure(self.world, new)


def install(world: World) -> None:
    """Give a world its storage, if it has none."""
    if world.storage is None:
        world.disks = DiskStore()
        world.storage = Storage(world)
