"""The control door's look at guests and states: how a guest behaves, and what a machine is in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import attrs

from hvsdk_simulators.hyperv.actions import ActionError, action, find_vm
from hvsdk_simulators.hyperv.vms import Guest
from hvsdk_simulators.hyperv.world import World

__all__: list[str] = []


@action("guest")
def _guest(world: World, *, vm: str, **behaviour: Any) -> dict[str, Any]:
    """Change how the guest of a VM behaves, and tell all of it: `act("guest", vm=ID, tools=False, obeys_shutdown=True)`."""
    guest = find_vm(world, vm).guest
    known = {field.name for field in attrs.fields(Guest)}
    unknown = set(behaviour) - known
    if unknown:
        raise ActionError(f"a guest has no {', '.join(sorted(unknown))}; it has {', '.join(sorted(known))}")
    if "addresses" in behaviour:
        behaviour["addresses"] = {int(number): list(found) for number, found in behaviour["addresses"].items()}
    for name, value in behaviour.items():
        setattr(guest, name, value)
    return attrs.asdict(guest)


@action("state")
def _state(world: World, *, vm: str, state: str) -> None:
    """Put a VM into a state, whatever it is in: `act("state", vm=ID, state="OffCritical")`."""
    found = find_vm(world, vm)
    found.state = state
    found.started = datetime.now(UTC) if state in ("Running", "Paused") else None


@action("running-since")
def _running_since(world: World, *, vm: str, seconds: float) -> None:
    """Let a VM have been switched on some time ago: `act("running-since", vm=ID, seconds=600)`."""
    find_vm(world, vm).started = datetime.now(UTC) - timedelta(seconds=seconds)


@action("saved-paused")
def _saved_paused(world: World, *, vm: str) -> None:
    """Let a VM that is saved have been paused before: `act("saved-paused", vm=ID)`."""
    find_vm(world, vm).details["saved_from"] = "Paused"


@action("status")
def _status(world: World, *, vm: str, status: str) -> None:
    """Say what goes on beside, until it is taken back: `act("status", vm=ID, status="MergingDisks")`."""
    find_vm(world, vm).status = status


@action("remove-vm")
def _remove(world: World, *, vm: str) -> None:
    """Let a VM be gone, whatever state it is in: somebody else has removed it."""
    world.vms.pop(find_vm(world, vm).id)


@action("service")
def _service(world: World, *, vm: str, service: str, enabled: bool | None = None, shown: str | None = None) -> None:
    """Enable or disable an integration service by its English name, or show it under another name.

    `act("service", vm=ID, service="Shutdown", enabled=False)`, `act("service", vm=ID, service="Heartbeat", shown="Takt")`.
    """
    found = find_vm(world, vm)
    if enabled is not None:
        found.hardware.integration_services[service] = enabled
    if shown is not None:
        found.details.setdefault("service_names", {})[service] = shown


@action("memory")
def _memory(world: World, *, vm: str, bytes: int) -> None:
    """Let a VM need so many bytes to boot, without a look at what the host has."""
    find_vm(world, vm).hardware.memory_startup = bytes


@action("rights")
def _rights(world: World, *, hyperv: bool) -> None:
    """Say whether users may use Hyper-V: `act("rights", hyperv=False)` as if they were in none of its groups."""
    world.facts["denied"] = not hyperv
