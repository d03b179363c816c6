"""Snapshots and checkpoints, which XAPI keeps as VM records of their own."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import XenAPI
from hvsdk.driver import (
    Capability,
    Deadline,
    DomainInfo,
    SnapshotInfo,
    Steps,
    StepsTask,
    Task,
    Unsupported,
    errors,
    finish,
    in_background,
)

from hvsdk_xen._fence import FenceVerbs, is_fenced
from hvsdk_xen._login import code_of
from hvsdk_xen._refusals import state_word
from hvsdk_xen._revert import RevertVerbs
from hvsdk_xen._values import NULL, as_time, is_ref
from hvsdk_xen._verbs import FAILURES

__all__ = ["SnapshotVerbs", "snapshot_info"]

Records = Mapping[str, Mapping[str, Any]]

QUIESCE = "VM.snapshot_with_quiesce"
UNDO_SECONDS = 60.0
_NO_QUIESCE = frozenset(("VM_SNAPSHOT_WITH_QUIESCE_NOT_SUPPORTED", "VM_LACKS_FEATURE", "VM_MISSING_PV_DRIVERS"))


class SnapshotVerbs(RevertVerbs, FenceVerbs):
    """Make, list, revert to and remove snapshots."""

    def host_limits(self, *, deadline: Deadline) -> Mapping[Capability, Unsupported]:
        limits = dict(super().host_limits(deadline=deadline))
        if not self.has_message(QUIESCE):
            limits[Capability.SNAPSHOT_QUIESCE] = Unsupported("this version of the product has given it up")
        return limits

    def list_snapshots(self, native_id: str, *, deadline: Deadline) -> Iterable[SnapshotInfo]:
        current = self.on_vm(native_id, "VM.get_parent", deadline=deadline)
        found = self.snapshot_records(self.vm_ref(native_id, deadline), deadline)
        return [snapshot_info(record, found, is_current=ref == current) for ref, record in _parents_first(found)]

    def create_snapshot(
        self, native_id: str, name: str, *, memory: bool, quiesce: bool, description: str, deadline: Deadline
    ) -> Task[SnapshotInfo]:
        vm = self.on_vm(native_id, "VM.get_record", deadline=deadline)
        _refuse_weaker(vm, memory=memory, quiesce=quiesce)
        if quiesce:
            self._refuse_without_tools(native_id, deadline)
        message = "VM.checkpoint" if memory else QUIESCE if quiesce else "VM.snapshot"
        ref = self.vm_ref(native_id, deadline)
        return StepsTask(self._create(message, ref, vm, name, description, deadline))

    def _refuse_without_tools(self, native_id: str, deadline: Deadline) -> None:
        try:
            self.on_vm(native_id, "VM.assert_operation_valid", "snapshot_with_quiesce", deadline=deadline)
        except XenAPI.Failure as exc:
            if code_of(exc) not in _NO_QUIESCE:
                raise
            raise errors.GuestAgentError(
                "nothing in the guest brings its file systems to rest",
                hint="its tools need the provider of volume shadow copies",
                native_code=code_of(exc),
            ) from exc

    def _create(
        self, message: str, ref: str, vm: Mapping[str, Any], name: str, description: str, deadline: Deadline
    ) -> Steps[SnapshotInfo]:
        snapshot = yield self.start_task(message, ref, name, deadline=deadline)
        try:
            limit = self.soon()
            if vm.get("name_description") != description:  # XAPI takes it over from the domain
                self.call("VM.set_name_description", snapshot, description, deadline=limit)
            if is_fenced(vm):
                self.fence_snapshot(snapshot, vm, limit)
            record = self.call("VM.get_record", snapshot, deadline=limit)
            parent = record.get("parent", NULL)
            above = {parent: {"uuid": self.call("VM.get_uuid", parent, deadline=limit)}} if is_ref(parent) else {}
        except BaseException as exc:
            self._remove_again(snapshot, exc)
            raise
        return snapshot_info(record, above, is_current=True)

    def _remove_again(self, snapshot: str, exc: BaseException) -> None:
        """Undo a snapshot that could not be made ready."""
        try:
            limit = self.soon()
            self.call("VM.set_blocked_operations", snapshot, {}, deadline=limit)
            record = self.call("VM.get_record", snapshot, deadline=limit)
            finish(StepsTask(self.destroy_snapshots({snapshot: record})), UNDO_SECONDS)
        except FAILURES as failure:
            exc.add_note(f"hvsdk: the snapshot was made, and could not be removed again: {failure}")

    def delete_snapshot(self, native_id: str, snapshot_id: str, *, children: bool, deadline: Deadline) -> Task[None]:
        """Remove a snapshot's record and its disks; the disks first.

        What fails half-way leaves a snapshot that can be deleted again, and no disk that nobody shows.
        """
        found = self.snapshot_records(self.vm_ref(native_id, deadline), deadline)
        chosen = {_find(found, native_id, snapshot_id): None}
        if children:
            chosen |= dict.fromkeys(_descendants(found, next(iter(chosen))))
        doomed = {ref: found[ref] for ref in reversed(chosen)}
        for record in doomed.values():
            _refuse_blocked(record)
        return in_background(self.destroy_snapshots(doomed))

    def destroy_snapshots(self, doomed: Records) -> Steps[None]:
        """Remove snapshots by their records, each after its disks."""
        for ref, record in doomed.items():
            for vdi in self._disks_of(record):
                try:
                    yield self.start_task("VDI.destroy", vdi, deadline=self.soon())
                except XenAPI.Failure as exc:
                    if code_of(exc) != "HANDLE_INVALID":  # gone already
                        raise
            self.call("VM.destroy", ref, deadline=self.soon())

    def _disks_of(self, record: Mapping[str, Any]) -> list[str]:
        """Return the disks that only this snapshot has, its saved memory among them."""
        own = set(record.get("VBDs", ()))
        disks = [record.get("suspend_VDI", NULL)]
        for vbd in record.get("VBDs", ()):
            drive = self.call("VBD.get_record", vbd, deadline=self.soon())
            if drive.get("type") == "Disk" and is_ref(drive.get("VDI")):
                users = self.call("VDI.get_VBDs", drive["VDI"], deadline=self.soon())
                disks += [drive["VDI"]] if own.issuperset(users) else []
        return [vdi for vdi in dict.fromkeys(disks) if is_ref(vdi)]

    def revert_snapshot(self, native_id: str, snapshot_id: str, *, deadline: Deadline) -> Task[DomainInfo | None]:
        vm = self.on_vm(native_id, "VM.get_record", deadline=deadline)
        ref = self.vm_ref(native_id, deadline)
        found = self.snapshot_records(ref, deadline)
        snapshot = _find(found, native_id, snapshot_id)
        return self.reverting(native_id, ref, vm, snapshot, deadline)


def snapshot_info(record: Mapping[str, Any], others: Records, *, is_current: bool) -> SnapshotInfo:
    """Return the record of a snapshot; `others` has at least its parent, if that is a snapshot."""
    parent = others.get(record.get("parent", NULL))
    kind = record.get("snapshot_info", {}).get("disk-snapshot-type")
    return SnapshotInfo(
        id=record["uuid"],
        name=record.get("name_label", ""),
        created_at=as_time(record.get("snapshot_time")),
        parent=None if parent is None else parent["uuid"],
        is_current=is_current,
        has_memory=is_ref(record.get("suspend_VDI")),
        quiesced=kind == "quiesced",
        description=record.get("name_description", ""),
    )


_STEPS = {"paused": "unpause()", "suspended": "resume()"}
"""What brings a domain from a state to running, where that is not `start()`."""


def _refuse_weaker(vm: Mapping[str, Any], *, memory: bool, quiesce: bool) -> None:
    """Refuse what XAPI would make less of: of a VM that does not run a checkpoint has no memory of a run."""
    if (memory or quiesce) and vm.get("power_state") != "Running":
        state = state_word(str(vm.get("power_state")))
        what = "with memory" if memory else "with file systems at rest"
        raise errors.PowerStateError(
            f"a snapshot {what} needs a running domain: {vm.get('name_label')!r} is {state}",
            hint=f"{_STEPS.get(state, 'start()')} it, or make a snapshot of its disks",
        )


def _refuse_blocked(record: Mapping[str, Any]) -> None:
    """Refuse to begin what the last step would be refused."""
    reason = record.get("blocked_operations", {}).get("destroy")
    if reason is not None:
        raise errors.PermissionDeniedError(
            f"snapshot {record.get('name_label')!r} cannot be deleted: that is blocked ({reason})",
            hint="unfence() the domain, or unblock it, when that no longer holds",
            native_code="OPERATION_BLOCKED",
        )


def _find(found: Records, native_id: str, snapshot_id: str) -> str:
    for ref, record in found.items():
        if record.get("uuid") == snapshot_id:
            return ref
    raise errors.SnapshotNotFoundError(f"domain {native_id} has no snapshot {snapshot_id}")


def _parents_first(found: Records) -> list[tuple[str, Mapping[str, Any]]]:
    """Return them as a tree is read from its roots, siblings by the time at which they were made."""
    below: dict[str, list[str]] = {}
    for ref, record in found.items():
        parent = record.get("parent", NULL)
        below.setdefault(parent if parent in found and parent != ref else NULL, []).append(ref)
    ordered: list[str] = []
    level = below.pop(NULL, [])
    while level:
        level.sort(key=lambda ref: str(found[ref].get("snapshot_time")))
        ordered += level
        level = [child for ref in level for child in below.pop(ref, ())]
    ordered += [ref for refs in below.values() for ref in refs]  # a ring of parents, which no tree has
    return [(ref, found[ref]) for ref in ordered]


def _descendants(found: Records, root: str) -> Collection[str]:
    """Return the snapshots made on one and on those, parents before children."""
    family = {root: None}
    for ref, record in _parents_first(found):
        if record.get("parent") in family:
            family[ref] = None
    del family[root]
    return family
