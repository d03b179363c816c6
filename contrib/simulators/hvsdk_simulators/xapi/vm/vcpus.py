"""Setting how many virtual CPUs a VM has."""

from hvsdk_simulators.xapi.call import Call
from hvsdk_simulators.xapi.database import Object
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.messages import message
from hvsdk_simulators.xapi.vm import states
from hvsdk_simulators.xapi.vm.memory_rules import overhead
from hvsdk_simulators.xapi.vm.operations import operation
from hvsdk_simulators.xapi.vm.situation import is_dom0

_ORDER = "VCPU values must satisfy: 0 < VCPUs_at_startup ≤ VCPUs_max"


@message("VM.set_VCPUs_max(VM ref self, int value) -> void", role="vm-admin", since="1.7")
def set_max(call: Call, self: Object, value: int) -> None:
    """Set how many the VM can have at most."""
    with operation(call, self, "changing_VCPUs"):
        if not max(1, self["VCPUs_at_startup"]) <= value:
            raise Failure("INVALID_VALUE", _ORDER, str(value))
        call.world.db.update(self, VCPUs_max=value)
        call.world.db.update(self, memory_overhead=overhead(self))
        if self["is_control_domain"] and self["power_state"] == states.RUNNING:
            call.world.db.update(self, requires_reboot=True)


@message("VM.set_VCPUs_at_startup(VM ref self, int value) -> void", role="vm-admin", since="1.7")
def set_at_startup(call: Call, self: Object, value: int) -> None:
    """Set how many the VM boots with; of a running one, from its next boot on."""
    if is_dom0(self):
        raise Failure("OPERATION_NOT_ALLOWED", "set_VCPUs_at_startup is not allowed on dom0")
    if not 1 <= value <= self["VCPUs_max"]:
        raise Failure("INVALID_VALUE", _ORDER, str(value))
    call.world.db.update(self, VCPUs_at_startup=value)


@message("VM.set_VCPUs_number_live(VM ref self, int nvcpu) -> void", role="vm-admin", since="1.1")
def set_number_live(call: Call, self: Object, nvcpu: int) -> None:
    """Plug vCPUs into a running VM, or unplug some."""
    with operation(call, self, "changing_VCPUs_live"):
        if not 1 <= nvcpu <= self["VCPUs_max"]:
            raise Failure("INVALID_VALUE", "VCPUs_number", str(nvcpu))
        metrics = call.world.db.get("VM_metrics", self["metrics"])
        numbers = range(nvcpu)
        call.world.db.update(
            metrics,
            VCPUs_number=nvcpu,
            VCPUs_CPU={number: number for number in numbers},
            VCPUs_flags={number: ["online"] for number in numbers},
            last_updated=call.world.now(),
        )
        call.world.db.update(self, VCPUs_at_startup=nvcpu)


@message("VM.add_to_VCPUs_params_live(VM ref self, string key, string value) -> void", role="vm-admin", since="1.1")
def add_to_params_live(call: Call, self: Object, key: str, value: str) -> None:
    """Refuse: the product has the message, but not what it stands for."""
    with operation(call, self, "changing_VCPUs_live"):
        raise Failure("NOT_IMPLEMENTED", "add_to_VCPUs_params_live")
