"""The shutdown service: how guests are asked to shut down."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hvsdk_simulators.hyperv.vms import Vm

from .cim import VIRTUALIZATION, cim_class, cim_method, guid_of, instance
from .cim_machines import guest_is_heard, is_up
from .records import Record

if TYPE_CHECKING:
    from hvsdk_simulators.hyperv.world import World

__all__ = ["SHUTDOWN", "ask_guest"]

SHUTDOWN = "Shutdown"
"""Name of the integration service."""
_COMPONENT = "Msvm_ShutdownComponent"
_FAILED, _INVALID_STATE = 32768, 32775


@cim_class(_COMPONENT, VIRTUALIZATION)
def _components(world: World) -> Iterator[Record]:
    for vm in world.vms.values():
        enabled = vm.hardware.integration_services.get(SHUTDOWN, True)
        if not is_up(vm) or not enabled:
            continue
        heard = guest_is_heard(vm, SHUTDOWN)
        properties: dict[str, Any] = {
            "SystemName": guid_of(vm),
            "ElementName": SHUTDOWN,
            "EnabledState": 2,
            "OperationalStatus": [2] if heard else [12],
        }
        yield instance(_COMPONENT, guid_of(vm), properties, vm)


@cim_method(_COMPONENT, "InitiateShutdown")
def _initiate(world: World, component: Record, arguments: dict[str, Any]) -> dict[str, Any]:
    return {"ReturnValue": ask_guest(world, component.owner)}


@cim_method(_COMPONENT, "InitiateReboot")
def _reboot(world: World, component: Record, arguments: dict[str, Any]) -> dict[str, Any]:
    return {"ReturnValue": ask_guest(world, component.owner, reboot=True)}


def ask_guest(world: World, vm: Vm, *, reboot: bool = False) -> int:
    """Ask a guest to shut down, and return what the service's method does: 0 when it was asked, or an error.

    A guest that was asked goes down later, or not at all: see `Guest`.
    """
    if not is_up(vm):
        return _INVALID_STATE
    if not guest_is_heard(vm, SHUTDOWN):
        return _FAILED
    guest = vm.guest
    if guest.missed_requests > 0:
        guest.missed_requests -= 1
    elif guest.obeys_shutdown:
        started = vm.started
        world.later(guest.shutdown_seconds, lambda: _go_down(world, vm, started, reboot))
    return 0


def _go_down(world: World, vm: Vm, started: Any, reboot: bool) -> None:
    if not is_up(vm) or vm.started != started:
        return
    if reboot:
        vm.guest.boots += 1
        vm.started = datetime.now(UTC)
    else:
        vm.state, vm.started = "Off", None
