"""Appliances: VMs that are started and stopped together."""

from collections.abc import Callable

from hvsdk_simulators.xapi.call import Call
from hvsdk_simulators.xapi.database import Object
from hvsdk_simulators.xapi.derived import derived
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.messages import message
from hvsdk_simulators.xapi.vm import power, states
from hvsdk_simulators.xapi.world import World


@derived("VM_appliance", "allowed_operations")
def allowed_operations(world: World, appliance: Object) -> list[str]:
    """The field of this name: what at least one of the VMs can take."""
    if appliance["current_operations"]:
        return []
    found = {vm["power_state"] for vm in _members(world, appliance)}
    starts = ["start"] if states.HALTED in found else []
    stops = ["clean_shutdown", "hard_shutdown", "shutdown"] if found - {states.HALTED} else []
    return starts + stops


@message("VM_appliance.start(VM_appliance ref self, bool paused) -> void", role="pool-operator", since="1.9")
def start(call: Call, self: Object, paused: bool) -> None:
    """Start the VMs in their order."""
    _each(call, self, "start", (states.HALTED,), lambda vm: power.start(call, vm, paused, False))


@message("VM_appliance.clean_shutdown(VM_appliance ref self) -> void", role="pool-operator", since="1.9")
def clean_shutdown(call: Call, self: Object) -> None:
    """Ask the guests to go down, the last started first."""
    _each(call, self, "clean_shutdown", (states.RUNNING,), lambda vm: power.clean_shutdown(call, vm))


@message("VM_appliance.hard_shutdown(VM_appliance ref self) -> void", role="pool-operator", since="1.9")
def hard_shutdown(call: Call, self: Object) -> None:
    """Cut the power of the VMs."""
    on = (states.RUNNING, states.PAUSED, states.SUSPENDED)
    _each(call, self, "hard_shutdown", on, lambda vm: power.hard_shutdown(call, vm))


@message("VM_appliance.shutdown(VM_appliance ref self) -> void", role="pool-operator", since="1.9")
def shutdown(call: Call, self: Object) -> None:
    """Ask the guests to go down, and cut the power of those that do not."""
    on = (states.RUNNING, states.PAUSED, states.SUSPENDED)
    _each(call, self, "shutdown", on, lambda vm: power.shutdown(call, vm))


def _members(world: World, appliance: Object) -> list[Object]:
    return [vm for ref in appliance["VMs"] if (vm := world.db.lookup("VM", ref)) is not None]


def _each(call: Call, appliance: Object, name: str, wanted: tuple[str, ...], act: Callable[[Object], None]) -> None:
    with call.operation(appliance, name):
        members = sorted(_members(call.world, appliance), key=lambda vm: int(vm["order"]), reverse=name != "start")
        failed = False
        for vm in members:
            if vm["power_state"] not in wanted:
                continue
            try:
                act(vm)
            except Failure as failure:
                if failure.code == "TASK_CANCELLED":
                    raise
                failed = True
        if failed:
            raise Failure("OPERATION_PARTIALLY_FAILED", name)
