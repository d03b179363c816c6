"""The snapshots that linked clones lie on.

vSphere makes a linked clone on a snapshot of its original. hvsdk makes one for each, by a name of its own, and does not
remove it while the disks of another domain lie on its files.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from hvsdk.driver import Deadline, SnapshotInfo, errors
from pyVmomi import vim

from hvsdk_vmware._bulk import object_spec
from hvsdk_vmware._fields import NOTHING, Element, Found, Values, child, children, kind_of, text
from hvsdk_vmware._left_out import DEVICES
from hvsdk_vmware._names import shown
from hvsdk_vmware._snapshot_tree import TreeReads
from hvsdk_vmware._views import ViewReads

__all__ = ["GROUND", "GroundReads"]

GROUND = "hvsdk-linked-clone"
"""What a snapshot is called that hvsdk made for a linked clone."""
_DEEPEST = 64
"""Files of one disk that are followed; vSphere allows 32 snapshots."""


class GroundReads(TreeReads, ViewReads):
    """Finds out who lies on a snapshot."""

    def refuse_ground(self, native_id: str, doomed: Iterable[SnapshotInfo], deadline: Deadline) -> None:
        """Refuse to remove what hvsdk made for linked clones that are still there.

        Of snapshots that others made vCenter itself merges nothing that another domain lies on; a host by itself does not
        know that, so that there all of them count.

        Raises:
            BusyError: Linked clones lie on it.
        """
        ground = {info.id: info for info in doomed if info.name == GROUND or not self.is_vcenter}
        if not ground:
            return
        files = self._files_of(ground, deadline)
        if files:
            names = self._on(native_id, files, deadline)
            if names:
                raise errors.BusyError(
                    f"linked clones lie on it: {', '.join(sorted(names))}",
                    lasting=True,
                    hint="delete them first, or move them off it (PromoteDisks_Task)",
                )

    def _files_of(self, ground: Mapping[str, SnapshotInfo], deadline: Deadline) -> frozenset[str]:
        """Return the files of the disks of snapshots."""
        objects = [object_spec(self.snapshot(one)) for one in ground]
        found = self.read_all(objects, {vim.vm.Snapshot: (DEVICES,)}, deadline=deadline)
        return frozenset(child(disk, "backing", "fileName") for one in found for disk in _disks(one.values))

    def _on(self, native_id: str, files: frozenset[str], deadline: Deadline) -> list[str]:
        """Return the names of the other domains whose disks lie on these files."""
        wish: dict[type, tuple[str, ...]] = {vim.VirtualMachine: ("name", DEVICES)}
        pages = self.read_view(wish, deadline=deadline)
        others: dict[str, Found] = {one.id: one for page in pages for one in page if one.id != native_id}
        return [
            shown(text(one.values, "name"))
            for one in others.values()
            if any(not files.isdisjoint(_parents(disk)) for disk in _disks(one.values))
        ]


def _disks(values: Values) -> list[Element]:
    return [device for device in values.get(DEVICES, NOTHING) if kind_of(device) == "VirtualDisk"]


def _parents(disk: Element) -> Iterator[str]:
    """Yield the files that a disk's own lies on, the nearest first."""
    at = next(iter(children(disk, "backing")), NOTHING)
    for _ in range(_DEEPEST):
        above = children(at, "parent")
        if not above:
            return
        at = above[0]
        yield child(at, "fileName")
