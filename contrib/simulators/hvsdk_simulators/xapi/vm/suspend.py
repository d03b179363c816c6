"""Saving a VM's memory to a disk, and running on from it."""

from hvsdk_simulators.xapi.call import Call
from hvsdk_simulators.xapi.database import NULL, Object
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.messages import message
from hvsdk_simulators.xapi.units import MIB
from hvsdk_simulators.xapi.vm import domain, durations, hosts, states
from hvsdk_simulators.xapi.vm.guest import guest_of
from hvsdk_simulators.xapi.vm.operations import operation
from hvsdk_simulators.xapi.vm.power import assert_disks_are_free
from hvsdk_simulators.xapi.vm.situation import assert_state
from hvsdk_simulators.xapi.world import World


@message("VM.suspend(VM ref vm) -> void", role="vm-operator", since="1.1")
def suspend(call: Call, vm: Object) -> None:
    """Save the VM's memory to a VDI and give up its domain."""
    with operation(call, vm, "suspend"):
        call.world.db.update(vm, ha_always_run=False)
        domain.save(call.world, vm, save_memory(call, vm))


@message("VM.resume(VM ref vm, bool start_paused, bool force) -> void", role="vm-operator", since="1.1")
def resume(call: Call, vm: Object, start_paused: bool, force: bool) -> None:
    """Run a suspended VM on, on a host that the pool chooses."""
    with operation(call, vm, "resume"):
        _run_on(call, vm, hosts.choose_host(call.world, vm), paused=start_paused)


@message(
    "VM.resume_on(VM ref vm, host ref host, bool start_paused, bool force) -> void", role="vm-power-admin", since="1.1"
)
def resume_on(call: Call, vm: Object, host: Object, start_paused: bool, force: bool) -> None:
    """Run a suspended VM on, on one host."""
    with operation(call, vm, "resume_on"):
        hosts.assert_can_run(call.world, vm, host)
        _run_on(call, vm, host, paused=start_paused)


def save_memory(call: Call, vm: Object) -> Object:
    """Write the memory of a running VM to a new VDI. Cancelled, it leaves none behind."""
    sr = suspend_sr(call.world, vm)
    metrics = call.world.db.lookup("VM_metrics", vm["metrics"])
    memory = metrics["memory_actual"] if metrics else vm["memory_dynamic_max"]
    vdi: Object = call.world.storage.create_vdi(
        sr, memory + vm["memory_overhead"] + MIB, type="suspend", name="Suspend image"
    )
    try:
        _ask_guest(call, vm)
        durations.work(call, durations.SAVE)
        assert_state(vm, states.RUNNING)
    except BaseException:
        call.world.storage.destroy_vdi(vdi)
        raise
    return vdi


def _ask_guest(call: Call, vm: Object) -> None:
    guest = guest_of(call.world, vm)
    if not guest.acknowledges_suspend:
        call.wait(guest.acknowledge_timeout)
        raise Failure("VM_FAILED_SUSPEND_ACKNOWLEDGMENT", vm.ref)


def suspend_sr(world: World, vm: Object) -> Object:
    """The SR for the VM's memory: its own choice, its host's, the pool's default."""
    host = world.db.lookup("host", vm["resident_on"])
    choices = (vm["suspend_SR"], host["suspend_image_sr"] if host else NULL, world.pool["suspend_image_SR"])
    for ref in (*choices, world.pool["default_SR"]):
        sr = world.db.lookup("SR", ref)
        if sr is not None:
            return sr
    raise Failure("VM_NO_SUSPEND_SR", vm.ref)


def _run_on(call: Call, vm: Object, host: Object, *, paused: bool) -> None:
    world = call.world
    vdi = world.db.lookup("VDI", vm["suspend_VDI"])
    if vdi is None:
        raise Failure("VM_HAS_NO_SUSPEND_VDI", vm.ref)
    assert_disks_are_free(world, vm)
    world.db.update(vm, scheduled_to_be_resident_on=host.ref)
    try:
        durations.work(call, durations.RESTORE)
        assert_state(vm, states.SUSPENDED)
        domain.restore(world, vm, host, paused=paused)
        world.db.update(vm, suspend_VDI=NULL, ha_always_run=vm["ha_restart_priority"] == "restart")
        world.storage.destroy_vdi(vdi)
    finally:
        world.db.update(vm, scheduled_to_be_resident_on=NULL)
