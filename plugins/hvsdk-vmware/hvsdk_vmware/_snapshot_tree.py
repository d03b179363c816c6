"""A domain's snapshots as vSphere tells them: one tree, which is read with the domain."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from hvsdk.driver import Deadline, SnapshotInfo, errors
from pyVmomi import vim

from hvsdk_vmware._bulk import object_spec
from hvsdk_vmware._fields import NOTHING, NS, Element, Found, Values, as_flag, as_moment, child, children, text
from hvsdk_vmware._names import shown
from hvsdk_vmware._session import VmwareSession

__all__ = ["TREE_PATHS", "TreeReads", "below", "find", "snapshots_in"]

_CURRENT, _ROOTS = "snapshot.currentSnapshot", "snapshot.rootSnapshotList"
TREE_PATHS = (_CURRENT, _ROOTS)
"""The properties that it takes."""
_WITH_MEMORY = frozenset(("poweredOn", "suspended"))
"""States that a snapshot brings back. That of a running domain's disks alone is told as `poweredOff`."""
_BEGINNING = datetime(1970, 1, 2, tzinfo=UTC)


class TreeReads(VmwareSession):
    """Reads a domain's snapshots, and what else a verb has to know beforehand, in one call."""

    def read_vm(self, native_id: str, paths: Iterable[str], deadline: Deadline) -> Found:
        """Return these properties of a domain.

        Raises:
            DomainNotFoundError: There is none.
        """
        wish: dict[type, Iterable[str]] = {vim.VirtualMachine: tuple(paths)}
        found = self.read_all([object_spec(self.vm(native_id))], wish, deadline=deadline)
        if not found:
            raise errors.DomainNotFoundError(f"there is no domain {native_id}")
        return found[0]

    def snapshot(self, snapshot_id: str) -> vim.vm.Snapshot:
        """Return pyvmomi's object for a snapshot."""
        return vim.vm.Snapshot(snapshot_id, self.stub)


def snapshots_in(values: Values) -> list[SnapshotInfo]:
    """Return a domain's snapshots, parents before children, siblings by the time at which they were made."""
    current = text(values, _CURRENT)
    level: list[tuple[Element, str | None]] = [(root, None) for root in values.get(_ROOTS, NOTHING)]
    found: list[SnapshotInfo] = []
    while level:
        made = [_info(node, parent, current) for node, parent in level]
        found += sorted(made, key=lambda one: one.created_at or _BEGINNING)
        level = [
            (node, info.id)
            for (above, _), info in zip(level, made, strict=True)
            for node in children(above, "childSnapshotList")
        ]
    return found


def _info(node: Element, parent: str | None, current: str) -> SnapshotInfo:
    snapshot_id = child(node, "snapshot")
    return SnapshotInfo(
        id=snapshot_id,
        name=shown(child(node, "name")),
        created_at=as_moment(node.findtext(NS + "createTime")),
        parent=parent,
        is_current=snapshot_id == current,
        has_memory=child(node, "state") in _WITH_MEMORY,
        quiesced=as_flag(child(node, "quiesced")),
        description=child(node, "description"),
    )


def find(values: Values, native_id: str, snapshot_id: str) -> SnapshotInfo:
    """Return one of a domain's snapshots.

    Raises:
        SnapshotNotFoundError: It has none such.
    """
    for info in snapshots_in(values):
        if info.id == snapshot_id:
            return info
    raise errors.SnapshotNotFoundError(f"domain {native_id} has no snapshot {snapshot_id!r}")


def below(found: Iterable[SnapshotInfo], snapshot_id: str) -> list[SnapshotInfo]:
    """Return the snapshots that were made on one, and on those; `found` has parents before children."""
    family, inside = {snapshot_id}, []
    for info in found:
        if info.parent in family:
            family.add(info.id)
            inside.append(info)
    return inside
