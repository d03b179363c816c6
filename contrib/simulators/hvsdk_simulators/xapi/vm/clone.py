"""Making a VM from another: fast clone, full copy, and turning a template into a VM."""

from hvsdk_simulators.xapi.call import Call
from hvsdk_simulators.xapi.database import Object
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.messages import message
from hvsdk_simulators.xapi.vm import disks, durations, provision, records
from hvsdk_simulators.xapi.vm.operations import operation
from hvsdk_simulators.xapi.vm.templates import make_vm_of_template


@message("VM.clone(VM ref vm, string new_name) -> VM ref", role="vm-admin", since="1.1")
def clone(call: Call, vm: Object, new_name: str) -> Object:
    """Make a VM whose disks share their blocks with the original's. A checkpoint's memory is not taken along."""
    with (
        operation(call, vm, "clone"),
        disks.made_disks(call, disks.drives(call.world, vm), disks.clones_of(call)) as made,
    ):
        return _like(call, vm, new_name, made)


@message("VM.copy(VM ref vm, string new_name, SR ref sr) -> VM ref", role="vm-admin", since="1.1")
def copy(call: Call, vm: Object, new_name: str, sr: Object | None) -> Object:
    """Make a VM with full copies of the disks, in one SR or each in its own."""
    if sr is not None and sr["content_type"] == "iso":
        raise Failure("OPERATION_NOT_ALLOWED", "Cannot copy a VM's disks to an ISO SR")
    with (
        operation(call, vm, "copy"),
        disks.made_disks(call, disks.drives(call.world, vm), disks.copies_in(call, sr), seconds=durations.COPY) as made,
    ):
        return _like(call, vm, new_name, made)


@message("VM.provision(VM ref vm) -> void", role="vm-admin", since="1.1")
def provision_vm(call: Call, vm: Object) -> None:
    """Turn a template into a VM, and make the disks that its `other_config` asks for."""
    with operation(call, vm, "provision"):
        wanted = provision.disks_wanted(call.world, vm)
        provision.make_disks(call, vm, wanted)
        make_vm_of_template(call.world, vm)


def _like(call: Call, vm: Object, name: str, made: list[records.DiskCopy]) -> Object:
    new = records.copy_record(call.world, vm, name=name, snapshot=False)
    records.copy_devices(call.world, vm, new, made, keep_macs=False)
    return new
