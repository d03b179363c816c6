"""The control door's look at guests and states: how a guest behaves, and what a machine is in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import attrs

from hvsdk_simulators.hyperv.actions import ActionError, action
from hvsdk_simulators.hyperv.vms import Guest, Vm
from hvsdk_simulators.hyperv.world import World

__all__: list[str] = []


def _vm(world: World, arguments: dict[str, Any]) -> Vm:
    vm = world.vms.get(UUID(str(arguments.pop("vm"))))
    if vm is None:
        raise ActionError("there is no such virtual machine")
    return vm


@action("guest")
def _guest(world: World, arguments: dict[str, Any]) -> dict[str, Any]:
    """Change how the guest of a VM behaves, and tell all of it: `act("guest", vm=ID, tools=False, obeys_shutdown=True)`."""
    vm = _vm(world, arguments)
    known = {field.name for field in attrs.fields(Guest)}
    unknown = set(arguments) - known
    if unknown:
        raise ActionError(f"a guest has no {', '.join(sorted(unknown))}; it has {', '.join(sorted(known))}")
    if "addresses" in arguments:
        arguments["addresses"] = {int(number): list(found) for number, found in arguments["addresses"].items()}
    for name, value in arguments.items():
        setattr(vm.guest, name, value)
    return attrs.asdict(vm.guest)


@action("state")
def _state(world: World, arguments: dict[str, Any]) -> None:
    """Put a VM into a state, whatever it is in: `act("state", vm=ID, state="OffCritical")`."""
    vm = _vm(world, arguments)
    vm.state = str(arguments["state"])
    vm.started = datetime.now(UTC) if vm.state in ("Running", "Paused") else None


@action("running-since")
def _running_since(world: World, arguments: dict[str, Any]) -> None:
    """Let a VM have been switched on some time ago: `act("running-since", vm=ID, seconds=600)`."""
    vm = _vm(world, arguments)
    vm.started = datetime.now(UTC) - timedelta(seconds=float(arguments["seconds"]))


@action("saved-paused")
def _saved_paused(world: World, arguments: dict[str, Any]) -> None:
    """Let a VM that is saved have been paused before: `act("saved-paused", vm=ID)`."""
    _vm(world, arguments).details["saved_from"] = "Paused"


@action("status")
def _status(world: World, arguments: dict[str, Any]) -> None:
    """Say what goes on beside, until it is taken back: `act("status", vm=ID, status="MergingDisks")`."""
    _vm(world, arguments).status = str(arguments["status"])


@action("remove-vm")
def _remove(world: World, arguments: dict[str, Any]) -> None:
    """Let a VM be gone, whatever state it is in: somebody else has removed it."""
    world.vms.pop(_vm(world, arguments).id)


@action("service")
def _service(world: World, arguments: dict[str, Any]) -> None:
    """Enable or disable an integration service by its English name, or show it under another name.

    `act("service", vm=ID, service="Shutdown", enabled=False)`, `act("service", vm=ID, service="Heartbeat", shown="Takt")`.
    """
    vm = _vm(world, arguments)
    name = str(arguments["service"])
    if "enabled" in arguments:
        vm.hardware.integration_services[name] = bool(arguments["enabled"])
    if "shown" in arguments:
        vm.details.setdefault("service_names", {})[name] = str(arguments["shown"])


@action("memory")
def _memory(world: World, arguments: dict[str, Any]) -> None:
    """Let a VM need so many bytes to boot, without a look at what the host has."""
    _vm(world, arguments).hardware.memory_startup = int(arguments["bytes"])


@action("rights")
def _rights(world: World, arguments: dict[str, Any]) -> None:
    """Say whether users may use Hyper-V: `act("rights", hyperv=False)` as if they were in none of its groups."""
    world.facts["denied"] = not arguments["hyperv"]
