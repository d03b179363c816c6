"""Moving a domain: to another host or datastore of its vCenter, or to another vCenter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from hvsdk.driver import (
    FENCE_KEY,
    Capability,
    Deadline,
    Driver,
    Pause,
    PowerState,
    Steps,
    StepsTask,
    Task,
    Unsupported,
    errors,
    finish,
)
from pyVmomi import vim, vmodl

from hvsdk_vmware._errors import words_of
from hvsdk_vmware._extra_config import METADATA_PREFIX
from hvsdk_vmware._hardware import Subject
from hvsdk_vmware._listing import ListingReads
from hvsdk_vmware._relocation import RelocationSpecs
from hvsdk_vmware._targets import Move, NoPlaceError, Targets
from hvsdk_vmware._tasks import VmwareTask

__all__ = ["MigrateVerbs"]

_NEEDS_CENTER = "an ESXi host moves nothing by itself: connect to the vCenter that manages it"
_NOT_A_REASON = (
    *(vim.fault.InvalidState, vmodl.fault.ManagedObjectNotFound, vmodl.fault.SecurityError),
    *(vmodl.fault.RequestCanceled, vim.fault.TaskInProgress, vim.fault.Timedout),
)
"""Faults of a check that say nothing about the place; a host in the wrong state is a place all the same."""
_NO_CHECK = (vmodl.fault.NotSupported, vmodl.fault.MethodNotFound, vmodl.fault.NotImplemented)
_CHECK, _MOVE = "CheckRelocate_Task", "RelocateVM_Task"
_LOOKS, _PAUSE = 20, 0.5
"""How often, and every how many seconds, the target is asked for a domain that has arrived."""


class MigrateVerbs(RelocationSpecs, Targets, ListingReads):
    """`check_migrate` and `migrate`."""

    def host_limits(self, *, deadline: Deadline) -> Mapping[Capability, Unsupported]:
        limits = dict(super().host_limits(deadline=deadline))
        if not self.is_vcenter:
            moves = (Capability.MIGRATE, Capability.MIGRATE_LIVE, Capability.MIGRATE_NODE, Capability.MIGRATE_STORAGE)
            for capability in moves:
                limits.setdefault(capability, Unsupported(_NEEDS_CENTER))
        return limits

    def check_migrate(
        self, native_id: str, target: Driver, *, node: str | None, pool: str | None, live: bool, deadline: Deadline
    ) -> str | None:
        vm = self.subject(native_id, deadline)
        _refuse_states(vm, live=live)
        there = self._in_center_of(cast("MigrateVerbs", target))
        try:
            move = self._plan(vm, there, node, pool, deadline)
            return self._rehearse(vm, there, move, deadline) if move else None
        except NoPlaceError as exc:
            return str(exc)

    def migrate(
        self, native_id: str, target: Driver, *, node: str | None, pool: str | None, live: bool, deadline: Deadline
    ) -> Task[str] | str:
        """Move it; its snapshots go along. What fails is taken back by vSphere: the domain goes on where it was."""
        vm = self.subject(native_id, deadline)
        _refuse_states(vm, live=live)
        there = self._in_center_of(cast("MigrateVerbs", target))
        try:
            move = self._plan(vm, there, node, pool, deadline)
            if not move:
                return native_id
            task = self._relocate(_MOVE, self.vm(native_id), vm, there, move, deadline)
        except NoPlaceError as exc:
            raise errors.UnsupportedError(
                f"domain {vm.name!r} cannot migrate: {exc}", capability=Capability.MIGRATE
            ) from exc
        return task if there is self else StepsTask(self._arrive(task, there, vm))

    def _in_center_of(self, target: MigrateVerbs) -> MigrateVerbs:
        """Return the target, or this connection where that is one to the same vCenter."""
        mine, other = self.content.about.instanceUuid, target.content.about.instanceUuid
        return self if mine and mine == other else target

    def _plan(self, vm: Subject, there: MigrateVerbs, node: str | None, pool: str | None, deadline: Deadline) -> Move:
        if vm.is_template and METADATA_PREFIX + FENCE_KEY in vm.extra_config:
            raise NoPlaceError("it is fenced, and a fence notes where it has to be: unfence() it first")
        if there is not self:
            if not (self.is_vcenter and there.is_vcenter):
                raise NoPlaceError(f"vSphere moves domains between vCenters alone; {_NEEDS_CENTER}")
            return self.plan_there(vm, there, node, pool, deadline)
        if node is None and pool is None:
            raise NoPlaceError("it is in that vCenter already: say node= or pool=")
        return self.plan_here(vm, node, pool, deadline)

    def _rehearse(self, vm: Subject, there: MigrateVerbs, move: Move, deadline: Deadline) -> str | None:
        """Have vSphere say what it would say to the move."""
        checker = self.content.vmProvisioningChecker
        if checker is None:
            return None
        try:
            task = self._relocate(_CHECK, checker, vm, there, move, deadline)
            found = finish(task, deadline.remaining())
        except _NO_CHECK:
            return None
        except vmodl.MethodFault as exc:
            if isinstance(exc, _NOT_A_REASON) and not isinstance(exc, vim.fault.InvalidHostState):
                raise
            return words_of(exc)
        told = [words_of(fault) for result in found for fault in result.error or ()]
        return "; ".join(dict.fromkeys(told)) or None

    def _relocate(
        self, method: str, asked: Any, vm: Subject, there: MigrateVerbs, move: Move, deadline: Deadline
    ) -> VmwareTask[Any]:
        """Begin a move, or the check of one; what fails has no frame in its traceback whose variables show a password."""
        try:
            return self._begin(method, asked, vm, there, move, deadline)
        except Exception as exc:
            raise exc.with_traceback(None)  # noqa: B904

    def _begin(
        self, method: str, asked: Any, vm: Subject, there: MigrateVerbs, move: Move, deadline: Deadline
    ) -> VmwareTask[Any]:
        spec = self.relocation(vm, there, move, deadline)
        if method == _CHECK:
            subject = self.vm(vm.native_id)
            return self.start_task(asked.CheckRelocate_Task, subject, spec, deadline=deadline, result=_listed)
        return self.start_task(
            asked.RelocateVM_Task, spec, deadline=deadline, result=lambda _: vm.native_id, asking=vm.native_id
        )

    def _arrive(self, task: Task[Any], there: MigrateVerbs, vm: Subject) -> Steps[str]:
        """See a move to another vCenter through, and find the domain there: its UUID stays."""
        yield task
        for _ in range(_LOOKS):
            found = there.with_uuid(vm.uuid, True, there.soon())
            if found:
                return found[0]
            yield Pause(_PAUSE)
        raise errors.OperationFailedError(
            f"domain {vm.name!r} has moved, but the other vCenter does not show it to this user",
            hint=f"look there for its instance UUID {vm.uuid}",
        )


def _listed(found: Any) -> list[Any]:
    return list(found or ())


def _refuse_states(vm: Subject, *, live: bool) -> None:
    """Refuse what no place could help with."""
    state = vm.state
    if state is PowerState.SHUTOFF or (state is PowerState.RUNNING and live):
        return
    running = "migrate(live=True), or shut it down"
    hint = running if state is PowerState.RUNNING else "only running ones and ones that are off move"
    raise errors.PowerStateError(f"domain {vm.name!r} cannot migrate: it is {state}", state=state, hint=hint)
