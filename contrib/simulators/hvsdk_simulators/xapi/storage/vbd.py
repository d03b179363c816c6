"""Drives of VMs: plugged, unplugged, given media, destroyed."""

from hvsdk_simulators.xapi.call import Call
from hvsdk_simulators.xapi.database import NULL, Object
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.messages import message
from hvsdk_simulators.xapi.world import World

from .connections import assert_attached, is_attached, sees
from .device_names import device_name
from .vbd_create import assert_medium
from .vbd_rules import refusal_of

_SECONDS = 0.01
"""What the guest takes to notice a drive come or go."""


@message("VBD.destroy(VBD ref self) -> void", role="vm-admin")
def destroy(call: Call, vbd: Object) -> None:
    """Take a drive out of a VM; its disk stays."""
    if vbd["currently_attached"]:
        raise Failure("OPERATION_NOT_ALLOWED", f"VBD '{vbd['uuid']}' still attached to '{_vm_uuid(call.world, vbd)}'")
    metrics = call.world.db.lookup("VBD_metrics", vbd["metrics"])
    call.world.db.delete(vbd)
    if metrics is not None:
        call.world.db.delete(metrics)


@message("VBD.plug(VBD ref self) -> void", role="vm-admin")
def plug(call: Call, vbd: Object) -> None:
    """Let a running VM have a drive now."""
    world = call.world
    _assert_host_sees(world, vbd)
    with call.operation(vbd, "plug"):
        call.wait(_SECONDS * world.options.duration_scale)
        _assert_running(world, vbd)
        world.db.update(vbd, currently_attached=True, device=vbd["device"] or device_name(vbd["userdevice"]))


@message("VBD.unplug(VBD ref self) -> void", role="vm-admin")
def unplug(call: Call, vbd: Object) -> None:
    """Take a drive from a running VM when its guest lets go of it."""
    _unplug(call, vbd, "unplug")


@message("VBD.unplug_force(VBD ref self) -> void", role="vm-admin")
def unplug_force(call: Call, vbd: Object) -> None:
    """Take a drive from a running VM, whatever its guest says."""
    _unplug(call, vbd, "unplug_force")


@message("VBD.insert(VBD ref vbd, VDI ref vdi) -> void", role="vm-operator")
def insert(call: Call, vbd: Object, vdi: Object) -> None:
    """Put a medium into an empty drive."""
    world = call.world
    with call.operation(vbd, "insert"):
        assert_medium(world, vdi)
        assert_attached(world, world.db.get("SR", vdi["SR"]))
        _assert_host_sees(world, vbd, vdi)
        call.wait(_SECONDS * world.options.duration_scale)
        world.db.get("VDI", vdi.ref)
        world.db.update(vbd, VDI=vdi.ref, empty=False)


@message("VBD.eject(VBD ref vbd) -> void", role="vm-operator")
def eject(call: Call, vbd: Object) -> None:
    """Take the medium out of a drive."""
    with call.operation(vbd, "eject"):
        call.wait(_SECONDS * call.world.options.duration_scale)
        call.world.db.update(vbd, VDI=NULL, empty=True)


@message("VBD.set_mode(VBD ref self, enum vbd_mode value) -> void", role="vm-admin")
def set_mode(call: Call, vbd: Object, value: str) -> None:
    """Let a halted VM write to a drive or not."""
    vm = call.world.db.get("VM", vbd["VM"])
    if vm["power_state"] != "Halted":
        raise Failure("VM_BAD_POWER_STATE", vm.ref, "halted", vm["power_state"].lower())
    call.world.db.update(vbd, mode=value)


@message("VBD.assert_attachable(VBD ref self) -> void", role="vm-admin")
def assert_attachable(call: Call, vbd: Object) -> None:
    """Raise what keeps a drive from being plugged when its VM starts."""
    found = refusal_of(call.world, vbd, "attach")
    if found is not None:
        raise found
    vdi = call.world.db.lookup("VDI", vbd["VDI"])
    if vdi is not None and not is_attached(call.world, call.world.db.get("SR", vdi["SR"])):
        raise Failure("SR_HAS_NO_PBDS", vdi["SR"])


def _unplug(call: Call, vbd: Object, op: str) -> None:
    with call.operation(vbd, op):
        call.wait(_SECONDS * call.world.options.duration_scale)
        call.world.db.update(vbd, currently_attached=False, device="")


def _assert_host_sees(world: World, vbd: Object, vdi: Object | None = None) -> None:
    """Raise when the VM runs on a host that has not got the disk's SR plugged."""
    vdi = vdi or world.db.lookup("VDI", vbd["VDI"])
    host = world.db.lookup("host", world.db.get("VM", vbd["VM"])["resident_on"])
    if vdi is None or host is None:
        return
    sr = world.db.get("SR", vdi["SR"])
    if not sees(world, host, sr):
        raise Failure("HOST_CANNOT_SEE_SR", host.ref, sr.ref)


def _assert_running(world: World, vbd: Object) -> None:
    vm = world.db.get("VM", vbd["VM"])
    if vm["power_state"] != "Running":
        raise Failure("VM_BAD_POWER_STATE", vm.ref, "running", vm["power_state"].lower())


def _vm_uuid(world: World, vbd: Object) -> str:
    uuid: str = world.db.get("VM", vbd["VM"])["uuid"]
    return uuid
