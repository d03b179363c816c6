"""Trusted platform modules of VMs."""

from __future__ import annotations

from hvsdk_simulators.xapi.call import Call
from hvsdk_simulators.xapi.database import Object, derived
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.messages import message
from hvsdk_simulators.xapi.vm import states
from hvsdk_simulators.xapi.vm.operations import operation
from hvsdk_simulators.xapi.vm.situation import assert_state
from hvsdk_simulators.xapi.world import World


@derived("VTPM", "allowed_operations")
def allowed_operations(world: World, vtpm: Object) -> list[str]:
    """A module can be destroyed while its VM is off."""
    vm = world.db.lookup("VM", vtpm["VM"])
    return ["destroy"] if vm is not None and vm["power_state"] == states.HALTED else []


@message("VTPM.create(VM ref vM, bool is_unique) -> VTPM ref", role="vm-admin", since="2.20")
def create(call: Call, vm: Object, is_unique: bool) -> Object:
    """Give a VM a module, which must be halted and boot by UEFI. One that is unique is not copied with the VM."""
    with operation(call, vm, "create_vtpm"):
        if vm["HVM_boot_params"].get("firmware") != "uefi":
            raise Failure("OPERATION_NOT_ALLOWED", "VTPM can only be used with UEFI firmware")
        return call.world.db.create("VTPM", VM=vm.ref, is_unique=is_unique)


@message("VTPM.destroy(VTPM ref self) -> void", role="vm-admin", since="2.20")
def destroy(call: Call, self: Object) -> None:
    """Take a module with all its keys from its VM, which must be halted."""
    vm = call.world.db.get("VM", self["VM"])
    assert_state(vm, states.HALTED)
    call.world.db.delete(self)
