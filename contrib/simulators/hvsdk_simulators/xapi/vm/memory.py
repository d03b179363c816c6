"""Setting how much memory a VM may have."""

from hvsdk_simulators.xapi.call import Call
from hvsdk_simulators.xapi.database import Object
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.messages import message
from hvsdk_simulators.xapi.units import MIB
from hvsdk_simulators.xapi.vm import hosts, states
from hvsdk_simulators.xapi.vm.memory_rules import assert_order, overhead
from hvsdk_simulators.xapi.vm.operations import operation


@message(
    "VM.set_memory_limits(VM ref self, int static_min, int static_max, int dynamic_min, int dynamic_max) -> void",
    role="vm-power-admin",
    since="1.7",
)
def set_memory_limits(
    call: Call, self: Object, static_min: int, static_max: int, dynamic_min: int, dynamic_max: int
) -> None:
    """Set all four limits at once."""
    with operation(call, self, "changing_memory_limits"):
        _set(call, self, static_min, dynamic_min, dynamic_max, static_max)


@message("VM.set_memory(VM ref self, int value) -> void", role="vm-power-admin", since="2.6")
def set_memory(call: Call, self: Object, value: int) -> None:
    """Give the VM an amount that does not change while it runs."""
    with operation(call, self, "changing_memory_limits"):
        _set(call, self, self["memory_static_min"], value, value, value)


@message("VM.set_memory_static_range(VM ref self, int min, int max) -> void", role="vm-power-admin", since="1.7")
def set_memory_static_range(call: Call, self: Object, min: int, max: int) -> None:
    """Set the limits between which the dynamic range lies."""
    with operation(call, self, "changing_static_range"):
        _set(call, self, min, self["memory_dynamic_min"], self["memory_dynamic_max"], max)


@message("VM.set_memory_static_min(VM ref self, int value) -> void", role="vm-power-admin", since="1.7")
def set_memory_static_min(call: Call, self: Object, value: int) -> None:
    """Set the lower static limit."""
    set_memory_static_range(call, self, value, self["memory_static_max"])


@message("VM.set_memory_static_max(VM ref self, int value) -> void", role="vm-power-admin", since="1.3")
def set_memory_static_max(call: Call, self: Object, value: int) -> None:
    """Set the upper static limit."""
    set_memory_static_range(call, self, self["memory_static_min"], value)


@message("VM.set_memory_dynamic_range(VM ref self, int min, int max) -> void", role="vm-power-admin", since="1.7")
def set_memory_dynamic_range(call: Call, self: Object, min: int, max: int) -> None:
    """Set between which amounts the running VM's memory may move. The guest's balloon follows soon."""
    with operation(call, self, "changing_dynamic_range"):
        assert_order(self["memory_static_min"], min, max, self["memory_static_max"])
        if self["power_state"] == states.RUNNING:
            _assert_room(call, self, min)
        call.world.db.update(self, memory_dynamic_min=min, memory_dynamic_max=max, memory_target=min)
        if self["power_state"] == states.RUNNING:
            _balloon(call, self)


@message("VM.set_memory_dynamic_min(VM ref self, int value) -> void", role="vm-power-admin", since="1.7")
def set_memory_dynamic_min(call: Call, self: Object, value: int) -> None:
    """Set the lower dynamic limit."""
    set_memory_dynamic_range(call, self, value, self["memory_dynamic_max"])


@message("VM.set_memory_dynamic_max(VM ref self, int value) -> void", role="vm-power-admin", since="1.7")
def set_memory_dynamic_max(call: Call, self: Object, value: int) -> None:
    """Set the upper dynamic limit."""
    set_memory_dynamic_range(call, self, self["memory_dynamic_min"], value)


@message("VM.set_memory_target_live(VM ref self, int target) -> void", role="vm-power-admin", since="1.1")
def set_memory_target_live(call: Call, self: Object, target: int) -> None:
    """Do nothing: the dynamic range took its place."""
    with operation(call, self, "changing_memory_live"):
        pass


@message("VM.wait_memory_target_live(VM ref self) -> void", since="1.3")
def wait_memory_target_live(call: Call, self: Object) -> None:
    """Wait until the running VM has the memory it is to have; it always has at once."""
    with operation(call, self, "awaiting_memory_live"):
        pass


@message("VM.get_cooperative(VM ref self) -> bool", since="1.7")
def get_cooperative(call: Call, self: Object) -> bool:
    """Whether the guest's balloon does as it is told; the product says yes whatever it does."""
    return True


@message("VM.compute_memory_overhead(VM ref vm) -> int", since="1.7")
def compute_memory_overhead(call: Call, vm: Object) -> int:
    """Bytes that the hypervisor needs beside the guest's own."""
    return overhead(vm)


@message("VM.maximise_memory(VM ref self, int total, bool approximate) -> int", since="1.2")
def maximise_memory(call: Call, self: Object, total: int, approximate: bool) -> int:
    """The largest memory_static_max, in whole MiB, that fits into an amount with its overhead."""
    vcpus = 64 if approximate else self["VCPUs_max"]
    left = total - (vcpus + 2) * MIB
    return max(0, left * 128 // 129 // MIB * MIB)


def _set(call: Call, vm: Object, static_min: int, dynamic_min: int, dynamic_max: int, static_max: int) -> None:
    assert_order(static_min, dynamic_min, dynamic_max, static_max)
    db = call.world.db
    db.update(vm, memory_static_min=static_min, memory_static_max=static_max, memory_target=dynamic_min)
    db.update(vm, memory_dynamic_min=dynamic_min, memory_dynamic_max=dynamic_max, memory_overhead=overhead(vm))
    if vm["is_control_domain"] and vm["power_state"] == states.RUNNING:
        db.update(vm, requires_reboot=True)


def _assert_room(call: Call, vm: Object, least: int) -> None:
    host = call.world.db.get("host", vm["resident_on"])
    needed = least + vm["memory_overhead"]
    available = hosts.memory_free(call.world, host, without=vm)
    if available < needed:
        raise Failure("HOST_NOT_ENOUGH_FREE_MEMORY", str(needed), str(available))


def _balloon(call: Call, vm: Object) -> None:
    metrics = call.world.db.lookup("VM_metrics", vm["metrics"])
    if metrics is not None:
        within = max(vm["memory_dynamic_min"], min(vm["memory_dynamic_max"], metrics["memory_actual"]))
        call.world.db.update(metrics, memory_actual=within, last_updated=call.world.now())
        call.world.db.update(vm, memory_target=within)
