"""Taking a VM back to one of its snapshots.

The VM keeps its reference and UUID; its drives, disks and interfaces are new ones. A disk of the VM that the snapshot
knows is destroyed, one that it does not know is only detached.
"""

from hvsdk_simulators.xapi.call import Call
from hvsdk_simulators.xapi.database import NULL, Object
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.messages import message
from hvsdk_simulators.xapi.vm import disks, records, states
from hvsdk_simulators.xapi.vm.guest import guest_of
from hvsdk_simulators.xapi.vm.metadata import read_record
from hvsdk_simulators.xapi.vm.operations import operation
from hvsdk_simulators.xapi.vm.power import switch_off
from hvsdk_simulators.xapi.world import World

_NOT_ROLLED_BACK = (
    "uuid suspend_VDI power_state parent current_operations allowed_operations metrics guest_metrics resident_on domid "
    "protection_policy snapshot_schedule scheduled_to_be_resident_on snapshots tags affinity groups consoles VBDs VIFs "
    "VGPUs VUSBs VTPMs crash_dumps children attached_PCIs is_snapshot_from_vmpp"
)


@message("VM.revert(VM ref snapshot) -> void", role="vm-power-admin", since="1.7")
def revert(call: Call, snapshot: Object) -> None:
    """Take the VM back to a snapshot. It is switched off first; a checkpoint leaves it suspended."""
    world = call.world
    with operation(call, snapshot, "revert"):
        vm = world.db.lookup("VM", snapshot["snapshot_of"]) or _remade(world, snapshot)
        with operation(call, vm, "reverting"):
            switch_off(call, vm)
            roll_back_fields(world, vm, snapshot)
            _roll_back(call, vm, snapshot)


def roll_back_fields(world: World, vm: Object, snapshot: Object) -> None:
    """Give the VM the fields it had when the snapshot was taken."""
    before = read_record("VM", snapshot["snapshot_metadata"])
    left_out = set(_NOT_ROLLED_BACK.split())
    kept = {name: value for name, value in before.items() if name not in left_out}
    world.db.update(vm, **(kept | {"ha_always_run": False}))


def _roll_back(call: Call, vm: Object, snapshot: Object) -> None:
    world = call.world
    try:
        with disks.made_disks(call, disks.drives(world, snapshot), disks.clones_of(call)) as made:
            memory = _clone_memory(call, snapshot)
            originals = _point_snapshots_at(world, made)
            _drop_devices(world, vm, originals)
            records.copy_devices(world, snapshot, vm, made, keep_macs=True)
    except Failure as failure:
        if failure.code in ("TASK_CANCELLED", "VDI_INCOMPATIBLE_TYPE", "SR_FULL", "SR_BACKEND_FAILURE_44"):
            raise
        raise Failure("VM_REVERT_FAILED", snapshot.ref, vm.ref) from failure
    _replace_metrics(world, vm, snapshot)
    if memory != NULL:
        guest_of(world, vm).boots = guest_of(world, snapshot).boots
    world.db.update(
        vm,
        suspend_VDI=memory,
        power_state=states.SUSPENDED if memory != NULL else states.HALTED,
        parent=snapshot.ref,
        generation_id=records.fresh_generation(world, vm["generation_id"]),
    )


def _clone_memory(call: Call, snapshot: Object) -> str:
    saved = call.world.db.lookup("VDI", snapshot["suspend_VDI"])
    return call.world.storage.clone_vdi(saved, snapshot=False).ref if saved else NULL


def _drop_devices(world: World, vm: Object, known: set[str]) -> None:
    """Take the VM's devices away, and destroy the disks of which the snapshot has a version."""
    for vbd in disks.drives(world, vm):
        disk = disks.disk_of(world, vbd)
        world.db.delete(vbd)
        if disk is not None and disk.ref in known:
            world.storage.destroy_vdi(disk)
    for cls, field in (("VIF", "VIFs"), ("VGPU", "VGPUs"), ("VUSB", "VUSBs"), ("VTPM", "VTPMs")):
        for ref in list(vm[field]):
            world.db.delete(world.db.get(cls, ref))


def _point_snapshots_at(world: World, made: list[records.DiskCopy]) -> set[str]:
    """Let all snapshots of a disk that is replaced be snapshots of the new one; return the replaced ones."""
    originals = {}
    for disk in made:
        source = disks.disk_of(world, disk.vbd)
        if source is not None and source["snapshot_of"] != NULL:
            originals[source["snapshot_of"]] = disk.vdi
    for vdi in world.db.all("VDI"):
        if vdi["snapshot_of"] in originals:
            world.db.update(vdi, snapshot_of=originals[vdi["snapshot_of"]])
    return set(originals)


def _replace_metrics(world: World, vm: Object, snapshot: Object) -> None:
    for cls, field in (("VM_metrics", "metrics"), ("VM_guest_metrics", "guest_metrics")):
        old = world.db.lookup(cls, vm[field])
        world.db.update(vm, **{field: records.copied_metrics(world, cls, snapshot[field])})
        if old is not None:
            world.db.delete(old)


def _remade(world: World, snapshot: Object) -> Object:
    """The VM of a snapshot that outlived it, with its old UUID, and without devices yet."""
    gone, before = snapshot["snapshot_of"], read_record("VM", snapshot["snapshot_metadata"])
    vm = records.copy_record(world, snapshot, name=before["name_label"], snapshot=False, uuid=before["uuid"])
    world.db.update(vm, power_state=states.HALTED, is_a_template=False, other_config=before["other_config"])
    for other in world.db.all("VM"):
        if other["snapshot_of"] == gone and other["is_a_snapshot"]:
            world.db.update(other, snapshot_of=vm.ref)
    return vm
