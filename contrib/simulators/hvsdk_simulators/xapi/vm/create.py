"""VM.create and VM.destroy: the record alone. Disks are made before and stay after."""

from collections.abc import Mapping
from typing import Any

from hvsdk_simulators.xapi.call import Call
from hvsdk_simulators.xapi.database import NULL, Object
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.messages import message
from hvsdk_simulators.xapi.schema import SCHEMA
from hvsdk_simulators.xapi.vm import states
from hvsdk_simulators.xapi.vm.guest import forget_guest
from hvsdk_simulators.xapi.vm.memory_rules import overhead
from hvsdk_simulators.xapi.vm.operations import operation
from hvsdk_simulators.xapi.vm.records import MAC_SEED
from hvsdk_simulators.xapi.world import World

_SET_BY_THE_PRODUCT = (
    "blocked_operations",
    "protection_policy",
    "snapshot_schedule",
    "is_vmss_snapshot",
    "power_state",
)
_GOES_WITH_IT = (
    ("VGPU", "VGPUs"),
    ("VUSB", "VUSBs"),
    ("VTPM", "VTPMs"),
    ("console", "consoles"),
    ("crashdump", "crash_dumps"),
)


@message("VM.create(VM record args) -> VM ref", role="vm-admin", since="1.1")
def create(call: Call, args: dict[str, Any]) -> Object:
    """Make a VM record. Its numbers are checked when it starts, not now."""
    world = call.world
    given = (name for name, field in SCHEMA["VM"].fields.items() if field.mode != "RO" and name in args)
    fields = {name: args[name] for name in given if name not in _SET_BY_THE_PRODUCT}
    suspended = args.get("power_state") == states.SUSPENDED
    if suspended and args.get("suspend_VDI", NULL) == NULL:
        raise Failure("VM_BAD_POWER_STATE", NULL, "halted", "suspended")
    if not suspended:
        fields["suspend_VDI"] = NULL
    fields.setdefault("has_vendor_device", False)
    fields["other_config"] = {MAC_SEED: _seed(world)} | dict(args.get("other_config", {}))
    vm = world.db.create("VM", power_state=states.SUSPENDED if suspended else states.HALTED, domid=-1, **fields)
    fill_in(world, vm)
    return vm


def fill_in(world: World, vm: Object) -> None:
    """Fill in what follows from the rest of a new record."""
    changes: dict[str, Any] = {"memory_overhead": overhead(vm)}
    if vm["domain_type"] == "unspecified":
        changes["domain_type"] = "hvm" if vm["HVM_boot_policy"] else "pv"
    elif vm["domain_type"] == "hvm" and not vm["HVM_boot_policy"]:
        changes["HVM_boot_policy"] = "BIOS order"
    if vm["has_vendor_device"] and vm["hardware_platform_version"] < 2:
        changes["hardware_platform_version"] = 2
    if vm["metrics"] == NULL:
        changes["metrics"] = world.db.create("VM_metrics").ref
    world.db.update(vm, **changes)


@message("VM.destroy(VM ref self) -> void", role="vm-admin", since="1.1")
def destroy(call: Call, self: Object) -> None:
    """Delete the VM's record and those of its devices. Its disks, its saved memory and its snapshots stay."""
    with operation(call, self, "destroy"):
        remove(call.world, self)


@message(
    "VM.import_convert(string type, string username, string password, SR ref sr, (string -> string) map remote_config)"
    " -> void",
    role="vm-admin",
    since="1.10",
)
def import_convert(
    call: Call, type: str, username: str, password: str, sr: Object, remote_config: Mapping[str, str]
) -> None:
    """Refuse: the appliance that converts VMs of other products is not installed."""
    raise Failure("XENAPI_MISSING_PLUGIN", "conversion")


def remove(world: World, vm: Object) -> None:
    """Take a VM's record out of the database with all that belongs to it alone."""
    for ref in list(vm["children"]):
        child = world.db.lookup("VM", ref)
        if child is not None:
            world.db.update(child, parent=vm["parent"])
    for cls, field in (("VBD", "VBDs"), ("VIF", "VIFs")):
        for ref in list(vm[field]):
            _delete_with_metrics(world, cls, ref)
    for cls, field in _GOES_WITH_IT:
        for ref in list(vm[field]):
            _delete(world, cls, ref)
    for ref in vm["blobs"].values():
        _delete(world, "blob", ref)
    metrics = (("VM_metrics", vm["metrics"]), ("VM_guest_metrics", vm["guest_metrics"]))
    forget_guest(world, vm)
    world.db.delete(vm)
    for cls, ref in metrics:
        _delete(world, cls, ref)


def _seed(world: World) -> str:
    return f"{world.random.getrandbits(128):032x}"


def _delete_with_metrics(world: World, cls: str, ref: str) -> None:
    device = world.db.get(cls, ref)
    metrics = device["metrics"]
    world.db.delete(device)
    _delete(world, f"{cls}_metrics", metrics)


def _delete(world: World, cls: str, ref: str) -> None:
    obj = world.db.lookup(cls, ref)
    if obj is not None:
        world.db.delete(obj)
