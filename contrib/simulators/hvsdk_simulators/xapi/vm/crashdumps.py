"""Crash dumps: the memory of a crashed VM in a VDI, for whoever looks for the reason."""

from hvsdk_simulators.xapi.call import Call
from hvsdk_simulators.xapi.database import Object
from hvsdk_simulators.xapi.messages import message
from hvsdk_simulators.xapi.units import MIB
from hvsdk_simulators.xapi.vm.disks import destroy_disk
from hvsdk_simulators.xapi.world import World


@message("crashdump.destroy(crashdump ref self) -> void", role="pool-operator")
def destroy(call: Call, self: Object) -> None:
    """Delete a crash dump with the VDI that holds it."""
    vdi = self["VDI"]
    call.world.db.delete(self)
    destroy_disk(call.world, vdi)


def dump(world: World, vm: Object) -> None:
    """Keep the memory of a VM that crashes, in the SR for crash dumps; without one, nothing is kept."""
    host = world.db.lookup("host", vm["resident_on"])
    choices = (host["crash_dump_sr"] if host else "", world.pool["crash_dump_SR"])
    sr = next((found for ref in choices if (found := world.db.lookup("SR", ref)) is not None), None)
    if sr is None:
        return
    size = vm["memory_static_max"] + MIB
    vdi = world.storage.create_vdi(sr, size, type="crashdump", name=f"Crash dump of {vm['name_label']}")
    world.db.create("crashdump", VM=vm.ref, VDI=vdi.ref)
