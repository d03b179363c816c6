"""The power verbs.

What takes long (starting, resuming, suspending) is a task of XAPI's; what takes a moment is one call.
"""

from __future__ import annotations

from typing import Any

import XenAPI
from hvsdk.driver import Deadline, DomainInfo, Pause, Steps, StepsTask, Target, Task, errors

from hvsdk_xen._error_table import HINTS
from hvsdk_xen._login import code_of
from hvsdk_xen._tasks import XenTask
from hvsdk_xen._tools import ToolsVerbs
from hvsdk_xen._values import as_int

__all__ = ["GUARDED_BY_CORE", "PowerVerbs"]

GUARDED_BY_CORE = frozenset(("power_off", "reset", "reboot", "clone"))
"""Verbs that XAPI carries out in states in which hvsdk does not: it gives up saved memory unasked, may reboot a paused VM,
and copies a suspended one where the pool allows that. A reboot that is refused for a host that is not heard is so only in
its task, which may have been let go by then."""

REFUSAL_PATIENCE = 0.5
"""Seconds for which a request to reboot may still turn out to be refused: the answer to an asynchronous call says nothing."""
_BETWEEN = 0.1


class PowerVerbs(ToolsVerbs):
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
            if code_of(exc) == "NO_HOSTS_AVAILABLE":
                raise self._no_room(ref, exc) from exc
            if _state_told(exc) != "suspended":
                raise
            yield self._resume(ref, self.soon())

    def _no_room(self, ref: str, exc: XenAPI.Failure) -> errors.InsufficientResourcesError:
        """Return the error of a start for which XAPI found no host, with the size that it looked for one for."""
        vm = self.call("VM.get_record", ref, deadline=self.soon())
        memory = (as_int(vm.get("memory_static_max")) or 0) / 2**20
        return errors.InsufficientResourcesError(
            f"no host of the pool can run domain {vm.get('name_label')!r}, which has {memory:,.0f} MiB of memory "
            f"({code_of(exc)})",
            hint=HINTS[code_of(exc)],
            native_code=code_of(exc),
        )

    def resume(self, native_id: str, *, deadline: Deadline) -> Task[DomainInfo | None]:
        return self._resume(self.vm_ref(native_id, deadline), deadline)

    def _resume(self, ref: str, deadline: Deadline) -> Task[Any]:
        return self.start_task("VM.resume", ref, False, False, deadline=deadline)

    def suspend(self, native_id: str, *, deadline: Deadline) -> Task[DomainInfo | None]:
        return StepsTask(self._suspend(native_id, self.vm_ref(native_id, deadline)))

    def _suspend(self, native_id: str, ref: str) -> Steps[None]:
        yield from self.once_tools_run(native_id, "suspend")
        yield self.start_task("VM.suspend", ref, deadline=self.soon())

    def shutdown(self, native_id: str, *, deadline: Deadline) -> Task[DomainInfo | None]:
        """Ask the guest once. XAPI would wait for twenty minutes, so the core cancels the task before it asks again.

        VM.shutdown is never called: it cuts the power when the guest does not answer.
        """
        ref = self.vm_ref(native_id, deadline)
        former = self._requests.pop(ref, None)
        if former is not None:
            former.discard()
        self.ask_whether("clean_shutdown", native_id, deadline)
        task: XenTask[DomainInfo | None] = self.start_task("VM.clean_shutdown", ref, deadline=deadline)
        self._requests[ref] = task
        return task

    def reboot(self, native_id: str, *, deadline: Deadline) -> Task[DomainInfo | None]:
        """Ask the guest, and let the task go once it is not refused: it ends when the guest is down and up again."""
        return StepsTask(self._reboot(native_id, self.vm_ref(native_id, deadline)))

    def _reboot(self, native_id: str, ref: str) -> Steps[None]:
        yield from self.once_tools_run(native_id, "clean_reboot")
        task: XenTask[None] = self.start_task("VM.clean_reboot", ref, deadline=self.soon())
        patience = Deadline(REFUSAL_PATIENCE)
        while not task.poll()[0]:  # raises what the task failed with
            if patience.expired:
                task.discard()
                return
            yield Pause(_BETWEEN)

    def power_off(self, native_id: str, *, discard_memory: bool, deadline: Deadline) -> None:
        self.on_vm(native_id, "VM.hard_shutdown", deadline=deadline)

    def reset(self, native_id: str, *, deadline: Deadline) -> None:
        self.on_vm(native_id, "VM.hard_reboot", deadline=deadline)

    def pause(self, native_id: str, *, deadline: Deadline) -> None:
        self.on_vm(native_id, "VM.pause", deadline=deadline)

    def unpause(self, native_id: str, *, deadline: Deadline) -> None:
        self.on_vm(native_id, "VM.unpause", deadline=deadline)


def _state_told(exc: XenAPI.Failure) -> str | None:
    """Return the state that VM_BAD_POWER_STATE says the VM is in."""
    details = exc.details
    return str(details[3]).lower() if code_of(exc) == "VM_BAD_POWER_STATE" and len(details) > 3 else None
