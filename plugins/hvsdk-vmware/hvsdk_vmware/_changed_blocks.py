"""What differs on a disk between two snapshots, from vSphere's own tracking of changed blocks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hvsdk.driver import Capability, Deadline, Extent, errors
from pyVmomi import vim, vmodl

from hvsdk_vmware._bulk import object_spec
from hvsdk_vmware._fields import NOTHING, Element, as_number, child, kind_of
from hvsdk_vmware._left_out import DEVICES
from hvsdk_vmware._snapshot_tree import TREE_PATHS, TreeReads, find

__all__ = ["ChangedBlocksReads", "merged"]

_BROKEN = (vim.fault.FileFault, vmodl.fault.InvalidArgument, vim.fault.NotFound)
"""What vSphere says of a tracking that does not reach back to a snapshot."""


class ChangedBlocksReads(TreeReads):
    """`changed_blocks`."""

    def changed_blocks(
        self, native_id: str, disk_id: str, snapshot_id: str, since_id: str, *, deadline: Deadline
    ) -> Iterable[Extent]:
        """Return what differs; vSphere answers part by part, each from where the one before it ended."""
        values = self.read_vm(native_id, TREE_PATHS, deadline).values
        until, since = (find(values, native_id, one) for one in (snapshot_id, since_id))
        if since.created_at is not None and until.created_at is not None and since.created_at > until.created_at:
            raise errors.InvalidSpecError(
                f"changes are those since an earlier snapshot, and {since.name!r} is later than {until.name!r}",
                hint="ask the later snapshot: later.changed_blocks(earlier, disk)",
            )
        disk, former = (self._disk_in(one, disk_id, deadline) for one in (snapshot_id, since_id))
        change_id = child(former, "backing", "changeId")
        if not change_id:
            raise errors.UnsupportedError(
                f"no changes of disk {disk_id} were tracked when snapshot {since.name!r} was made",
                capability=Capability.CHANGED_BLOCKS,
                hint="switch it on with reconfigure(hints={'vmware.change_tracking': True}), then make both snapshots anew: "
                "it begins with the first one after that",
            )
        size = _size_of(disk)
        try:
            return list(merged(self._areas(native_id, snapshot_id, int(disk_id), change_id, size, deadline), size))
        except _BROKEN as exc:
            raise errors.UnsupportedError(
                f"vSphere's tracking of disk {disk_id} does not reach back to snapshot {since.name!r}",
                capability=Capability.CHANGED_BLOCKS,
                hint="it begins anew after a revert, a power failure or a change of the disk: compare all of it",
                native_code=type(exc).__name__,
            ) from exc

    def _areas(
        self, native_id: str, snapshot_id: str, key: int, change_id: str, size: int, deadline: Deadline
    ) -> Iterator[tuple[int, int]]:
        query, at = self.vm(native_id).QueryChangedDiskAreas, 0
        snapshot = self.snapshot(snapshot_id)
        while at < size:
            part = self.call(query, snapshot, key, at, change_id, deadline=deadline)
            for area in part.changedArea or ():
                yield int(area.start), int(area.length)
            end = int(part.startOffset) + int(part.length)
            if end <= at:
                raise errors.OperationFailedError(f"vSphere's list of changed blocks stands still at {at}")
            at = end

    def _disk_in(self, snapshot_id: str, disk_id: str, deadline: Deadline) -> Element:
        """Return a disk as it was in a snapshot."""
        objects = [object_spec(self.snapshot(snapshot_id))]
        found = self.read_all(objects, {vim.vm.Snapshot: (DEVICES,)}, deadline=deadline)
        devices = list(found[0].values.get(DEVICES, NOTHING)) if found else []
        for device in devices:
            if kind_of(device) == "VirtualDisk" and child(device, "key") == disk_id:
                return device
        raise errors.DiskNotFoundError(f"snapshot {snapshot_id} has no disk {disk_id!r}")


def _size_of(disk: Element) -> int:
    size = as_number(child(disk, "capacityInBytes"))
    return size if size is not None else (as_number(child(disk, "capacityInKB")) or 0) << 10


def merged(areas: Iterable[tuple[int, int]], size: int) -> Iterator[Extent]:
    """Yield areas in order, neighbours and what overlaps as one extent, and none beyond the disk's end."""
    begin = end = 0
    for start, length in sorted(areas):
        if start > end:
            yield from _extent(begin, end, size)
            begin = start
        end = max(end, start + length)
    yield from _extent(begin, end, size)


def _extent(begin: int, end: int, size: int) -> Iterator[Extent]:
    end = min(end, size)
    if end > begin >= 0:
        yield Extent(offset=begin, length=end - begin)
