"""What a host takes on now, and turning it on and off for the pool's use."""

from __future__ import annotations

from hvsdk_simulators.xapi.call import Call, refusal
from hvsdk_simulators.xapi.database import Object, derived
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.messages import message
from hvsdk_simulators.xapi.vm.hosts import is_live
from hvsdk_simulators.xapi.world import World

_OPERATIONS = ("vm_migrate", "provision", "vm_resume", "evacuate", "vm_start", "reboot", "shutdown", "power_on")
_ENABLE_SINCE = (2, 21)
_TAKING = frozenset(("provision", "vm_start", "vm_resume"))
_GOING_DOWN = frozenset(("reboot", "shutdown"))


@derived("host", "allowed_operations")
def allowed_operations(world: World, host: Object) -> list[str]:
    """The operations that may begin now."""
    names = (*_OPERATIONS, "enable") if world.options.api >= _ENABLE_SINCE else _OPERATIONS
    return [name for name in names if refusal_of(world, host, name) is None]


@refusal("host")
def refusal_of(world: World, host: Object, op: str) -> Failure | None:
    """The error that the product answers to an operation now, or None."""
    current = host["current_operations"]
    if current and (op in current.values() or _GOING_DOWN & {op, *current.values()}):
        return Failure("OTHER_OPERATION_IN_PROGRESS", "host", host.ref, next(iter(current.values())))
    live = is_live(world, host)
    if op == "power_on":
        return Failure("HOST_IS_LIVE", host.ref) if live else None
    if op in _TAKING and not host["enabled"]:
        return Failure("HOST_DISABLED", host.ref)
    if op in _GOING_DOWN:
        if host["enabled"]:
            return Failure("HOST_NOT_DISABLED")
        if guests := guests_on(world, host):
            return Failure("HOST_IN_USE", host.ref, "VM", guests[0].ref)
    if op == "enable" and host["enabled"]:
        return Failure("OPERATION_NOT_ALLOWED", "The host is enabled")
    return None


def guests_on(world: World, host: Object) -> list[Object]:
    """The VMs on a host, but for those that are part of it."""
    vms = (world.db.lookup("VM", ref) for ref in host["resident_VMs"])
    return [vm for vm in vms if vm is not None and not vm["is_control_domain"]]


@message("host.disable(host ref host, bool auto_enable = true) -> void", role="client-cert")
def disable(call: Call, host: Object, auto_enable: bool) -> None:
    """Start no more VMs on a host. Those that run there stay."""
    call.world.db.update(host, enabled=False)


@message("host.enable(host ref host) -> void", role="client-cert")
def enable(call: Call, host: Object) -> None:
    """Start VMs on a host again."""
    if not is_live(call.world, host):
        raise Failure("HOST_NOT_LIVE")
    call.world.db.update(host, enabled=True)
