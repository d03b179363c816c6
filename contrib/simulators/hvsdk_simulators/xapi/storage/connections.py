"""Which host sees which SR."""

from collections.abc import Iterator

from hvsdk_simulators.xapi.database import Object
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.world import World


def connections(world: World, sr: Object) -> Iterator[Object]:
    """The PBDs of an SR."""
    return (pbd for ref in sr["PBDs"] if (pbd := world.db.lookup("PBD", ref)) is not None)


def is_attached(world: World, sr: Object) -> bool:
    """Whether any host has the SR plugged."""
    return any(pbd["currently_attached"] for pbd in connections(world, sr))


def assert_attached(world: World, sr: Object) -> None:
    """Raise what is said of an SR that no host has plugged."""
    if not sr["PBDs"]:
        raise Failure("SR_HAS_NO_PBDS", sr.ref)
    if not is_attached(world, sr):
        raise Failure("SR_NOT_ATTACHED", sr.ref)


def hosts_of(world: World, sr: Object) -> list[Object]:
    """The live hosts that have the SR plugged."""
    plugged = {pbd["host"] for pbd in connections(world, sr) if pbd["currently_attached"]}
    return [member.host for member in world.members if member.alive and member.host.ref in plugged]


def sees(world: World, host: Object, sr: Object) -> bool:
    """Whether a host has the SR plugged."""
    return any(pbd["host"] == host.ref and pbd["currently_attached"] for pbd in connections(world, sr))
