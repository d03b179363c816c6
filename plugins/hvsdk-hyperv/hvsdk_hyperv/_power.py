"""The power verbs. Each looks at the state in the request that changes it, and answers the domain as it is then."""

from __future__ import annotations

from hvsdk.driver import Deadline, DomainInfo, Task

from hvsdk_hyperv._listing import ListingReads

__all__ = ["PowerVerbs"]


class PowerVerbs(ListingReads):
    """`start` to `resume`."""

    def start(self, native_id: str, *, deadline: Deadline) -> Task[DomainInfo | None]:
        """Start it, or go on with the memory that was saved, unpaused."""
        return self._power("power.start", native_id, deadline)

    def resume(self, native_id: str, *, deadline: Deadline) -> Task[DomainInfo | None]:
        return self._power("power.resume", native_id, deadline)

    def suspend(self, native_id: str, *, deadline: Deadline) -> Task[DomainInfo | None]:
        return self._power("power.suspend", native_id, deadline)

    def power_off(self, native_id: str, *, discard_memory: bool, deadline: Deadline) -> Task[DomainInfo | None]:
        arguments = {"id": native_id, "discard": discard_memory}
        return self.begin("power.off", arguments, deadline=deadline, result=self.domain_info)

    def reset(self, native_id: str, *, deadline: Deadline) -> Task[DomainInfo | None]:
        return self._power("power.reset", native_id, deadline)

    def shutdown(self, native_id: str, *, deadline: Deadline) -> DomainInfo:
        """Ask the guest through the shutdown service, without force.

        Hyper-V does not tell whether a guest has integration services that have not begun yet, or none: within two minutes
        after the start it may have some.
        """
        return self.domain_info(self.call("power.shutdown", {"id": native_id}, deadline=deadline))

    def reboot(self, native_id: str, *, deadline: Deadline) -> DomainInfo:
        return self.domain_info(self.call("power.reboot", {"id": native_id}, deadline=deadline))

    def pause(self, native_id: str, *, deadline: Deadline) -> DomainInfo:
        return self.domain_info(self.call("power.pause", {"id": native_id}, deadline=deadline))

    def unpause(self, native_id: str, *, deadline: Deadline) -> DomainInfo:
        return self.domain_info(self.call("power.unpause", {"id": native_id}, deadline=deadline))

    def _power(self, operation: str, native_id: str, deadline: Deadline) -> Task[DomainInfo | None]:
        return self.begin(operation, {"id": native_id}, deadline=deadline, result=self.domain_info)
