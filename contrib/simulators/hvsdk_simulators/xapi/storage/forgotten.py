"""Disks that are on the storage while the pool does not know them."""

from typing import Any

from hvsdk_simulators.xapi.database import Object
from hvsdk_simulators.xapi.schema import NULL
from hvsdk_simulators.xapi.world import World

_RECORD = dict[str, Any]


class Forgotten:
    """The records of such disks, by the UUID of their SR: it may be forgotten too, and introduced again."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._records: dict[str, list[_RECORD]] = {}

    def add(self, vdi: Object) -> None:
        """Drop the record of a disk and the drives that held it; its content stays."""
        db = self._world.db
        sr = db.get("SR", vdi["SR"])
        self._records.setdefault(sr["uuid"], []).append(dict(vdi.fields))
        for vbd in (db.lookup("VBD", ref) for ref in list(vdi["VBDs"])):
            if vbd is not None:
                db.delete(vbd)
        db.delete(vdi)

    def recall(self, sr: Object, uuid: str, **changed: Any) -> Object | None:
        """Make the record of a disk again; None when there is no such disk."""
        records = self._records.get(sr["uuid"], [])
        found = next((record for record in records if record["uuid"] == uuid), None)
        if found is None:
            return None
        records.remove(found)
        return self._make(sr, found | changed)

    def recall_all(self, sr: Object) -> None:
        """Make the records of all disks in an SR again."""
        for record in self._records.pop(sr["uuid"], []):
            self._make(sr, record)

    def drop(self, sr: Object) -> None:
        """An SR is no more, and what was in it with it."""
        for record in self._records.pop(sr["uuid"], []):
            self._world.disks.drop(record["uuid"])
            self._world.storage.tracker.forget(record["uuid"])
            self._world.storage.chains.drop(record["uuid"])

    def _make(self, sr: Object, record: _RECORD) -> Object:
        db = self._world.db
        parent = record["snapshot_of"] if db.lookup("VDI", record["snapshot_of"]) is not None else NULL
        empty: _RECORD = {"VBDs": [], "snapshots": [], "crash_dumps": [], "current_operations": {}}
        vdi = db.create("VDI", **(record | empty | {"SR": sr.ref, "snapshot_of": parent}))
        self._world.storage.chains.show(vdi)
        return vdi
