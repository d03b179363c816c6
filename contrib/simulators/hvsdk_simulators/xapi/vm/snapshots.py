"""Snapshots of a VM's disks, and checkpoints, which hold its memory too."""

from hvsdk_simulators.xapi.call import Call
from hvsdk_simulators.xapi.database import NULL, Object
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.messages import message
from hvsdk_simulators.xapi.vm import disks, domain, records, states
from hvsdk_simulators.xapi.vm.metadata import record_text
from hvsdk_simulators.xapi.vm.operations import operation
from hvsdk_simulators.xapi.vm.suspend import save_memory


@message(
    "VM.snapshot(VM ref vm, string new_name, VDI ref set ignore_vdis = []) -> VM ref",
    role="vm-power-admin",
    since="1.3",
)
def snapshot(call: Call, vm: Object, new_name: str, ignore_vdis: list[Object]) -> Object:
    """Take a snapshot of the disks, whatever the VM does; disks named to be ignored are not in it."""
    left_out = {vdi.ref for vdi in ignore_vdis}
    vbds = [vbd for vbd in disks.drives(call.world, vm) if vbd["VDI"] not in left_out or vbd["VDI"] == NULL]
    with operation(call, vm, "snapshot"):
        return _take(call, vm, new_name, vbds)


@message(
    "VM.snapshot_with_quiesce(VM ref vm, string new_name) -> VM ref", role="vm-power-admin", since="1.3", until="2.14"
)
def snapshot_with_quiesce(call: Call, vm: Object, new_name: str) -> Object:
    """Take a snapshot while the guest holds its writes; the product gave this up with API 2.14."""
    with operation(call, vm, "snapshot_with_quiesce"):
        return _take(call, vm, new_name, disks.drives(call.world, vm), kind="quiesced")


@message("VM.checkpoint(VM ref vm, string new_name) -> VM ref", role="vm-power-admin", since="1.7")
def checkpoint(call: Call, vm: Object, new_name: str) -> Object:
    """Take a snapshot with the memory. A running VM is suspended for it and resumed; a paused one's has no memory."""
    with operation(call, vm, "checkpoint"):
        _assert_snapshottable(call, vm)
        vbds = disks.drives(call.world, vm)
        if vm["power_state"] == states.RUNNING:
            return _take_running(call, vm, new_name, vbds)
        saved = call.world.db.lookup("VDI", vm["suspend_VDI"])
        if vm["power_state"] != states.SUSPENDED or saved is None:
            return _take(call, vm, new_name, vbds)
        memory = call.world.storage.clone_vdi(saved, snapshot=True)
        return _take_with_memory(call, vm, new_name, vbds, memory, was=states.SUSPENDED)


def _take_running(call: Call, vm: Object, name: str, vbds: list[Object]) -> Object:
    """Save the memory, snapshot the disks, run on: the VM gets a new domain on the same host."""
    world = call.world
    host = world.db.get("host", vm["resident_on"])
    memory = _save(call, vm)
    world.db.update(vm, power_state=states.SUSPENDED)
    try:
        taken = _take_with_memory(call, vm, name, vbds, memory, was=states.RUNNING)
    finally:
        suspended = vm["power_state"] == states.SUSPENDED
        if suspended:
            domain.restore(world, vm, host)
    if not suspended:  # somebody cut its power meanwhile
        raise Failure("VM_CHECKPOINT_RESUME_FAILED", vm.ref)
    return taken


def _save(call: Call, vm: Object) -> Object:
    try:
        return save_memory(call, vm)
    except Failure as failure:
        if failure.code not in ("VM_FAILED_SUSPEND_ACKNOWLEDGMENT", "VM_SUSPEND_TIMEOUT"):
            raise
        raise Failure("VM_CHECKPOINT_SUSPEND_FAILED", vm.ref) from failure


def _take_with_memory(call: Call, vm: Object, name: str, vbds: list[Object], memory: Object, *, was: str) -> Object:
    try:
        made = _take(call, vm, name, vbds, was=was)
    except BaseException:
        call.world.storage.destroy_vdi(memory)
        raise
    call.world.db.update(made, suspend_VDI=memory.ref, power_state=states.SUSPENDED)
    return made


def _take(
    call: Call, vm: Object, name: str, vbds: list[Object], *, kind: str = "crash_consistent", was: str | None = None
) -> Object:
    world = call.world
    with disks.made_disks(call, vbds, disks.snapshots_of(call)) as made:
        taken = records.copy_record(
            world,
            vm,
            name=name,
            snapshot=True,
            power_state=states.HALTED,
            snapshot_of=vm.ref,
            snapshot_time=world.now(),
            snapshot_info={"power-state-at-snapshot": was or vm["power_state"], "disk-snapshot-type": kind},
            snapshot_metadata=record_text(vm),
            parent=vm["parent"],
        )
        records.copy_devices(world, vm, taken, made, keep_macs=True)
        world.db.update(vm, parent=taken.ref)
        return taken


def _assert_snapshottable(call: Call, vm: Object) -> None:
    for vbd in disks.drives(call.world, vm):
        vdi = disks.disk_of(call.world, vbd)
        sr = call.world.db.lookup("SR", vdi["SR"]) if vdi else None
        if sr is not None and sr["type"] in ("udev", "rawhba"):
            raise Failure("SR_OPERATION_NOT_SUPPORTED", sr.ref)
