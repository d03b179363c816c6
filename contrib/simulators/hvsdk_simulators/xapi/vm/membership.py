"""What a VM belongs to: appliance, protection, schedule, and the order in which it starts among others."""

from hvsdk_simulators.xapi.call import Call
from hvsdk_simulators.xapi.database import NULL, Object
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.messages import message
from hvsdk_simulators.xapi.vm import states
from hvsdk_simulators.xapi.vm.situation import assert_state

_PRIORITIES = ("", "restart", "best-effort")


@message("VM.set_appliance(VM ref self, VM_appliance ref value) -> void", role="pool-operator", since="1.9")
def set_appliance(call: Call, self: Object, value: Object | None) -> None:
    """Make the VM part of an appliance, or of none."""
    if self["is_control_domain"] or self["is_a_template"] or self["is_a_snapshot"]:
        reason = "Control domains, templates and snapshots cannot be assigned to appliances."
        raise Failure("OPERATION_NOT_ALLOWED", reason)
    call.world.db.update(self, appliance=value.ref if value else NULL)


@message("VM.set_ha_restart_priority(VM ref self, string value) -> void", role="pool-operator", since="1.3")
def set_ha_restart_priority(call: Call, self: Object, value: str) -> None:
    """Say whether high availability starts the VM again: `restart`, `best-effort` or nothing."""
    if value not in _PRIORITIES:
        raise Failure("INVALID_VALUE", "ha_restart_priority", value)
    call.world.db.update(self, ha_restart_priority=value)
    if self["power_state"] == states.RUNNING:
        call.world.db.update(self, ha_always_run=value == "restart")


@message("VM.set_ha_always_run(VM ref self, bool value) -> void", role="pool-operator", since="1.3")
def set_ha_always_run(call: Call, self: Object, value: bool) -> None:
    """Set the priority that this older flag stands for."""
    set_ha_restart_priority(call, self, "restart" if value else "")


@message("VM.set_order(VM ref self, int value) -> void", role="pool-operator", since="1.9")
def set_order(call: Call, self: Object, value: int) -> None:
    """Set the VM's place in the order of an appliance or a recovery."""
    _set_natural(call, self, "order", value)


@message("VM.set_start_delay(VM ref self, int value) -> void", role="pool-operator", since="1.9")
def set_start_delay(call: Call, self: Object, value: int) -> None:
    """Set the seconds to wait after the VM's start before the next in order."""
    _set_natural(call, self, "start_delay", value)


@message("VM.set_shutdown_delay(VM ref self, int value) -> void", role="pool-operator", since="1.9")
def set_shutdown_delay(call: Call, self: Object, value: int) -> None:
    """Set the seconds that the guest has to go down."""
    _set_natural(call, self, "shutdown_delay", value)


@message("VM.set_snapshot_schedule(VM ref self, VMSS ref value) -> void", role="pool-operator", since="2.7")
def set_snapshot_schedule(call: Call, self: Object, value: Object | None) -> None:
    """Let a schedule take snapshots of the VM, or none."""
    if value is not None and self["is_control_domain"]:
        raise Failure("INVALID_VALUE", "snapshot_schedule", value.ref)
    if value is not None and self["is_a_template"]:
        raise Failure("VM_IS_TEMPLATE", self.ref)
    call.world.db.update(self, snapshot_schedule=value.ref if value else NULL)


@message(
    "VM.set_protection_policy(VM ref self, VMPP ref value) -> void", role="pool-operator", since="1.8", until="2.0"
)
def set_protection_policy(call: Call, self: Object, value: Object | None) -> None:
    """Refuse: the policies went with XenServer 6.2."""
    raise Failure("MESSAGE_REMOVED")


@message("VM.set_suspend_VDI(VM ref self, VDI ref value) -> void", role="pool-operator", since="1.9")
def set_suspend_vdi(call: Call, self: Object, value: Object) -> None:
    """Use another copy of the saved memory of a suspended VM."""
    assert_state(self, states.SUSPENDED)
    if value["type"] == "cbt_metadata":
        raise Failure("VDI_INCOMPATIBLE_TYPE", self.ref, "cbt_metadata")
    call.world.db.update(self, suspend_VDI=value.ref)


def _set_natural(call: Call, vm: Object, field: str, value: int) -> None:
    if value < 0:
        raise Failure("INVALID_VALUE", f"{field} must be non-negative", str(value))
    call.world.db.update(vm, **{field: value})
