"""The disks of a VM as they are cloned, copied and snapshotted, and destroyed again when that fails."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

from hvsdk_simulators.xapi.call import Call
from hvsdk_simulators.xapi.database import NULL, Object
from hvsdk_simulators.xapi.vm import durations
from hvsdk_simulators.xapi.vm.records import DiskCopy
from hvsdk_simulators.xapi.world import World

MakeDisk = Callable[[Object], Object]


def drives(world: World, vm: Object) -> list[Object]:
    """The VM's VBDs."""
    return [vbd for ref in vm["VBDs"] if (vbd := world.db.lookup("VBD", ref)) is not None]


def disk_of(world: World, vbd: Object) -> Object | None:
    """The VDI in a disk drive; none for media, which are shared and never copied."""
    return world.db.lookup("VDI", vbd["VDI"]) if vbd["type"] == "Disk" else None


def snapshots_of(call: Call) -> MakeDisk:
    """Make snapshots."""
    return lambda vdi: call.world.storage.clone_vdi(vdi, snapshot=True)


def clones_of(call: Call) -> MakeDisk:
    """Make fast clones."""
    return lambda vdi: call.world.storage.clone_vdi(vdi, snapshot=False)


def copies_in(call: Call, sr: Object | None) -> MakeDisk:
    """Make full copies in an SR, or each where its original is."""
    return lambda vdi: call.world.storage.copy_vdi(vdi, sr or call.world.db.get("SR", vdi["SR"]))


@contextmanager
def made_disks(
    call: Call,
    vbds: Collection[Object],
    make: MakeDisk,
    *,
    seconds: float = durations.DISK,
) -> Iterator[list[DiskCopy]]:
    """Make the disks for a copied VM, one after another; when the block fails, destroy them all.

    A drive with a medium keeps it, and an empty one stays empty.
    """
    made: list[DiskCopy] = []
    new: list[Object] = []
    try:
        for number, vbd in enumerate(vbds):
            disk = disk_of(call.world, vbd)
            if disk is None:
                made.append(DiskCopy(vbd=vbd, vdi=vbd["VDI"]))
                continue
            durations.work(call, seconds, begin=number / len(vbds), end=(number + 1) / len(vbds))
            new.append(make(disk))
            made.append(DiskCopy(vbd=vbd, vdi=new[-1].ref))
        yield made
    except BaseException:
        for vdi in new:
            call.world.storage.destroy_vdi(vdi)
        raise


def destroy_disk(world: World, ref: str) -> None:
    """Destroy a VDI if it is there."""
    vdi = world.db.lookup("VDI", ref)
    if ref != NULL and vdi is not None:
        world.storage.destroy_vdi(vdi)
