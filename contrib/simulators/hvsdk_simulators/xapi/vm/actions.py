"""What the control door can do with a guest."""

from typing import Any

import attrs

from hvsdk_simulators.xapi import tasks
from hvsdk_simulators.xapi.actions import action
from hvsdk_simulators.xapi.database import Object
from hvsdk_simulators.xapi.vm import crashdumps, domain, guest, situation, states
from hvsdk_simulators.xapi.vm.guest import ABSENT, CURRENT, OUTDATED, guest_of
from hvsdk_simulators.xapi.world import World

_TOOLS = {True: CURRENT, False: ABSENT, "current": CURRENT, "outdated": OUTDATED, "absent": ABSENT}
_RESTARTS = {"destroy": False, "restart": True}


@action("guest")
def change_guest(
    world: World,
    vm: str,
    *,
    tools: bool | str | None = None,
    crash: bool = False,
    stops: bool = False,
    reboots: bool = False,
    **behaviour: Any,
) -> dict[str, Any]:
    """Change how a VM's guest behaves, or let it do something by itself.

    Args:
        world: The pool.
        vm: UUID of the VM.
        tools: `true`/`current`, `outdated`, or `false`/`absent`.
        crash: It crashes now; the VM does what `actions_after_crash` says.
        stops: It shuts itself down now; the VM does what `actions_after_shutdown` says.
        reboots: It reboots now; the VM does what `actions_after_reboot` says.
        behaviour: Other attributes of `Guest`, such as `obeys_shutdown`.
    """
    found = world.db.find("VM", vm)
    if tools is not None:
        behaviour["tools"] = _TOOLS[tools]
    known = attrs.evolve(guest_of(world, found), **behaviour)
    guest.guests(world)[found.ref] = known
    if found["power_state"] == states.RUNNING:
        _show(world, found)
    if crash and found["power_state"] in (states.RUNNING, states.PAUSED):
        _crash(world, found)
    elif stops and found["power_state"] == states.RUNNING:
        _end(world, found, restart=_RESTARTS[found["actions_after_shutdown"]])
    elif reboots and found["power_state"] == states.RUNNING:
        _end(world, found, restart=_RESTARTS[found["actions_after_reboot"]])
    return attrs.asdict(known)


@action("operation")
def hold_operation(world: World, vm: str, operation: str, *, on: bool = True) -> str:
    """Let an operation be under way on a VM, with a task that never tells an end, until it is taken back.

    Args:
        world: The pool.
        vm: UUID of the VM.
        operation: A value of `vm_operations` that the VM allows now.
        on: Whether it begins; else all of its name end well.

    Returns:
        The task that has begun; nothing when it has been taken back.

    Raises:
        Failure: The VM does not allow the operation now.
    """
    found = world.db.find("VM", vm)
    if on:
        situation.assert_allowed(world, found, operation)
        task = tasks.begin(world, None, world.master, f"VM.{operation}", cancellable=False)
        world.db.update(found, current_operations=found["current_operations"] | {task.ref: operation})
        return task.ref
    running = found["current_operations"]
    world.db.update(found, current_operations={ref: name for ref, name in running.items() if name != operation})
    for ref, name in running.items():
        held = world.db.lookup("task", ref)
        if held is not None and name == operation:
            tasks.succeed(world, held)
    return ""


def _show(world: World, vm: Object) -> None:
    guest.silence(world, vm)
    guest.tell(world, vm)


def _crash(world: World, vm: Object) -> None:
    """Do what is said for a crash: a preserved domain shows as paused."""
    what = vm["actions_after_crash"]
    if what.startswith("coredump"):
        crashdumps.dump(world, vm)
    if what == "preserve":
        world.db.update(vm, power_state=states.PAUSED)
        return
    _end(world, vm, restart="restart" in what)


def _end(world: World, vm: Object, *, restart: bool) -> None:
    if restart:
        domain.reboot(world, vm)
    else:
        domain.halt(world, vm)
