"""Snapshots: made as they were asked for or not at all, listed, and merged away."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hvsdk.driver import Capability, Deadline, PowerState, SnapshotInfo, Steps, StepsTask, Task, errors, finish
from pyVmomi import vim, vmodl

from hvsdk_vmware._calls import FAILURES
from hvsdk_vmware._errors import words_of
from hvsdk_vmware._fields import Values, flag, text
from hvsdk_vmware._ground import GroundReads
from hvsdk_vmware._left_out import DEVICES, LeftOutReads, refuse_left_out
from hvsdk_vmware._names import shown, written
from hvsdk_vmware._snapshot_tree import TREE_PATHS, TreeReads, below, find, snapshots_in
from hvsdk_vmware._states import power_state

__all__ = ["SnapshotVerbs"]

UNDO_SECONDS = 60.0
_STATE, _TOOLS, _VERSION = "runtime.powerState", "guest.toolsRunningStatus", "guest.toolsVersionStatus2"
_BEFORE = ("name", _STATE, _TOOLS, _VERSION, DEVICES)
_NEEDED = "runtime.consolidationNeeded"
_LISTENING = "guestToolsRunning"


class SnapshotVerbs(GroundReads, LeftOutReads, TreeReads):
    """Make, list and remove snapshots."""

    def list_snapshots(self, native_id: str, *, deadline: Deadline) -> Iterable[SnapshotInfo]:
        return snapshots_in(self.read_vm(native_id, TREE_PATHS, deadline).values)

    def create_snapshot(
        self, native_id: str, name: str, *, memory: bool, quiesce: bool, description: str, deadline: Deadline
    ) -> Task[SnapshotInfo]:
        """Make a snapshot, once everything is read that vSphere would make less of without a word."""
        called = written(name)
        before = self.read_vm(native_id, _BEFORE, deadline).values
        _refuse_weaker(before, memory=memory, quiesce=quiesce)
        refuse_left_out(before, Capability.CREATE_SNAPSHOT)
        return StepsTask(self.making_snapshot(native_id, called, description, deadline, memory=memory, quiesce=quiesce))

    def making_snapshot(
        self,
        native_id: str,
        called: str,
        description: str,
        deadline: Deadline,
        *,
        memory: bool = False,
        quiesce: bool = False,
    ) -> Steps[SnapshotInfo]:
        """Make a snapshot and return its record; one that cannot be read is removed again."""
        make = self.vm(native_id).CreateSnapshot
        made = yield self.start_task(
            make, called, description, memory, quiesce, deadline=deadline, asking=native_id, result=_id_of
        )
        try:
            values = self.read_vm(native_id, TREE_PATHS, self.soon()).values
            return find(values, native_id, made)
        except BaseException as exc:
            self.remove_again(made, exc)
            raise

    def remove_again(self, snapshot_id: str, exc: BaseException) -> None:
        """Undo a snapshot that was made for nothing."""
        try:
            limit = self.soon()
            finish(self.start_task(self.snapshot(snapshot_id).Remove, False, True, deadline=limit), UNDO_SECONDS)
        except vmodl.fault.ManagedObjectNotFound:
            return
        except FAILURES as failure:
            exc.add_note(f"hvsdk: snapshot {snapshot_id} was made, and could not be removed again: {words_of(failure)}")

    def delete_snapshot(self, native_id: str, snapshot_id: str, *, children: bool, deadline: Deadline) -> Task[None]:
        """Remove a snapshot and merge its disks into those made on it; the domain's present state stays."""
        values = self.read_vm(native_id, TREE_PATHS, deadline).values
        doomed = [find(values, native_id, snapshot_id)]
        if children:
            doomed += below(snapshots_in(values), snapshot_id)
        self.refuse_ground(native_id, doomed, deadline)
        return StepsTask(self._remove_snapshot(native_id, doomed[0], children, deadline))

    def _remove_snapshot(self, native_id: str, doomed: SnapshotInfo, children: bool, deadline: Deadline) -> Steps[None]:
        remove = self.snapshot(doomed.id).Remove
        yield self.start_task(remove, children, True, deadline=deadline, asking=native_id)
        if not flag(self.read_vm(native_id, (_NEEDED,), self.soon()).values, _NEEDED):
            return
        try:
            yield self.start_task(self.vm(native_id).ConsolidateDisks, deadline=self.soon(), asking=native_id)
        except (vmodl.MethodFault, errors.BusyError) as exc:
            raise errors.OperationFailedError(
                f"snapshot {doomed.name!r} is gone, but its disks could not be merged: {words_of(exc)}",
                hint="consolidate the domain's disks (ConsolidateVMDisks_Task) when nothing holds their files any more",
                native_code=type(exc).__name__,
            ) from exc


def _id_of(made: Any) -> str:
    if not isinstance(made, vim.vm.Snapshot):
        raise errors.OperationFailedError(f"vSphere made a snapshot, and said that it is {made!r}")
    return str(made._moId)


def _refuse_weaker(values: Values, *, memory: bool, quiesce: bool) -> None:
    """Refuse what vSphere would make less, or more, of: it adds memory to a suspended domain's, and quiesces only guests
    that listen.
    """
    state = power_state(text(values, _STATE), None)
    name = shown(text(values, "name"))
    if state is PowerState.SUSPENDED:
        raise errors.PowerStateError(
            f"create_snapshot is not possible: {name!r} is suspended, and vSphere would keep its memory too",
            state=state,
            hint="resume() it first",
        )
    if (memory or quiesce) and state is not PowerState.RUNNING:
        what = "with memory" if memory else "with file systems at rest"
        raise errors.PowerStateError(
            f"a snapshot {what} needs a running domain: {name!r} is {state}",
            state=state,
            hint="start() it, or make a snapshot of its disks",
        )
    if quiesce and text(values, _TOOLS) != _LISTENING:
        installed = text(values, _VERSION) not in ("", "guestToolsNotInstalled")
        told = "do not run, or not yet" if installed else "are not installed"
        raise errors.GuestAgentError(
            f"quiesce needs VMware Tools in the guest, and they {told}: vSphere would make a snapshot without it",
            not_yet=installed,
            hint="leave quiesce out for a snapshot such as a power cut would leave",
        )
