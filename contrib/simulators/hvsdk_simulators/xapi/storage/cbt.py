"""Changed block tracking, as clients ask for it."""

from hvsdk_simulators.xapi.call import Call, assert_allowed
from hvsdk_simulators.xapi.database import Object
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.messages import message

from .space import overhead
from .tracking import changed_blocks


@message("VDI.enable_cbt(VDI ref self) -> void", role="vm-admin", since="2.8")
def enable_cbt(call: Call, vdi: Object) -> None:
    """Begin to track what is written to a disk. Doing it twice changes nothing."""
    with call.operation(vdi, "enable_cbt"):
        if not vdi["cbt_enabled"]:
            call.world.storage.tracker.enable(vdi["uuid"], call.world.storage.disk(vdi))
            call.world.db.update(vdi, cbt_enabled=True)


@message("VDI.disable_cbt(VDI ref self) -> void", role="vm-admin", since="2.8")
def disable_cbt(call: Call, vdi: Object) -> None:
    """Stop tracking; its snapshots keep what they know."""
    with call.operation(vdi, "disable_cbt"):
        if vdi["cbt_enabled"]:
            call.world.storage.tracker.disable(vdi["uuid"], call.world.storage.disk(vdi))
            call.world.db.update(vdi, cbt_enabled=False)


@message("VDI.list_changed_blocks(VDI ref vdi_from, VDI ref vdi_to) -> string", role="vm-operator", since="2.8")
def list_changed_blocks(call: Call, vdi_from: Object, vdi_to: Object) -> str:
    """Say which blocks of 64 KiB were written between two states of a disk."""
    assert_allowed(call.world, vdi_to, "list_changed_blocks")
    return changed_blocks(call.world, vdi_from, vdi_to)


@message("VDI.data_destroy(VDI ref self) -> void", role="vm-admin", since="2.8")
def data_destroy(call: Call, vdi: Object) -> None:
    """Destroy the content of a snapshot and keep what was tracked of it."""
    world = call.world
    call.wait_for(lambda: not world.storage.readers.has(vdi), 5.0)
    world.db.get("VDI", vdi.ref)
    if vdi["type"] == "cbt_metadata":
        return
    with call.operation(vdi, "data_destroy"):
        for ref in list(vdi["VBDs"]):
            vbd = world.db.get("VBD", ref)
            if not world.db.get("VM", vbd["VM"])["is_a_snapshot"]:
                raise Failure("VDI_IN_USE", vdi.ref, "data_destroy")
            world.db.delete(vbd)
        world.disks.drop(vdi["uuid"])
        world.storage.chains.drop(vdi["uuid"])
        world.db.update(vdi, type="cbt_metadata", physical_utilisation=overhead(vdi["virtual_size"]))
