"""Network adapters of domains that are there."""

from __future__ import annotations

from typing import Any

from hvsdk.driver import Deadline, NicSpec, Result, errors, finish
from pyVmomi import vim

from hvsdk_vmware._changes import ChangeVerbs, refuse_suspended
from hvsdk_vmware._controllers import Slots
from hvsdk_vmware._hardware import Subject
from hvsdk_vmware._nics import NicPlans, connection

__all__ = ["AdapterVerbs", "find_adapter"]

device = vim.vm.device
_MOST = 10


class AdapterVerbs(ChangeVerbs, NicPlans):
    """`attach_nic`, `detach_nic` and `set_nic_link`."""

    def attach_nic(self, native_id: str, nic: NicSpec, *, deadline: Deadline) -> Result[str]:
        """Add an adapter, into a running guest too, on a network that the domain's host has."""
        vm = self.subject(native_id, deadline)
        refuse_suspended(vm, "attach_nic")
        present = _adapters(vm)
        if nic.mac is not None and nic.mac in {_mac(one) for one in present}:
            raise errors.AlreadyExistsError(f"{vm.name!r} already has an adapter {nic.mac}")
        if len(present) >= _MOST:
            raise errors.InvalidSpecError(f"{vm.name!r} has {len(present)} adapters, and vSphere gives no more")
        (plan,) = self.plan_nics([nic], deadline, host=vm.host)
        slots = Slots(vm.devices)
        change = plan.change(slots)
        kind = type(change.device)
        return self.change_devices(vm, [change], deadline, lambda _: self.new_device(vm, kind))

    def detach_nic(self, native_id: str, nic_id: str, *, deadline: Deadline) -> Result[None]:
        """Take an adapter out."""
        vm = self.subject(native_id, deadline)
        refuse_suspended(vm, "detach_nic")
        change = device.VirtualDeviceSpec(operation="remove", device=find_adapter(vm, nic_id))
        return self.change_devices(vm, [change], deadline)

    def set_nic_link(self, native_id: str, nic_id: str, up: bool, *, deadline: Deadline) -> None:
        """Plug or unplug the cable, now and at the next start; the guest sees the carrier go."""
        vm = self.subject(native_id, deadline)
        adapter = find_adapter(vm, nic_id)
        link = adapter.connectable
        on = vm.values.get("runtime.powerState") == "poweredOn"
        if link is not None and bool(link.startConnected) is up and (not on or bool(link.connected) is up):
            return
        refuse_suspended(vm, "set_nic_link")
        wanted = connection(up)
        if link is not None:
            wanted.allowGuestControl = link.allowGuestControl
        adapter.connectable = wanted
        change = device.VirtualDeviceSpec(operation="edit", device=adapter)
        finish(self.change_devices(vm, [change], deadline), deadline.remaining())


def find_adapter(vm: Subject, nic_id: str) -> Any:
    """Return an adapter by its id or MAC.

    Raises:
        NicNotFoundError: There is none.
    """
    for one in _adapters(vm):
        if nic_id in (str(one.key), _mac(one)):
            return one
    raise errors.NicNotFoundError(f"{vm.name!r} has no network adapter {nic_id!r}")


def _adapters(vm: Subject) -> list[Any]:
    return [one for one in vm.devices if isinstance(one, device.VirtualEthernetCard)]


def _mac(adapter: Any) -> str:
    return str(adapter.macAddress or "").lower()
