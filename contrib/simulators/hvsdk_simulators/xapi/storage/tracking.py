"""Changed block tracking: which blocks were written between one snapshot and the next."""

import base64

from attrs import define, field

from hvsdk_simulators.xapi.database import Object
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.world import World

from .disk import BLOCK, Disk

_UNRELATED = "Failed to calculate changed blocks for given VDIs. [opterr=Source and target VDI are unrelated]"


@define(eq=False)
class Log:
    """The blocks written since the snapshot before, which the log before belongs to."""

    changed: set[int] = field(factory=set)
    before: "Log | None" = None


class Tracker:
    """The logs of all tracked VDIs, by UUID. They outlive the content of a snapshot, and the snapshots between two."""

    def __init__(self) -> None:
        self._logs: dict[str, Log] = {}

    def enable(self, uuid: str, disk: Disk) -> None:
        """Begin to track."""
        self._logs[uuid] = log = Log()
        disk.changed = log.changed

    def disable(self, uuid: str, disk: Disk) -> None:
        """Give up what is known."""
        self._logs.pop(uuid, None)
        disk.changed = None

    def snapshotted(self, uuid: str, snapshot: str, disk: Disk) -> None:
        """Give a snapshot what was tracked so far, and begin anew above it."""
        log = self._logs.get(uuid)
        if log is None:
            return
        self._logs[snapshot] = log
        self._logs[uuid] = new = Log(before=log)
        disk.changed = new.changed

    def forget(self, uuid: str) -> None:
        """A VDI is no more."""
        self._logs.pop(uuid, None)

    def between(self, older: str, newer: str) -> set[int] | None:
        """The blocks written from one to the other; None when neither comes from the other."""
        start, log = self._logs.get(older), self._logs.get(newer)
        blocks: set[int] = set()
        while log is not None and log is not start:
            blocks |= log.changed
            log = log.before
        return None if log is None else blocks


def changed_blocks(world: World, older: Object, newer: Object) -> str:
    """The bitmap as the API gives it: a bit for each 64 KiB, the highest of a byte first, in base 64."""
    for vdi in (older, newer):
        if not vdi["cbt_enabled"]:
            raise Failure("VDI_NO_CBT_METADATA", vdi.ref)
    blocks = world.storage.tracker.between(older["uuid"], newer["uuid"])
    if blocks is None or older["virtual_size"] > newer["virtual_size"]:
        raise Failure("SR_BACKEND_FAILURE_460", "", _UNRELATED, "")
    count = -(-newer["virtual_size"] // BLOCK)
    bitmap = bytearray(-(-count // 8))
    for block in blocks | set(range(-(-older["virtual_size"] // BLOCK), count)):
        if block < count:
            bitmap[block // 8] |= 0x80 >> block % 8
    return base64.b64encode(bitmap).decode()
