"""What may be done with a drive now, and with which error the product refuses the rest."""

from collections.abc import Iterator
from functools import lru_cache

import attrs

from hvsdk_simulators.xapi.call import refusal
from hvsdk_simulators.xapi.database import Object, derived
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.world import World

OPERATIONS = ("attach", "eject", "insert", "plug", "unplug", "unplug_force", "pause", "unpause")
_PLUGGING = frozenset({"plug", "unplug", "unplug_force"})
_TAKING = frozenset({"attach", "insert", "plug"})
_WITH_MEDIA = frozenset({"insert", "eject"})
_PAUSING = frozenset({"pause", "unpause"})
_ENDING = ("clean_shutdown", "hard_shutdown", "suspend", "pause")
_BESIDE_A_COPY = frozenset({"mirror", "copy"})

_VBD, _VM, _VDI = "\0vbd", "\0vm", "\0vdi"
_Refusal = tuple[str, ...]


@attrs.frozen(kw_only=True)
class Situation:
    """Everything about a drive that decides what may be done with it, but for who else has its disk."""

    type: str
    empty: bool
    unpluggable: bool
    attached: bool
    current: tuple[str, ...]
    power_state: str
    vm_current: tuple[str, ...]
    hvm: bool
    hotplug: str
    """What the guest's drivers say of it: yes, no, or nothing because there are none."""
    managed: bool
    vdi_current: tuple[str, ...]


def situation(world: World, vbd: Object, vm: Object) -> Situation:
    """What a drive's situation is."""
    vdi = world.db.lookup("VDI", vbd["VDI"])
    running = vm["power_state"] == "Running"
    hvm = running and _booted_hvm(world, vm)
    return Situation(
        type=vbd["type"],
        empty=vbd["empty"],
        unpluggable=vbd["unpluggable"],
        attached=vbd["currently_attached"],
        current=tuple(vbd["current_operations"].values()),
        power_state=vm["power_state"],
        vm_current=tuple(vm["current_operations"].values()),
        hvm=hvm,
        hotplug=_hotplug(world, vm) if hvm else "",
        managed=vdi is None or vdi["managed"],
        vdi_current=tuple(vdi["current_operations"].values()) if vdi is not None else (),
    )


@derived("VBD", "allowed_operations")
def allowed_operations(world: World, vbd: Object) -> list[str]:
    """The operations that may begin now, without a look at who else has the disk."""
    vm = world.db.lookup("VM", vbd["VM"])
    return list(_allowed(situation(world, vbd, vm))) if vm is not None else []


@refusal("VBD")
def refusal_of(world: World, vbd: Object, op: str) -> Failure | None:
    """The first reason against an operation, or None when it may begin."""
    vm = world.db.get("VM", vbd["VM"])
    found = _refused(situation(world, vbd, vm), op)
    if found is not None:
        names = {_VBD: vbd.ref, _VM: vm.ref, _VDI: vbd["VDI"]}
        return Failure(*(names.get(text, text) for text in found))
    vdi = world.db.lookup("VDI", vbd["VDI"])
    taking = op in _TAKING and vdi is not None and not vbd["currently_attached"]
    return sharing_refusal(world, vdi, vbd["mode"], vm, vbd) if taking and vdi is not None else None


def sharing_refusal(
    world: World, vdi: Object, mode: str, vm: Object | None = None, vbd: Object | None = None
) -> Failure | None:
    """Why nobody may have a disk attached now: others write to it, or who asks would write to what is read only.

    Args:
        world: The pool.
        vdi: The disk.
        mode: RO or RW.
        vm: Who asks for it; one that serves the pool shares every disk.
        vbd: The drive it would be in, which does not stand in its own way.
    """
    others = list(_holders(world, vdi, vbd))
    written = any(other["mode"] == "RW" for other in others)
    shares = vdi["sharable"] or (vm is not None and _serves_the_pool(vm))
    if not shares and (written or (mode == "RW" and others)):
        return Failure("VDI_IN_USE", vdi.ref, "attach")
    if mode == "RW" and vdi["read_only"]:
        return Failure("VDI_READONLY", vdi.ref)
    return None


def _holders(world: World, vdi: Object, vbd: Object | None) -> Iterator[Object]:
    """The other drives that have a disk at work; those of suspended VMs and system domains do not count."""
    for ref in vdi["VBDs"]:
        other = world.db.lookup("VBD", ref)
        if other is None or other is vbd or not (other["currently_attached"] or other["current_operations"]):
            continue
        vm = world.db.lookup("VM", other["VM"])
        if vm is not None and vm["power_state"] != "Suspended" and not _serves_the_pool(vm):
            yield other


def _serves_the_pool(vm: Object) -> bool:
    return bool(vm["other_config"].get("is_system_domain") == "true")


@lru_cache(maxsize=4096)
def _allowed(now: Situation) -> tuple[str, ...]:
    return tuple(op for op in OPERATIONS if _refused(now, op) is None)


def _refused(now: Situation, op: str) -> _Refusal | None:
    return next((found for check in _CHECKS if (found := check(now, op)) is not None), None)


def _others_running(now: Situation, op: str) -> _Refusal | None:
    if not now.current:
        return None
    busy = ("OTHER_OPERATION_IN_PROGRESS", "VBD", _VBD, now.current[0])
    harmless = {"unpause": _PAUSING | {"attach"}, "pause": _PAUSING}.get(op, frozenset())
    return None if harmless.issuperset(now.current) else busy


def _drive(now: Situation, op: str) -> _Refusal | None:
    if not now.unpluggable and op in ("unplug", "unplug_force"):
        return ("VBD_NOT_UNPLUGGABLE", _VBD)
    if now.type != "CD" and op in _WITH_MEDIA:
        return ("VBD_NOT_REMOVABLE_MEDIA", _VBD)
    if op == "eject" and now.empty:
        return ("VBD_IS_EMPTY", _VBD)
    return ("VBD_NOT_EMPTY", _VBD) if op == "insert" and not now.empty else None


def _power(now: Situation, op: str) -> _Refusal | None:
    if now.power_state == "Running":
        if op == "plug" and now.attached:
            return ("DEVICE_ALREADY_ATTACHED", _VBD)
        return ("DEVICE_ALREADY_DETACHED", _VBD) if op in ("unplug", "unplug_force") and not now.attached else None
    if op in _PLUGGING or (op in _PAUSING and now.power_state != "Paused"):
        return ("VM_BAD_POWER_STATE", _VM, "running", now.power_state.lower())
    return None


def _vm_ending(now: Situation, op: str) -> _Refusal | None:
    ending = next((one for one in now.vm_current if one in _ENDING), None)
    if ending is None or op not in ("plug", "unplug"):
        return None
    return ("OPERATION_NOT_ALLOWED", f"Another operation of the VM is under way: {ending}")


def _hvm(now: Situation, op: str) -> _Refusal | None:
    if not now.hvm or op not in _PLUGGING:
        return None
    if now.hotplug == "no":
        return ("OPERATION_NOT_ALLOWED", "VM states it does not support VBD hotplug.")
    if now.hotplug != "yes":
        return ("VM_MISSING_PV_DRIVERS", _VM)
    cd = "HVM CDROMs cannot be hotplugged/unplugged, only inserted or ejected"
    return ("OPERATION_NOT_ALLOWED", cd) if now.type == "CD" else None


def _suspended(now: Situation, op: str) -> _Refusal | None:
    if now.type == "CD" and now.power_state == "Suspended" and op in _WITH_MEDIA:
        return ("VM_BAD_POWER_STATE", _VM, "halted, running", "suspended")
    return None


def _disk(now: Situation, op: str) -> _Refusal | None:
    if now.empty:
        return None
    if not now.managed:
        return ("VDI_NOT_MANAGED", _VBD)
    other = next((one for one in now.vdi_current if one not in _BESIDE_A_COPY), None)
    return ("OTHER_OPERATION_IN_PROGRESS", "VDI", _VDI, other) if other and op in _TAKING else None


_CHECKS = (_others_running, _drive, _power, _vm_ending, _hvm, _suspended, _disk)


def _booted_hvm(world: World, vm: Object) -> bool:
    metrics = world.db.lookup("VM_metrics", vm["metrics"])
    booted = metrics["current_domain_type"] if metrics is not None else "unspecified"
    return booted == "hvm" if booted != "unspecified" else bool(vm["HVM_boot_policy"])


def _hotplug(world: World, vm: Object) -> str:
    metrics = world.db.lookup("VM_guest_metrics", vm["guest_metrics"])
    if metrics is None:
        return ""
    told: str = metrics["can_use_hotplug_vbd"]
    return "yes" if told == "unspecified" and metrics["PV_drivers_version"] else told
