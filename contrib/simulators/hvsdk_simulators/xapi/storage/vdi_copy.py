"""Disks copied in full, and moved under their VMs."""

from hvsdk_simulators.xapi.call import Call
from hvsdk_simulators.xapi.database import Object
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.messages import message

from .connections import assert_attached
from .disk import BLOCK, Disk
from .drivers import driver_of, features
from .space import remeasure

_SECONDS = 0.05
_STEPS = 4


@message(
    "VDI.copy(VDI ref vdi, SR ref sr = NULL, VDI ref base_vdi = NULL, VDI ref into_vdi = NULL) -> VDI ref",
    role="vm-admin",
)
def copy(call: Call, vdi: Object, sr: Object | None, base: Object | None, into: Object | None) -> Object:
    """Copy a disk into an SR or over another disk; with a base, only what differs from it."""
    if (sr is None) == (into is None):
        raise Failure("OPERATION_NOT_ALLOWED", "Exactly one of SR and VDI must be specified")
    with call.operation(vdi, "copy"):
        _let_time_pass(call)
        if into is None:
            assert sr is not None
            new: Object = call.world.storage.copy_vdi(vdi, sr)
            return new
        _copy_into(call, vdi, base, into)
        return into


@message(
    "VDI.pool_migrate(VDI ref vdi, SR ref sr, (string -> string) map options) -> VDI ref",
    role="vm-power-admin",
    since="1.10",
)
def pool_migrate(call: Call, vdi: Object, sr: Object, options: dict[str, str]) -> Object:
    """Move a disk to another SR while a VM runs on it. It gets a new identity; the VM's drive follows it."""
    world = call.world
    vbds = [world.db.get("VBD", ref) for ref in vdi["VBDs"]]
    attached = [vbd for vbd in vbds if vbd["currently_attached"]]
    if not attached:
        raise Failure("VDI_NEEDS_VM_FOR_MIGRATE", vdi.ref)
    for one in (world.db.get("SR", vdi["SR"]), sr):
        if "VDI_MIRROR" not in features(world, one):
            raise Failure("SR_DOES_NOT_SUPPORT_MIGRATION", one.ref, "VDI_MIRROR")
    if vdi["cbt_enabled"]:
        raise Failure("VDI_CBT_ENABLED", vdi.ref)
    if vdi["on_boot"] == "reset":
        raise Failure("VDI_ON_BOOT_MODE_INCOMPATIBLE_WITH_OPERATION")
    assert_attached(world, sr)
    with call.operation(vdi, "mirror"):
        _let_time_pass(call)
        new: Object = world.storage.copy_vdi(vdi, sr)
        for vbd in vbds:
            world.db.update(vbd, VDI=new.ref)
        for ref in list(vdi["snapshots"]):
            world.db.update(world.db.get("VDI", ref), snapshot_of=new.ref)
    world.storage.destroy_vdi(vdi)
    return new


def _copy_into(call: Call, vdi: Object, base: Object | None, into: Object) -> None:
    storage = call.world.storage
    if into["read_only"]:
        raise Failure("VDI_READONLY", into.ref)
    if into["virtual_size"] < vdi["virtual_size"]:
        raise Failure("VDI_TOO_SMALL", into.ref, str(vdi["virtual_size"]))
    for one in (vdi, base) if base else ():
        if not driver_of(call.world.db.get("SR", one["SR"])).can("VDI_SNAPSHOT"):
            raise Failure("VDI_NOT_SPARSE", one.ref)
    source: Disk = storage.disk(vdi)
    blocks = source.differing(storage.disk(base)) if base else set(source.written()) | set(storage.disk(into).written())
    for block in sorted(blocks):
        content = source.read(block * BLOCK, BLOCK)
        if content:
            storage.disk(into).write(block * BLOCK, content)
    remeasure(call.world, into)


def _let_time_pass(call: Call) -> None:
    for step in range(1, _STEPS + 1):
        call.wait(_SECONDS * call.world.options.duration_scale / _STEPS)
        call.progress(step / _STEPS)
