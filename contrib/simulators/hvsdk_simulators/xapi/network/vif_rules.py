"""What may be done with a VM's network interface now, and with which error the product refuses the rest."""

from __future__ import annotations

from hvsdk_simulators.xapi.call import refusal
from hvsdk_simulators.xapi.database import Object, derived
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.world import World

OPERATIONS = ("attach", "plug", "unplug")
_HOT = ("plug", "unplug")


@derived("VIF", "allowed_operations")
def allowed_operations(world: World, vif: Object) -> list[str]:
    """The operations that may begin now."""
    if world.db.lookup("VM", vif["VM"]) is None:
        return []
    return [op for op in OPERATIONS if refusal_of(world, vif, op) is None]


@refusal("VIF")
def refusal_of(world: World, vif: Object, op: str) -> Failure | None:
    """The first reason against an operation, or None when it may begin."""
    vm = world.db.get("VM", vif["VM"])
    if vif["current_operations"]:
        running = next(iter(vif["current_operations"].values()))
        return Failure("OTHER_OPERATION_IN_PROGRESS", "VIF", vif.ref, running)
    if op not in _HOT:
        return None
    if vm["is_control_domain"]:
        return Failure("OPERATION_NOT_ALLOWED", "VIFs of control domains cannot be plugged or unplugged")
    if vm["power_state"] != "Running":
        return Failure("VM_BAD_POWER_STATE", vm.ref, "running", vm["power_state"].lower())
    if op == "plug" and vif["currently_attached"]:
        return Failure("DEVICE_ALREADY_ATTACHED", vif.ref)
    if op == "unplug" and not vif["currently_attached"]:
        return Failure("DEVICE_ALREADY_DETACHED", vif.ref)
    return _drivers_refuse(world, vm)


def _drivers_refuse(world: World, vm: Object) -> Failure | None:
    """A guest on emulated hardware changes interfaces only when its drivers can; a paravirtual one always can."""
    metrics = world.db.lookup("VM_metrics", vm["metrics"])
    booted = metrics["current_domain_type"] if metrics is not None else "unspecified"
    hvm = booted == "hvm" if booted != "unspecified" else bool(vm["HVM_boot_policy"])
    if not hvm:
        return None
    guest = world.db.lookup("VM_guest_metrics", vm["guest_metrics"])
    told = guest["can_use_hotplug_vif"] if guest is not None else "unspecified"
    if told == "no":
        return Failure("OPERATION_NOT_ALLOWED", "VM states it does not support VIF hotplug.")
    if told == "yes" or (guest is not None and guest["PV_drivers_version"]):
        return None
    return Failure("VM_MISSING_PV_DRIVERS", vm.ref)
