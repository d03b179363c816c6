"""Snapshots: inside qcow2 files where QEMU can, in files of their own elsewhere."""

from __future__ import annotations

import threading
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping

import libvirt
from hvsdk.driver import (
    BackgroundTask,
    Capability,
    Deadline,
    DomainInfo,
    PowerState,
    SnapshotInfo,
    Task,
    Unsupported,
    errors,
)

from hvsdk_kvm._external import ExternalSnapshots
from hvsdk_kvm._overlay_names import is_overlay, new_overlays
from hvsdk_kvm._overlays import disk_sources
from hvsdk_kvm._power import job_progress
from hvsdk_kvm._session import Session
from hvsdk_kvm._snapshot_kinds import choose_kind, refuse_without_agent
from hvsdk_kvm._snapshot_xml import SnapshotRecord, check_snapshot_name, read_snapshots, snapshot_xml
from hvsdk_kvm._store import store_of
from hvsdk_kvm._xml import parse_xml

__all__ = ["SnapshotVerbs", "lies_on_leftovers", "merge_snapshots"]


class SnapshotVerbs(Session):
    """Make, list, revert and remove snapshots."""

    def domain_limits(self, info: DomainInfo) -> Mapping[Capability, Unsupported]:
        limits = dict(super().domain_limits(info))
        if "disks" not in info.loaded or "firmware" not in info.loaded or self.is_test:
            return limits
        disks = [disk for disk in info.disks if disk.device == "disk" and not disk.readonly]
        if info.firmware == "uefi":
            limits[Capability.SNAPSHOT_MEMORY] = Unsupported(
                "UEFI keeps its variables on a flash chip that QEMU's snapshots with memory leave out"
            )
        elif any(disk.format != "qcow2" for disk in disks):
            limits[Capability.SNAPSHOT_MEMORY] = Unsupported("memory is kept in qcow2 disks, and one here is another")
        return limits

    def list_snapshots(self, native_id: str, *, deadline: Deadline) -> Iterable[SnapshotInfo]:
        domain = self.find(native_id)
        current = _current(domain)
        return [snapshot.info(current) for snapshot in read_snapshots(domain, secure=False)]

    def create_snapshot(
        self, native_id: str, name: str, *, memory: bool, quiesce: bool, description: str, deadline: Deadline
    ) -> Task[SnapshotInfo]:
        check_snapshot_name(name)
        domain = self.lookup(native_id)
        _refuse_taken(domain, name)
        active = bool(domain.isActive())
        definition = self.read_xml(domain, inactive=not active)
        if memory and not active:
            raise errors.PowerStateError(
                f"domain {domain.name()!r} is off: it has no memory to keep", state=PowerState.SHUTOFF
            )
        if quiesce:
            refuse_without_agent(domain.name(), definition, active=active)
        if self.is_test:
            text, flags = snapshot_xml(name, description=description), 0
        else:
            text, flags = self._request(domain, definition, name, description, memory=memory, quiesce=quiesce)
        return _creating(domain, text, flags)

    def _request(
        self,
        domain: libvirt.virDomain,
        definition: ET.Element,
        name: str,
        description: str,
        *,
        memory: bool,
        quiesce: bool,
    ) -> tuple[str, int]:
        """Return the document and the flags of exactly what is asked for."""
        kind = choose_kind(domain, definition, store_of(self), memory=memory)
        if not kind.external:
            return snapshot_xml(name, description=description), 0
        flags = libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY | libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_ATOMIC
        if quiesce:
            flags |= libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_QUIESCE
        disks = new_overlays(kind.sources, quiesced=quiesce)
        return snapshot_xml(name, description=description, memory="no", disks=disks, skipped=kind.skipped), flags

    def revert_snapshot(self, native_id: str, snapshot_id: str, *, deadline: Deadline) -> Task[DomainInfo | None]:
        domain = self.lookup(native_id)
        snapshots = read_snapshots(domain)
        snapshot = _find(domain, snapshots, snapshot_id)
        _refuse_mixed(snapshot, snapshots)
        return BackgroundTask(lambda: self._revert(domain, snapshot))

    def _revert(self, domain: libvirt.virDomain, snapshot: SnapshotRecord) -> None:
        saved = bool(domain.hasManagedSaveImage())
        if snapshot.external:
            ExternalSnapshots(self, store_of(self), domain).revert(snapshot)
        else:
            flags = libvirt.VIR_DOMAIN_SNAPSHOT_REVERT_RUNNING if snapshot.has_memory else 0
            if not self.is_test:  # a running QEMU whose hardware differs is replaced; its state is given up anyway
                flags |= libvirt.VIR_DOMAIN_SNAPSHOT_REVERT_FORCE
            domain.revertToSnapshot(snapshot.handle, flags)
        if saved and domain.hasManagedSaveImage():
            domain.managedSaveRemove(0)  # else the next start would bring back memory that fits other disks

    def delete_snapshot(self, native_id: str, snapshot_id: str, *, children: bool, deadline: Deadline) -> Task[None]:
        domain = self.lookup(native_id)
        snapshots = read_snapshots(domain)
        chosen = [_find(domain, snapshots, snapshot_id)]
        if children:
            chosen += _descendants(snapshots, snapshot_id)
        return BackgroundTask(lambda: _remove(self, domain, chosen))


def merge_snapshots(session: Session, domain: libvirt.virDomain) -> None:
    """Remove all snapshots of a domain that is off, so that its disks stay with their present content in one file.

    Files that its disks lay on before the first snapshot stay below them.
    """
    snapshots = read_snapshots(domain)
    _remove(session, domain, [snapshot for snapshot in snapshots if not snapshot.external])
    if session.is_test:
        return
    outside = [snapshot for snapshot in snapshots if snapshot.external]
    ExternalSnapshots(session, store_of(session), domain).drop(outside, orphans=True)


def lies_on_leftovers(definition: ET.Element) -> bool:
    """Whether a disk still lies on files of snapshots that are gone, since others lay on them too."""
    return any(map(is_overlay, disk_sources(definition).values()))


def _remove(session: Session, domain: libvirt.virDomain, chosen: list[SnapshotRecord]) -> None:
    outside = [snapshot for snapshot in chosen if snapshot.external]
    for snapshot in reversed(chosen):
        if not snapshot.external:
            snapshot.handle.delete(0)
    if outside:
        ExternalSnapshots(session, store_of(session), domain).drop(outside)


def _creating(domain: libvirt.virDomain, text: str, flags: int) -> Task[SnapshotInfo]:
    cancelled = threading.Event()

    def work() -> SnapshotInfo:
        handle = domain.snapshotCreateXML(text, flags)
        record = SnapshotRecord(handle, parse_xml(handle.getXMLDesc(0)))
        if cancelled.is_set() and not record.external:  # QEMU cannot stop half-way; an external one takes no time
            handle.delete(0)
            raise BackgroundTask.cancelled()
        return record.info(record.name)

    return BackgroundTask(work, progress=job_progress(domain), cancel=cancelled.set)


def _find(domain: libvirt.virDomain, snapshots: Iterable[SnapshotRecord], snapshot_id: str) -> SnapshotRecord:
    for snapshot in snapshots:
        if snapshot.name == snapshot_id:
            return snapshot
    raise errors.SnapshotNotFoundError(f"domain {domain.name()!r} has no snapshot {snapshot_id!r}")


def _descendants(snapshots: Iterable[SnapshotRecord], name: str) -> list[SnapshotRecord]:
    """Return the snapshots made on one and on those, parents before children."""
    family, found = {name}, []
    for snapshot in snapshots:
        if snapshot.parent in family:
            family.add(snapshot.name)
            found.append(snapshot)
    return found


def _current(domain: libvirt.virDomain) -> str | None:
    return str(domain.snapshotCurrent(0).getName()) if domain.hasCurrentSnapshot(0) else None


def _refuse_taken(domain: libvirt.virDomain, name: str) -> None:
    if name in domain.snapshotListNames(0):
        raise errors.AlreadyExistsError(f"domain {domain.name()!r} already has a snapshot {name!r}")


def _refuse_mixed(snapshot: SnapshotRecord, snapshots: Iterable[SnapshotRecord]) -> None:
    """Refuse what was made elsewhere and can be reverted in no way here."""
    if snapshot.external and snapshot.has_memory:
        raise errors.UnsupportedError(
            f"the memory of snapshot {snapshot.name!r} is in a file of its own, which cannot be reverted to here",
            capability=Capability.REVERT_SNAPSHOT,
        )
    others = [other.name for other in snapshots if other.external != snapshot.external]
    if others and not snapshot.external:
        raise errors.UnsupportedError(
            f"snapshot {snapshot.name!r} is inside disk files on which others lie: {', '.join(map(repr, others))}",
            capability=Capability.REVERT_SNAPSHOT,
            hint="delete those first",
        )
