"""Templates: VM records that are not run but cloned."""

from hvsdk_simulators.xapi.call import Call
from hvsdk_simulators.xapi.database import NULL, Object
from hvsdk_simulators.xapi.messages import message
from hvsdk_simulators.xapi.vm.operations import operation
from hvsdk_simulators.xapi.world import World


@message("VM.set_is_a_template(VM ref self, bool value) -> void", role="vm-admin", since="1.1")
def set_is_a_template(call: Call, self: Object, value: bool) -> None:
    """Make a halted VM a template, or a template a VM. A template has no metrics."""
    if not value:
        make_vm_of_template(call.world, self)
        return
    with operation(call, self, "make_into_template"):
        make_template(call.world, self)


def make_template(world: World, vm: Object) -> None:
    """Turn a VM's record into a template's."""
    metrics = world.db.lookup("VM_metrics", vm["metrics"])
    world.db.update(vm, is_a_template=True, ha_always_run=False, metrics=NULL)
    if metrics is not None:
        world.db.delete(metrics)
    for ref in list(vm["VUSBs"]):
        world.db.delete(world.db.get("VUSB", ref))


def make_vm_of_template(world: World, vm: Object) -> None:
    """Turn a template's record into a VM's, installed now."""
    metrics = world.db.lookup("VM_metrics", vm["metrics"])
    if metrics is None:
        metrics = world.db.create("VM_metrics")
    world.db.update(metrics, install_time=world.now())
    world.db.update(vm, is_a_template=False, metrics=metrics.ref)
