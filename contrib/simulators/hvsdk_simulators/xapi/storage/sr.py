"""SRs: scanned, measured, renamed, forgotten, destroyed."""

from hvsdk_simulators.xapi.call import Call
from hvsdk_simulators.xapi.database import Object
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.messages import message
from hvsdk_simulators.xapi.world import World

from .connections import assert_attached, connections
from .drivers import features
from .space import disks_of, remeasure

_SECONDS = 0.02


@message("SR.scan(SR ref sr) -> void", role="vm-power-admin")
def scan(call: Call, sr: Object) -> None:
    """Find disks on the storage that the pool does not know, and measure those that it knows."""
    world = call.world
    assert_attached(world, sr)
    with call.operation(sr, "scan"):
        call.wait(_SECONDS * world.options.duration_scale)
        world.storage.forgotten.recall_all(sr)
        for vdi in list(disks_of(world, sr)):
            remeasure(world, vdi)


@message("SR.update(SR ref sr) -> void", role="pool-operator", since="1.2")
def update(call: Call, sr: Object) -> None:
    """Measure an SR anew."""
    assert_attached(call.world, sr)
    with call.operation(sr, "update"):
        call.world.db.touch(sr)


@message("SR.forget(SR ref sr) -> void", role="pool-operator")
def forget(call: Call, sr: Object) -> None:
    """Drop the records of an SR and of its disks; what is on the storage stays there."""
    world = call.world
    with call.operation(sr, "forget"):
        for vdi in list(disks_of(world, sr)):
            world.storage.forgotten.add(vdi)
        _drop(world, sr)


@message("SR.destroy(SR ref sr) -> void", role="pool-operator")
def destroy(call: Call, sr: Object) -> None:
    """Destroy an SR without disks, and its records."""
    if sr["other_config"].get("indestructible") == "true":
        raise Failure("SR_INDESTRUCTIBLE", sr.ref)
    with call.operation(sr, "destroy"):
        call.wait(_SECONDS * call.world.options.duration_scale)
        call.world.storage.forgotten.drop(sr)
        _drop(call.world, sr)


@message("SR.set_name_label(SR ref sr, string value) -> void", role="pool-operator")
def set_name_label(call: Call, sr: Object, value: str) -> None:
    """Rename an SR."""
    call.world.db.update(sr, name_label=value)


@message("SR.set_name_description(SR ref sr, string value) -> void", role="pool-operator")
def set_name_description(call: Call, sr: Object, value: str) -> None:
    """Describe an SR."""
    call.world.db.update(sr, name_description=value)


@message("SR.set_shared(SR ref sr, bool value) -> void", role="pool-operator")
def set_shared(call: Call, sr: Object, value: bool) -> None:
    """Let several hosts have an SR; it cannot be taken back while several have it."""
    plugged = [pbd for pbd in connections(call.world, sr) if pbd["currently_attached"]]
    if not value and len(plugged) > 1:
        raise Failure("SR_HAS_MULTIPLE_PBDS", plugged[0].ref)
    call.world.db.update(sr, shared=value)


@message("SR.set_physical_size(SR ref self, int value) -> void", role="pool-operator", since="1.2")
def set_physical_size(call: Call, sr: Object, value: int) -> None:
    """Say how large an SR is."""
    call.world.db.update(sr, physical_size=value)


@message("SR.assert_can_host_ha_statefile(SR ref sr) -> void", role="pool-operator", since="1.3")
def assert_can_host_ha_statefile(call: Call, sr: Object) -> None:
    """Raise why an SR cannot hold what hosts watch each other by: it is not shared, or cannot make small disks."""
    if not sr["shared"]:
        raise Failure("HA_CONSTRAINT_VIOLATION_SR_NOT_SHARED", sr.ref)
    assert_generates_config(call.world, sr)


def assert_generates_config(world: World, sr: Object) -> None:
    """Raise when disks in an SR cannot be reached without the toolstack."""
    if "VDI_GENERATE_CONFIG" not in features(world, sr):
        raise Failure("SR_OPERATION_NOT_SUPPORTED", sr.ref)


def _drop(world: World, sr: Object) -> None:
    for pbd in list(connections(world, sr)):
        world.db.delete(pbd)
    world.db.delete(sr)
