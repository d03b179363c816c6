"""Network adapters of domains that are there."""

from __future__ import annotations

from hvsdk.driver import Deadline, NicSpec, Result, Steps, StepsTask, errors

from hvsdk_xen._hardware import HardwareVerbs, Subject
from hvsdk_xen._making import Making
from hvsdk_xen._nics import LINK_DOWN, NicPlan, NicPlans

__all__ = ["NicVerbs"]

LOCKING = "hvsdk-locking-mode"
"""Key of a VIF's `other_config` with the locking mode that it had before its link went down."""
_USUAL_MODE = "network_default"


class NicVerbs(NicPlans, HardwareVerbs):
    """`attach_nic`, `detach_nic` and `set_nic_link`."""

    def attach_nic(self, native_id: str, nic: NicSpec, *, deadline: Deadline) -> Result[str]:
        """Add an adapter; into a running guest it is plugged, which takes Xen's drivers in it."""
        vm = self.subject(native_id, deadline)
        vm.refuse_suspended("attach_nic")
        (plan,) = self.plan_nics([nic], deadline)
        if nic.mac is not None:
            taken = {str(vif.get("MAC", "")).lower() for vif in self.adapters(vm, deadline).values()}
            if nic.mac in taken:
                raise errors.AlreadyExistsError(f"{vm.name!r} already has an adapter {nic.mac}")
        making = Making(self)
        return making.begin(lambda: self._attach_nic(making, vm, plan))

    def _attach_nic(self, making: Making, vm: Subject, plan: NicPlan) -> Steps[str]:
        answer = self.call("VM.get_allowed_VIF_devices", vm.ref, deadline=self.soon())
        free = [number for number in map(str, answer) if number.isdecimal()]
        if not free:
            raise errors.InvalidSpecError(f"{vm.name!r} has no room for another adapter")
        number = min(free, key=int)
        vif = making.create("VIF", plan.record(vm.ref, number))
        if vm.is_on:
            yield from self.plug(making, "VIF", vif, vm.native_id)
        return number

    def detach_nic(self, native_id: str, nic_id: str, *, deadline: Deadline) -> Result[None]:
        """Take an adapter out: out of the guest first, which has to let it go, then out of the domain."""
        vm = self.subject(native_id, deadline)
        vm.refuse_suspended("detach_nic")
        ref, adapter = self.find_adapter(vm, nic_id, deadline)
        return StepsTask(self.take_out(vm, "VIF", ref, plugged=bool(adapter.get("currently_attached"))))

    def set_nic_link(self, native_id: str, nic_id: str, up: bool, *, deadline: Deadline) -> None:
        """Let frames pass, or none: XAPI has no carrier, but a mode in which the switch drops all.

        The mode before is kept beside it, so that an adapter that was locked to its addresses is so again.
        """
        ref, adapter = self.find_adapter(self.subject(native_id, deadline), nic_id, deadline)
        mode = str(adapter.get("locking_mode", _USUAL_MODE))
        if up is (mode != LINK_DOWN):
            return
        kept = adapter.get("other_config", {}).get(LOCKING)
        if not up and kept is not None:  # of a change that was cut short
            self.call("VIF.remove_from_other_config", ref, LOCKING, deadline=deadline)
        if not up and mode != _USUAL_MODE:
            self.call("VIF.add_to_other_config", ref, LOCKING, mode, deadline=deadline)
        wanted = (kept or _USUAL_MODE) if up else LINK_DOWN
        self.call("VIF.set_locking_mode", ref, wanted, deadline=deadline)
        if up and kept is not None:
            self.call("VIF.remove_from_other_config", ref, LOCKING, deadline=deadline)
