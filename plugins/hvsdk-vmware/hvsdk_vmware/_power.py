"""The power verbs. vSphere has no state for a domain whose vCPUs are stopped: `pause` and `unpause` are not there."""

from __future__ import annotations

from hvsdk.driver import Deadline, DomainInfo, Task, errors
from pyVmomi import vim

from hvsdk_vmware._session import VmwareSession

__all__ = ["GUARDED_BY_CORE", "PowerVerbs"]

GUARDED_BY_CORE = frozenset(("start", "resume", "power_off", "reset"))
"""Verbs that vSphere carries out in states in which hvsdk does not: it boots on resume, gives up saved memory unasked, and
may reset a suspended domain."""

_UNASKED = {"shutdown": "power_off() cuts the power", "reboot": "reset() starts it anew"}


class PowerVerbs(VmwareSession):
    """`start` to `resume`."""

    def start(self, native_id: str, *, deadline: Deadline) -> Task[DomainInfo | None]:
        """Start it; a suspended one resumes. A cluster chooses the host."""
        return self.start_task(self.vm(native_id).PowerOn, deadline=deadline, asking=native_id)

    def resume(self, native_id: str, *, deadline: Deadline) -> Task[DomainInfo | None]:
        return self.start(native_id, deadline=deadline)

    def suspend(self, native_id: str, *, deadline: Deadline) -> Task[DomainInfo | None]:
        return self.start_task(self.vm(native_id).Suspend, deadline=deadline, asking=native_id)

    def power_off(self, native_id: str, *, discard_memory: bool, deadline: Deadline) -> Task[DomainInfo | None]:
        return self.start_task(self.vm(native_id).PowerOff, deadline=deadline, asking=native_id)

    def reset(self, native_id: str, *, deadline: Deadline) -> Task[DomainInfo | None]:
        return self.start_task(self.vm(native_id).Reset, deadline=deadline, asking=native_id)

    def shutdown(self, native_id: str, *, deadline: Deadline) -> None:
        """Ask the guest; vSphere answers at once and tells nothing of what the guest does."""
        vm = self.vm(native_id)
        try:
            self.call(vm.ShutdownGuest, deadline=deadline)
        except vim.fault.ToolsUnavailable as exc:
            raise self._without_tools(native_id, "shutdown", deadline) from exc

    def reboot(self, native_id: str, *, deadline: Deadline) -> None:
        vm = self.vm(native_id)
        try:
            self.call(vm.RebootGuest, deadline=deadline)
        except vim.fault.ToolsUnavailable as exc:
            raise self._without_tools(native_id, "reboot", deadline) from exc

    def _without_tools(self, native_id: str, verb: str, deadline: Deadline) -> errors.GuestAgentError:
        """Return what is the matter with the tools: they may be on their way, or not there at all."""
        info = self.get_domain(native_id, frozenset(("config", "guest")), deadline=deadline)
        installed = info.details.get("vmware.tools") not in (None, "guestToolsNotInstalled")
        what = "do not run, or not yet" if installed else "are not installed"
        return errors.GuestAgentError(
            f"{verb} needs VMware Tools in the guest, and they {what}",
            not_yet=installed,
            hint=f"{_UNASKED[verb]} without asking the guest",
            native_code="vim.fault.ToolsUnavailable",
        )
