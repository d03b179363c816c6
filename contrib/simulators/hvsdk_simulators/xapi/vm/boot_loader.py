"""Whether a paravirtual VM finds the kernel it is to boot."""

from hvsdk_simulators.xapi.database import Object
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.vm.domain import boot_type
from hvsdk_simulators.xapi.world import World

LOADERS = frozenset({"pygrub", "eliloader"})


def assert_boots(world: World, vm: Object) -> None:
    """Raise what the product answers when the boot loader has nothing to load.

    A fully virtual machine always starts: its firmware looks for a disk, and may find none.
    """
    if boot_type(vm) == "hvm" or vm["PV_kernel"]:
        return
    loader = vm["PV_bootloader"]
    if loader not in LOADERS:
        raise Failure("UNKNOWN_BOOTLOADER", vm.ref, loader)
    if not _boot_disks(world, vm):
        raise Failure("BOOTLOADER_FAILED", vm.ref, "no bootable disk")


def _boot_disks(world: World, vm: Object) -> list[Object]:
    vbds = (world.db.lookup("VBD", ref) for ref in vm["VBDs"])
    return [vbd for vbd in vbds if vbd is not None and vbd["bootable"] and not vbd["empty"]]
