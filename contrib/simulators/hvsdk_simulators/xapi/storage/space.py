"""How much room SRs and disks take."""

from collections.abc import Iterator

from hvsdk_simulators.xapi.database import Object, derived
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.units import MIB
from hvsdk_simulators.xapi.world import World

from .disk import BLOCK
from .drivers import driver_of

_IMAGE_BLOCK = 2 * MIB
_LVM_EXTENT = 4 * MIB


def rounded(size: int) -> int:
    """The size a driver makes of a size asked for: whole blocks of 2 MiB, at least one."""
    return max(-(-size // _IMAGE_BLOCK), 1) * _IMAGE_BLOCK


def overhead(size: int) -> int:
    """Bytes an image takes beside its content: its headers, its table and a bitmap per block."""
    blocks = -(-size // _IMAGE_BLOCK)
    return 2560 + blocks * (4 + 512)


def disks_of(world: World, sr: Object) -> Iterator[Object]:
    """The VDIs of an SR."""
    lookup = world.db.lookup
    return (vdi for ref in sr["VDIs"] if (vdi := lookup("VDI", ref)) is not None)


def estimate(sr: Object, size: int, written: int, *, leaf: bool = True) -> int:
    """Bytes that a disk takes in an SR.

    Args:
        sr: Where it is.
        size: Its virtual size.
        written: Bytes of it that are not holes.
        leaf: It is written to; of a snapshot a thick SR keeps only what it holds.
    """
    driver = driver_of(sr)
    if not driver.can("VDI_SNAPSHOT"):
        return size
    if driver.thin:
        return written + overhead(size)
    taken = (size if leaf else written) + overhead(size)
    return -(-taken // _LVM_EXTENT) * _LVM_EXTENT


def measure(world: World, vdi: Object) -> int:
    """Bytes that a VDI takes, by its content; one that nobody looked at yet is not worked out for it."""
    sr = world.db.get("SR", vdi["SR"])
    share = world.disks.planned_share(vdi["uuid"])
    size: int = vdi["virtual_size"]
    leaf = vdi["managed"] and not vdi["is_a_snapshot"]
    base = world.storage.chains.base_of(vdi)
    if base is not None:
        return estimate(sr, size, world.disks.get(vdi["uuid"], size).bytes_above(base), leaf=leaf)
    written = (
        int(size * share) // BLOCK * BLOCK if share is not None else world.disks.get(vdi["uuid"], size).written_bytes
    )
    return estimate(sr, size, written, leaf=leaf)


def remeasure(world: World, vdi: Object) -> None:
    """Write down how much room a VDI takes now."""
    world.db.update(vdi, physical_utilisation=measure(world, vdi))


@derived("SR", "physical_utilisation")
def physical_utilisation(world: World, sr: Object) -> int:
    """Bytes taken in an SR."""
    taken = sum(vdi["physical_utilisation"] for vdi in disks_of(world, sr))
    return taken if driver_of(sr).can("VDI_SNAPSHOT") else int(sr["physical_size"])


@derived("SR", "virtual_allocation")
def virtual_allocation(world: World, sr: Object) -> int:
    """The sum of the sizes of an SR's disks."""
    return sum(vdi["virtual_size"] for vdi in disks_of(world, sr))


def assert_room(world: World, sr: Object, wanted: int) -> None:
    """Raise SR_FULL when an SR has no room for so many bytes more; a thin one takes disks larger than itself."""
    size: int = sr["physical_size"]
    if size <= 0:
        return
    needed = wanted if not driver_of(sr).thin else min(wanted, overhead(wanted))
    if physical_utilisation(world, sr) + needed > size and driver_of(sr).can("VDI_SNAPSHOT"):
        raise Failure("SR_FULL", str(needed), str(max(size - physical_utilisation(world, sr), 0)))
