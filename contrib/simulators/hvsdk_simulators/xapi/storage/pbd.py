"""What connects a host to an SR."""

from typing import Any

from hvsdk_simulators.xapi.call import Call
from hvsdk_simulators.xapi.database import Object
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.messages import message
from hvsdk_simulators.xapi.world import World

from .connections import connections
from .constructors import fields_given, ref_of
from .drivers import DRIVERS
from .space import disks_of

_SECONDS = 0.02
_INTERNAL_KEY = "SRmaster"


@message("PBD.create(PBD record args) -> PBD ref", role="pool-operator")
def create(call: Call, args: dict[str, Any]) -> Object:
    """Say how a host reaches an SR; `plug` then connects it."""
    world = call.world
    fields = fields_given("PBD", args)
    host = world.db.get("host", ref_of(fields["host"]))
    sr = world.db.get("SR", ref_of(fields["SR"]))
    return make_pbd(world, host, sr, fields["device_config"], fields.get("other_config", {}))


@message("PBD.destroy(PBD ref self) -> void", role="pool-operator")
def destroy(call: Call, pbd: Object) -> None:
    """Forget how a host reaches an SR."""
    if pbd["currently_attached"]:
        raise Failure("OPERATION_NOT_ALLOWED", "PBD is currently attached")
    call.world.db.delete(pbd)


@message("PBD.plug(PBD ref self) -> void", role="pool-operator")
def plug(call: Call, pbd: Object) -> None:
    """Connect a host to an SR. Doing it twice changes nothing."""
    world = call.world
    if pbd["currently_attached"]:
        return
    _assert_reachable(world, pbd)
    call.wait(_SECONDS * world.options.duration_scale)
    plug_pbd(world, pbd)


@message("PBD.unplug(PBD ref self) -> void", role="pool-operator")
def unplug(call: Call, pbd: Object) -> None:
    """Disconnect a host from an SR of which no VM on it uses a disk."""
    world = call.world
    if not pbd["currently_attached"]:
        return
    used = [vdi.ref for vdi in _used_by(world, pbd)]
    if used:
        raise Failure("VDI_IN_USE", *used)
    call.wait(_SECONDS * world.options.duration_scale)
    world.db.update(pbd, currently_attached=False)
    _touch_disks(world, world.db.get("SR", pbd["SR"]))


@message("PBD.set_device_config(PBD ref self, (string -> string) map value) -> void", role="pool-operator", since="1.2")
def set_device_config(call: Call, pbd: Object, value: dict[str, str]) -> None:
    """Change how a host reaches an SR; it counts from the next `plug` on."""
    _assert_public(value)
    call.world.db.update(pbd, device_config=value)


def make_pbd(world: World, host: Object, sr: Object, config: dict[str, str], other: dict[str, str]) -> Object:
    """Make the connection of a host with an SR, not plugged."""
    _assert_public(config)
    for known in connections(world, sr):
        if known["host"] == host.ref:
            raise Failure("PBD_EXISTS", sr.ref, host.ref, known.ref)
    return world.db.create("PBD", host=host.ref, SR=sr.ref, device_config=config, other_config=other)


def plug_pbd(world: World, pbd: Object) -> None:
    """Connect, if the SR may be on this host too."""
    sr = world.db.get("SR", pbd["SR"])
    others = [one for one in connections(world, sr) if one["currently_attached"] and one is not pbd]
    if others and not sr["shared"]:
        raise Failure("SR_NOT_SHARABLE", sr.ref, others[0]["host"])
    world.db.update(pbd, currently_attached=True)
    _touch_disks(world, sr)


def _assert_reachable(world: World, pbd: Object) -> None:
    sr = world.db.get("SR", pbd["SR"])
    driver = DRIVERS.get(sr["type"])
    if driver is None:
        raise Failure("SR_UNKNOWN_DRIVER", sr["type"])
    if not any(member.alive for member in world.members if member.host.ref == pbd["host"]):
        raise Failure("HOST_OFFLINE", pbd["host"])


def _used_by(world: World, pbd: Object) -> list[Object]:
    """The disks of the SR that VMs on the host have."""
    host = world.db.get("host", pbd["host"])
    used = []
    for vm in (world.db.get("VM", ref) for ref in host["resident_VMs"]):
        for vbd in (world.db.get("VBD", ref) for ref in vm["VBDs"]):
            vdi = world.db.lookup("VDI", vbd["VDI"])
            if vdi is not None and vbd["currently_attached"] and vdi["SR"] == pbd["SR"]:
                used.append(vdi)
    return used


def _touch_disks(world: World, sr: Object) -> None:
    """What may be done with the disks follows from who is connected."""
    for vdi in disks_of(world, sr):
        world.db.touch(vdi)


def _assert_public(config: dict[str, str]) -> None:
    if _INTERNAL_KEY in config:
        raise Failure("VALUE_NOT_SUPPORTED", _INTERNAL_KEY, config[_INTERNAL_KEY], "This key is for internal use only")
