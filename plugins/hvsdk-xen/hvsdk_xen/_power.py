"""The power verbs.

What takes long (starting, resuming, suspending) is a task of XAPI's; what takes a moment is one call.
"""

from __future__ import annotations

from typing import Any

import XenAPI
from hvsdk.driver import Deadline, DomainInfo, Target, Task, errors

from hvsdk_xen._login import code_of
from hvsdk_xen._steps import Pause, Steps, StepsTask
from hvsdk_xen._tasks import XenTask
from hvsdk_xen._verbs import VerbSession

__all__ = ["GUARDED_BY_CORE", "PowerVerbs"]

GUARDED_BY_CORE = frozenset(("power_off", "reset", "clone"))
"""Verbs that XAPI carries out in states in which hvsdk does not: it gives up saved memory unasked, may reboot a paused VM,
and copies a suspended one where the pool allows that."""

TOOLS_PATIENCE = 3.0
"""Seconds for which such a guest is waited for before that is told."""
_BETWEEN = 0.2
_NO_TOOLS = frozenset(("VM_LACKS_FEATURE", "VM_LACKS_FEATURE_SHUTDOWN", "VM_MISSING_PV_DRIVERS"))


class PowerVerbs(VerbSession):
    """`start` to `resume`."""

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self._requests: dict[str, XenTask[DomainInfo | None]] = {}

    def start(self, native_id: str, *, deadline: Deadline) -> Task[DomainInfo | None]:
        """Start it; a suspended one is refused by VM.start, and resumed then."""
        ref = self.vm_ref(native_id, deadline)
        return StepsTask(self._start(ref, deadline))

    def _start(self, ref: str, deadline: Deadline) -> Steps[None]:
        try:
            yield self.start_task("VM.start", ref, False, False, deadline=deadline)
        except XenAPI.Failure as exc:
            if _state_told(exc) != "suspended":
                raise
            yield self._resume(ref, self.soon())

    def resume(self, native_id: str, *, deadline: Deadline) -> Task[DomainInfo | None]:
        return self._resume(self.vm_ref(native_id, deadline), deadline)

    def _resume(self, ref: str, deadline: Deadline) -> Task[Any]:
        return self.start_task("VM.resume", ref, False, False, deadline=deadline)

    def suspend(self, native_id: str, *, deadline: Deadline) -> Task[DomainInfo | None]:
        return StepsTask(self._suspend(native_id, self.vm_ref(native_id, deadline)))

    def _suspend(self, native_id: str, ref: str) -> Steps[None]:
        yield from self._once_tools_run(native_id, "suspend")
        yield self.start_task("VM.suspend", ref, deadline=self.soon())

    def shutdown(self, native_id: str, *, deadline: Deadline) -> Task[DomainInfo | None]:
        """Ask the guest once. XAPI would wait for twenty minutes, so the core cancels the task before it asks again.

        VM.shutdown is never called: it cuts the power when the guest does not answer.
        """
        ref = self.vm_ref(native_id, deadline)
        former = self._requests.pop(ref, None)
        if former is not None:
            former.discard()
        self._ask_whether("clean_shutdown", native_id, deadline)
        task: XenTask[DomainInfo | None] = self.start_task("VM.clean_shutdown", ref, deadline=deadline)
        self._requests[ref] = task
        return task

    def reboot(self, native_id: str, *, deadline: Deadline) -> Task[DomainInfo | None]:
        """Ask the guest, and let the task go: it ends when the guest is down and up again."""
        return StepsTask(self._reboot(native_id, self.vm_ref(native_id, deadline)))

    def _reboot(self, native_id: str, ref: str) -> Steps[None]:
        yield from self._once_tools_run(native_id, "clean_reboot")
        task: XenTask[None] = self.start_task("VM.clean_reboot", ref, deadline=self.soon())
        task.discard()

    def power_off(self, native_id: str, *, discard_memory: bool, deadline: Deadline) -> None:
        self.on_vm(native_id, "VM.hard_shutdown", deadline=deadline)

    def reset(self, native_id: str, *, deadline: Deadline) -> None:
        self.on_vm(native_id, "VM.hard_reboot", deadline=deadline)

    def pause(self, native_id: str, *, deadline: Deadline) -> None:
        self.on_vm(native_id, "VM.pause", deadline=deadline)

    def unpause(self, native_id: str, *, deadline: Deadline) -> None:
        self.on_vm(native_id, "VM.unpause", deadline=deadline)

    def _once_tools_run(self, native_id: str, operation: str) -> Steps[None]:
        """See that the guest can be asked; one that has just been started gets a moment.

        Raises:
            GuestAgentError: The guest has no tools, or they are not running yet.
        """
        patience = Deadline(TOOLS_PATIENCE)
        while True:
            try:
                self._ask_whether(operation, native_id, self.soon())
            except errors.GuestAgentError as exc:
                if not exc.not_yet or patience.expired:
                    raise
            else:
                return
            yield Pause(_BETWEEN)

    def _ask_whether(self, operation: str, native_id: str, deadline: Deadline) -> None:
        """Have XAPI say now what would be the matter, which a task says only later.

        Raises:
            GuestAgentError: The guest has no tools, or they are not running yet.
        """
        try:
            self.on_vm(native_id, "VM.assert_operation_valid", operation, deadline=deadline)
        except XenAPI.Failure as exc:
            if code_of(exc) not in _NO_TOOLS:
                raise
            not_yet = self.is_booting(native_id, deadline)
            what = "do not run yet" if not_yet else "are not there, or cannot do it"
            raise errors.GuestAgentError(
                f"{operation} needs the tools in the guest, and they {what}",
                not_yet=not_yet,
                hint="power_off() cuts the power without asking the guest",
                native_code=code_of(exc),
            ) from exc


def _state_told(exc: XenAPI.Failure) -> str | None:
    """Return the state that VM_BAD_POWER_STATE says the VM is in."""
    details = exc.details
    return str(details[3]).lower() if code_of(exc) == "VM_BAD_POWER_STATE" and len(details) > 3 else None
