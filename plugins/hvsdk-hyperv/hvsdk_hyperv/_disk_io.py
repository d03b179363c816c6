"""Reading disks, and what differs between two snapshots: the files of a disk are parsed here, from parts read there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hvsdk.driver import Capability, Deadline, DiskReader, Extent, errors

from hvsdk_hyperv._disk_chain import ChainReader, extents_of, open_chain
from hvsdk_hyperv._file_ways import FileWays
from hvsdk_hyperv._layers import PARENT, Layer

__all__ = ["DiskIoReads"]


class DiskIoReads(FileWays):
    """`open_disk` and `changed_blocks`."""

    def open_disk(self, native_id: str, disk_id: str, *, snapshot_id: str | None, deadline: Deadline) -> DiskReader:
        """Open a disk with all that it lies on, at any place. By SMB its files are held open for it, by WinRM none is."""
        return ChainReader(open_chain(self.host_files(), self._path_of(native_id, disk_id, snapshot_id, deadline)))

    def changed_blocks(
        self, native_id: str, disk_id: str, snapshot_id: str, since_id: str, *, deadline: Deadline
    ) -> Iterable[Extent]:
        """Return what is written in the files between two snapshots; `zero` is never told, for they may be read as well."""
        since = self._path_of(native_id, disk_id, since_id, deadline)
        chain = open_chain(self.host_files(), self._path_of(native_id, disk_id, snapshot_id, deadline))
        try:
            layers = chain.above(since)
            if layers is None:
                raise errors.UnsupportedError(
                    f"the disk {disk_id} of that snapshot does not lie on what it was in the other one",
                    capability=Capability.CHANGED_BLOCKS,
                    hint="ask the later snapshot of the same line: later.changed_blocks(earlier, disk)",
                )
            return list(_written(layers, chain.size))
        finally:
            chain.close()

    def _path_of(self, native_id: str, disk_id: str, snapshot_id: str | None, deadline: Deadline) -> str:
        arguments = {"id": native_id, "disk": disk_id, "snapshot": snapshot_id}
        return str(self.call("disk_io.find", arguments, deadline=deadline)["path"])


def _written(layers: list[Layer], size: int) -> Iterator[Extent]:
    """Yield what any of these files holds itself, or says to be zeros."""
    if not layers:
        return

    def own(offset: int, length: int) -> list[tuple[int, int]]:
        spans = []
        for layer in layers:
            here = min(length, layer.size - offset)
            if here > 0:
                spans += [(one.offset, one.end) for one in layer.pieces([(offset, here)]) if one.source != PARENT]
        return spans

    for extent in extents_of(size, max(layer.window for layer in layers), own):
        if not extent.zero:
            yield extent
