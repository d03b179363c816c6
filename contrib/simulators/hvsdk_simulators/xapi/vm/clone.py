"""Making a VM from another: fast clone, full copy, and turning a template into a VM."""

from hvsdk_simulators.xapi.call import Call
from hvsdk_simulators.xapi.database import NULL, Object
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.messages import message
from hvsdk_simulators.xapi.vm import disks, durations, provision, records, states
from hvsdk_simulators.xapi.vm.operations import operation
from hvsdk_simulators.xapi.vm.templates import make_vm_of_template


@message("VM.clone(VM ref vm, string new_name) -> VM ref", role="vm-admin", since="1.1")
def clone(call: Call, vm: Object, new_name: str) -> Object:
    """Make a VM whose disks share their blocks with the original's. What is made from a checkpoint is suspended."""
    make = disks.clones_of(call)
    with (
        operation(call, vm, "clone"),
        disks.made_disks(call, disks.drives(call.world, vm), make) as made,
    ):
        return _like(call, vm, new_name, made, make)


@message("VM.copy(VM ref vm, string new_name, SR ref sr) -> VM ref", role="vm-admin", since="1.1")
def copy(call: Call, vm: Object, new_name: str, sr: Object | None) -> Object:
    """Make a VM with full copies of the disks, in one SR or each in its own."""
    if sr is not None and sr["content_type"] == "iso":
        raise Failure("OPERATION_NOT_ALLOWED", "Cannot copy a VM's disks to an ISO SR")
    make = disks.copies_in(call, sr)
    with (
        operation(call, vm, "copy"),
        disks.made_disks(call, disks.drives(call.world, vm), make, seconds=durations.COPY) as made,
    ):
        return _like(call, vm, new_name, made, make)


@message("VM.provision(VM ref vm) -> void", role="vm-admin", since="1.1")
def provision_vm(call: Call, vm: Object) -> None:
    """Turn a template into a VM, and make the disks that its `other_config` asks for."""
    with operation(call, vm, "provision"):
        wanted = provision.disks_wanted(call.world, vm)
        provision.make_disks(call, vm, wanted)
        make_vm_of_template(call.world, vm)


def _like(call: Call, vm: Object, name: str, made: list[records.DiskCopy], make: disks.MakeDisk) -> Object:
    saved = call.world.db.lookup("VDI", vm["suspend_VDI"]) if vm["power_state"] == states.SUSPENDED else None
    memory = make(saved).ref if saved is not None else NULL
    state = states.HALTED if memory == NULL else states.SUSPENDED
    new = records.copy_record(call.world, vm, name=name, snapshot=False, power_state=state, suspend_VDI=memory)
    records.copy_devices(call.world, vm, new, made, keep_macs=False)
    return new
