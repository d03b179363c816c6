"""All disks of a world, by the UUID of their VDI."""

import threading

from ._arena import Arena
from ._content import planned
from ._disk import Disk
from ._layer import Layer


class DiskStore:
    """Disks by VDI UUID; one that nobody asked for does not exist yet and costs nothing."""

    def __init__(self) -> None:
        self.arena = Arena()
        self._disks: dict[str, Disk] = {}
        self._plans: dict[str, tuple[str, float]] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """Number of disks whose content is kept or planned."""
        return len(self._disks.keys() | self._plans.keys())

    def plan(self, uuid: str, seed: str, share: float) -> None:
        """Say what a disk will hold when it is first looked at."""
        self._plans[uuid] = (seed, share)

    def get(self, uuid: str, size: int) -> Disk:
        """The disk of a VDI, made now when it is the first time."""
        with self._lock:
            disk = self._disks.get(uuid)
            if disk is None:
                disk = self._disks[uuid] = Disk(self.arena, size, self._planned_layer(uuid, size))
            return disk

    def planned_share(self, uuid: str) -> float | None:
        """The part that is written of a disk nobody has looked at yet; None when it exists."""
        return None if uuid in self._disks else self._plans.get(uuid, ("", 0.0))[1]

    def put(self, uuid: str, disk: Disk) -> None:
        """Give a VDI a disk that was made from another."""
        with self._lock:
            self._disks[uuid] = disk

    def drop(self, uuid: str) -> None:
        """Give up the content of a VDI; layers that others stand on stay."""
        with self._lock:
            self._disks.pop(uuid, None)
            self._plans.pop(uuid, None)

    def close(self) -> None:
        """Give up everything; there are no disks afterwards."""
        self._disks.clear()
        self._plans.clear()
        self.arena.close()

    def _planned_layer(self, uuid: str, size: int) -> Layer | None:
        plan = self._plans.pop(uuid, None)
        if plan is None:
            return None
        seed, share = plan
        return Layer(self.arena, plan=lambda: dict.fromkeys(planned(seed, size, share), seed))
