"""Integration services: what host and guest offer each other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid5

from hvsdk_simulators.hyperv.vms import Vm
from hvsdk_simulators.hyperv.world import World

from .components import owned, vms_of
from .records import Record
from .registry import Bound, cmdlet

__all__ = ["SERVICES", "new_services"]

SERVICES: dict[str, tuple[str, str]] = {
    "Guest Service Interface": ("GuestServiceInterfaceComponent", "6C09BB55-D683-4DA0-8931-C9BF705F6480"),
    "Heartbeat": ("HeartbeatComponent", "84EAAE65-2F2E-45F5-9BB5-0E857DC8EB47"),
    "Key-Value Pair Exchange": ("DataExchangeComponent", "2A34B1C2-FD73-4043-8A5B-DD2159BC743F"),
    "Shutdown": ("ShutdownComponent", "9F8233AC-BE49-4C79-8EE3-E7E1985B2077"),
    "Time Synchronization": ("TimeSyncComponent", "2497F4DE-E9FA-4204-80E4-4B75C46419C0"),
    "VSS": ("VssComponent", "5CED1297-4598-4915-A5FC-AD21BB4D02A4"),
}
"""English name, the type's name, and the id of the device, which is the same in every language."""


def new_services() -> dict[str, bool]:
    """Return what a new VM has enabled."""
    return {name: name != "Guest Service Interface" for name in SERVICES}


def _record(world: World, vm: Vm, name: str) -> Record:
    from .cim_machines import guest_is_heard, is_up

    enabled = vm.hardware.integration_services.get(name, True)
    heard = guest_is_heard(vm, name)
    status = "Disabled" if not enabled else "Ok" if heard else "NoContact"
    shown = [status] if is_up(vm) else None
    device = SERVICES[name][1]
    properties: dict[str, Any] = {
        "Enabled": enabled,
        "OperationalStatus": shown,
        "PrimaryOperationalStatus": status if is_up(vm) else None,
        "PrimaryStatusDescription": ("OK" if status == "Ok" else status) if is_up(vm) else "",
        "SecondaryOperationalStatus": None,
        "SecondaryStatusDescription": "",
        "StatusDescription": ["OK" if status == "Ok" else status] if is_up(vm) else None,
        "Name": vm.details.get("service_names", {}).get(name, name),
        "Id": f"Microsoft:{str(vm.id).upper()}\\{device}",
        **owned(world, vm),
    }
    return Record("VMIntegrationComponent", str(uuid5(vm.id, name)), properties, (vm, name))


@cmdlet("Get-VMIntegrationService")
def get_services(world: World, p: Bound) -> Iterator[Record]:
    """Return the services of VMs, in the product's order."""
    yield from _services(world, p)


def _services(world: World, p: Bound) -> Iterator[Record]:
    wanted = [str(one).lower() for one in p.many("Name")]
    for vm in vms_of(world, p):
        for name in SERVICES:
            record = _record(world, vm, name)
            if not wanted or record["Name"].lower() in wanted:
                yield record


def _chosen(world: World, p: Bound) -> Iterator[tuple[Vm, str]]:
    for record in p.many("VMIntegrationService"):
        yield record.owner
    if p.many("Name"):
        for record in _services(world, p):
            yield record.owner


def _switch(world: World, p: Bound, on: bool) -> Iterator[Record]:
    for vm, name in _chosen(world, p):
        vm.hardware.integration_services[name] = on
        if p.flag("Passthru"):
            yield _record(world, vm, name)


@cmdlet("Enable-VMIntegrationService")
def enable_service(world: World, p: Bound) -> Iterator[Record]:
    """Enable services, at any time."""
    return _switch(world, p, True)


@cmdlet("Disable-VMIntegrationService")
def disable_service(world: World, p: Bound) -> Iterator[Record]:
    """Disable services, at any time."""
    return _switch(world, p, False)
