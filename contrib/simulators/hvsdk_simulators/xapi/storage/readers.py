"""Who reads or writes disks beside the VMs: exports, imports, NBD clients."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from hvsdk_simulators.xapi.database import Object
from hvsdk_simulators.xapi.world import World


class Readers:
    """Counts those who have a VDI open, so that it is not destroyed under them."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._open: Counter[str] = Counter()

    def has(self, vdi: Object) -> bool:
        """Whether somebody has the VDI open."""
        return self._open[vdi.ref] > 0

    @contextmanager
    def opened(self, vdi: Object) -> Iterator[None]:
        """Have a VDI open; the lock is taken for the counting only."""
        self._count(vdi, 1)
        try:
            yield
        finally:
            self._count(vdi, -1)

    def _count(self, vdi: Object, change: int) -> None:
        with self._world.lock:
            self._open[vdi.ref] += change
            if not self._open[vdi.ref]:
                del self._open[vdi.ref]
            self._world.db.touch(vdi)
            self._world.lock.notify_all()
