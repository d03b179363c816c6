"""Starting, pausing and stopping."""

from hvsdk_simulators.xapi.call import Call
from hvsdk_simulators.xapi.database import NULL, Object
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.messages import message
from hvsdk_simulators.xapi.storage.vbd_rules import sharing_refusal
from hvsdk_simulators.xapi.vm import disks, domain, durations, hosts, states
from hvsdk_simulators.xapi.vm.boot_loader import assert_boots
from hvsdk_simulators.xapi.vm.guest import guest_of
from hvsdk_simulators.xapi.vm.operations import cancel, operation
from hvsdk_simulators.xapi.vm.situation import assert_state
from hvsdk_simulators.xapi.world import World

_CUT_SHORT_BY_SHUTDOWN = ("clean_shutdown", "clean_reboot", "hard_reboot", "pool_migrate", "call_plugin", "suspend")
_CUT_SHORT_BY_REBOOT = ("clean_shutdown", "clean_reboot", "pool_migrate", "call_plugin", "suspend")


@message("VM.start(VM ref vm, bool start_paused, bool force) -> void", role="vm-operator", since="1.1")
def start(call: Call, vm: Object, start_paused: bool, force: bool) -> None:
    """Boot the VM on a host that the pool chooses."""
    with operation(call, vm, "start"):
        _boot(call, vm, hosts.choose_host(call.world, vm), paused=start_paused)


@message(
    "VM.start_on(VM ref vm, host ref host, bool start_paused, bool force) -> void", role="vm-power-admin", since="1.1"
)
def start_on(call: Call, vm: Object, host: Object, start_paused: bool, force: bool) -> None:
    """Boot the VM on one host."""
    with operation(call, vm, "start_on"):
        hosts.assert_can_run(call.world, vm, host)
        _boot(call, vm, host, paused=start_paused)


@message("VM.pause(VM ref vm) -> void", role="vm-operator", since="1.1")
def pause(call: Call, vm: Object) -> None:
    """Stop the VM's vCPUs; it keeps its memory and its host."""
    with operation(call, vm, "pause"):
        durations.work(call, durations.PAUSE)
        assert_state(vm, states.RUNNING)
        call.world.db.update(vm, power_state=states.PAUSED)


@message("VM.unpause(VM ref vm) -> void", role="vm-operator", since="1.1")
def unpause(call: Call, vm: Object) -> None:
    """Let the VM's vCPUs run on."""
    with operation(call, vm, "unpause"):
        durations.work(call, durations.PAUSE)
        assert_state(vm, states.PAUSED)
        call.world.db.update(vm, power_state=states.RUNNING)
        if call.world.db.lookup("VM_guest_metrics", vm["guest_metrics"]) is None:
            domain.boot_guest(call.world, vm)


@message("VM.clean_shutdown(VM ref vm) -> void", role="vm-operator", since="1.1")
def clean_shutdown(call: Call, vm: Object) -> None:
    """Ask the guest to go down, and wait until it has."""
    with operation(call, vm, "clean_shutdown"):
        call.world.db.update(vm, ha_always_run=False)
        _ask_guest(call, vm, guest_of(call.world, vm).shutdown_timeout)
        if vm["power_state"] != states.HALTED:
            domain.halt(call.world, vm)


@message("VM.clean_reboot(VM ref vm) -> void", role="vm-operator", since="1.1")
def clean_reboot(call: Call, vm: Object) -> None:
    """Ask the guest to go down, and boot it anew in its place."""
    with operation(call, vm, "clean_reboot"):
        _ask_guest(call, vm, guest_of(call.world, vm).shutdown_timeout)
        if vm["power_state"] == states.HALTED:
            raise Failure("VM_HALTED", vm.ref)
        domain.reboot(call.world, vm)


@message("VM.shutdown(VM ref vm) -> void", role="vm-operator", since="2.0")
def shutdown(call: Call, vm: Object) -> None:
    """Ask the guest to go down, and cut its power when it does not for whatever reason."""
    with operation(call, vm, "shutdown"):
        if vm["power_state"] == states.RUNNING:
            try:
                _ask_guest(call, vm, float(vm["shutdown_delay"]) or guest_of(call.world, vm).shutdown_timeout)
            except Failure as failure:
                if failure.code == "TASK_CANCELLED":
                    raise
        switch_off(call, vm)


@message("VM.hard_shutdown(VM ref vm) -> void", role="vm-operator", since="1.1")
def hard_shutdown(call: Call, vm: Object) -> None:
    """Cut the power; of a suspended VM, give up the saved memory."""
    with operation(call, vm, "hard_shutdown"):
        cancel(call, vm, _CUT_SHORT_BY_SHUTDOWN)
        durations.work(call, durations.SHUTDOWN)
        switch_off(call, vm)


@message("VM.hard_reboot(VM ref vm) -> void", role="vm-operator", since="1.1")
def hard_reboot(call: Call, vm: Object) -> None:
    """Boot the VM anew without asking its guest."""
    with operation(call, vm, "hard_reboot"):
        cancel(call, vm, _CUT_SHORT_BY_REBOOT)
        durations.work(call, durations.START)
        if vm["power_state"] == states.HALTED:
            _boot(call, vm, hosts.choose_host(call.world, vm), paused=False)
            return
        assert_state(vm, states.PAUSED, states.RUNNING)
        domain.reboot(call.world, vm)


@message("VM.power_state_reset(VM ref vm) -> void", role="pool-operator", since="1.1")
def power_state_reset(call: Call, vm: Object) -> None:
    """Declare a VM halted whose host is gone. While the domain is known to run, the product refuses."""
    if vm["is_control_domain"]:
        raise Failure("CANNOT_RESET_CONTROL_DOMAIN", vm.ref)
    if vm["power_state"] in (states.RUNNING, states.PAUSED):
        host = call.world.db.lookup("host", vm["resident_on"])
        if host is not None and host is call.member:
            raise Failure("DOMAIN_EXISTS", vm.ref, str(vm["domid"]))
        if host is not None and hosts.is_live(call.world, host):
            raise Failure("HOST_IS_LIVE", host.ref)
    call.world.db.update(vm, current_operations={})
    domain.halt(call.world, vm)


def switch_off(call: Call, vm: Object) -> None:
    """Bring the VM to Halted from any state, as hard_shutdown does."""
    call.world.db.update(vm, ha_always_run=False)
    if vm["power_state"] == states.SUSPENDED:
        discard_memory(call, vm)
    if vm["power_state"] != states.HALTED:
        domain.halt(call.world, vm)


def discard_memory(call: Call, vm: Object) -> None:
    """Destroy the VDI with the VM's saved memory, if it is there."""
    vdi = call.world.db.lookup("VDI", vm["suspend_VDI"])
    call.world.db.update(vm, suspend_VDI=NULL)
    if vdi is not None:
        call.world.storage.destroy_vdi(vdi)


def assert_disks_are_free(world: World, vm: Object) -> None:
    """Raise VDI_IN_USE when another running VM has one of the disks, and one of the two would write to it."""
    for vbd in disks.drives(world, vm):
        vdi = world.db.lookup("VDI", vbd["VDI"])
        failure = sharing_refusal(world, vdi, vbd["mode"], vm, vbd) if vdi is not None else None
        if failure is not None:
            raise failure


def _boot(call: Call, vm: Object, host: Object, *, paused: bool) -> None:
    world = call.world
    assert_boots(world, vm)
    assert_disks_are_free(world, vm)
    world.db.update(vm, scheduled_to_be_resident_on=host.ref, ha_always_run=vm["ha_restart_priority"] == "restart")
    try:
        durations.work(call, durations.START)
        assert_state(vm, states.HALTED)
        domain.build(world, vm, host, paused=paused)
    finally:
        world.db.update(vm, scheduled_to_be_resident_on=NULL)


def _ask_guest(call: Call, vm: Object, timeout: float) -> None:
    """Wait until the guest obeys or its domain is gone by itself, as long as the toolstack has patience."""
    domid = vm["domid"]
    seconds, failure = _answer(call, vm, timeout)
    call.wait_for(lambda: vm["domid"] != domid or call.task_ref not in vm["current_operations"], seconds)
    if call.task_ref not in vm["current_operations"]:
        raise Failure("TASK_CANCELLED", call.task_ref)
    if vm["domid"] == domid and failure is not None:
        raise failure
    if vm["domid"] != domid and vm["power_state"] != states.HALTED:
        raise Failure("VM_REBOOTED", vm.ref)


def _answer(call: Call, vm: Object, timeout: float) -> tuple[float, Failure | None]:
    """How long the guest takes to answer a request to go down, and what the answer is when it does not."""
    guest = guest_of(call.world, vm)
    if not guest.acknowledges_shutdown:
        return guest.acknowledge_timeout, Failure("VM_FAILED_SHUTDOWN_ACKNOWLEDGMENT", vm.ref)
    missed = guest.missed_requests > 0
    guest.missed_requests -= missed
    if missed or not guest.obeys_shutdown:
        return timeout, Failure("VM_SHUTDOWN_TIMEOUT", vm.ref, str(timeout))
    return guest.shutdown_seconds * call.world.options.duration_scale, None
