"""USB devices of hosts, and VMs that have one for themselves."""

from __future__ import annotations

from hvsdk_simulators.xapi.call import Call, refusal
from hvsdk_simulators.xapi.database import Object, derived
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.messages import message
from hvsdk_simulators.xapi.world import World

_ROLE = "pool-admin"
_MOST = 6
_OPERATIONS = ("attach", "plug", "unplug")


@derived("VUSB", "allowed_operations")
def allowed_operations(world: World, vusb: Object) -> list[str]:
    """The operations that may begin now."""
    return [op for op in _OPERATIONS if refusal_of(world, vusb, op) is None]


@refusal("VUSB")
def refusal_of(world: World, vusb: Object, op: str) -> Failure | None:
    """The error that the product answers to an operation now, or None."""
    vm = world.db.lookup("VM", vusb["VM"])
    if vm is None or op == "attach":
        return None
    if vusb["current_operations"]:
        return Failure("OTHER_OPERATION_IN_PROGRESS", "VUSB", vusb.ref, next(iter(vusb["current_operations"].values())))
    if vm["power_state"] != "Running":
        return Failure("VM_BAD_POWER_STATE", vm.ref, "running", vm["power_state"].lower())
    if op == "plug" and vusb["currently_attached"]:
        return Failure("DEVICE_ALREADY_ATTACHED", vusb.ref)
    if op == "unplug" and not vusb["currently_attached"]:
        return Failure("DEVICE_ALREADY_DETACHED", vusb.ref)
    return None


@message(
    "VUSB.create(VM ref VM, USB_group ref USB_group, (string -> string) map other_config = {}) -> VUSB ref",
    role=_ROLE,
    since="2.8",
)
def create(call: Call, VM: Object, USB_group: Object, other_config: dict[str, str]) -> Object:
    """Give a VM the device of a group; it has it from its next start on."""
    if USB_group["VUSBs"]:
        raise Failure("USB_GROUP_CONFLICT", USB_group.ref)
    if len(VM["VUSBs"]) >= _MOST:
        raise Failure("TOO_MANY_VUSBS", str(_MOST))
    return call.world.db.create("VUSB", VM=VM.ref, USB_group=USB_group.ref, other_config=dict(other_config))


@message("VUSB.unplug(VUSB ref self) -> void", role=_ROLE, since="2.8")
def unplug(call: Call, self: Object) -> None:
    """Take a device from a running VM."""
    with call.operation(self, "unplug"):
        call.world.db.update(self, currently_attached=False)


@message("VUSB.destroy(VUSB ref self) -> void", role=_ROLE, since="2.8")
def destroy(call: Call, self: Object) -> None:
    """Give a VM the device no longer."""
    if self["currently_attached"]:
        raise Failure("OPERATION_NOT_ALLOWED", "VUSB currently attached to a running VM")
    call.world.db.delete(self)


@message("PUSB.scan(host ref host) -> void", role=_ROLE, since="2.8")
def scan(call: Call, host: Object) -> None:
    """Look for new devices. There are none."""


@message("PUSB.set_passthrough_enabled(PUSB ref self, bool value) -> void", role=_ROLE, since="2.8")
def set_passthrough_enabled(call: Call, self: Object, value: bool) -> None:
    """Let VMs have a device, or not; none may have it then."""
    db = call.world.db
    group = db.lookup("USB_group", self["USB_group"])
    if not value and group is not None and group["VUSBs"]:
        raise Failure("USB_ALREADY_ATTACHED", self.ref, db.get("VUSB", group["VUSBs"][0])["VM"])
    db.update(self, passthrough_enabled=value)


@message(
    "USB_group.create(string name_label = , string name_description = , "
    "(string -> string) map other_config = {}) -> USB_group ref",
    role=_ROLE,
    since="2.8",
)
def create_group(call: Call, name_label: str, name_description: str, other_config: dict[str, str]) -> Object:
    """Make a group of devices, with none in it."""
    return call.world.db.create(
        "USB_group", name_label=name_label, name_description=name_description, other_config=dict(other_config)
    )


@message("USB_group.destroy(USB_group ref self) -> void", role=_ROLE, since="2.8")
def destroy_group(call: Call, self: Object) -> None:
    """Remove a group that has no devices."""
    if self["PUSBs"]:
        raise Failure("USB_GROUP_CONTAINS_PUSB", *self["PUSBs"])
    if self["VUSBs"]:
        raise Failure("USB_GROUP_CONTAINS_VUSB", *self["VUSBs"])
    call.world.db.delete(self)
