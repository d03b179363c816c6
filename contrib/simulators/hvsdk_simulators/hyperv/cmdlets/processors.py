"""The processors of virtual machines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hvsdk_simulators.hyperv.vms import Checkpoint, Vm
from hvsdk_simulators.hyperv.world import World

from .cim_windows import HOST_PROCESSORS
from .components import hardware_of, owned, vms_of
from .errors import CmdletError, wrong_state
from .records import Record
from .registry import Bound, cmdlet

__all__: list[str] = []

_LIVE = ("Maximum", "Reserve", "RelativeWeight")
_AT_REST = ("ExposeVirtualizationExtensions", "CompatibilityForMigrationEnabled", "HwThreadCountPerCore")
_DEFAULTS: dict[str, Any] = {
    "ResourcePoolName": "Primordial",
    "CompatibilityForMigrationEnabled": False,
    "CompatibilityForOlderOperatingSystemsEnabled": False,
    "HwThreadCountPerCore": 0,
    "ExposeVirtualizationExtensions": False,
    "Maximum": 100,
    "Reserve": 0,
    "RelativeWeight": 100,
    "MaximumCountPerNumaNode": 32,
    "MaximumCountPerNumaSocket": 1,
    "EnableHostResourceProtection": False,
}


def _record(world: World, vm: Vm, count: int, checkpoint: Checkpoint | None = None) -> Record:
    kept = vm.hardware.details.get("processor", {})
    properties: dict[str, Any] = {
        **_DEFAULTS,
        **kept,
        "Count": count,
        "OperationalStatus": ["Ok"] if vm.state == "Running" else None,
        "StatusDescription": None,
        "Name": "Processor",
        "Id": f"Microsoft:{str(vm.id).upper()}\\b637f346-6a0e-4dec-af52-bd70cb80a21d\\0",
        **owned(world, vm, checkpoint),
    }
    return Record("VMProcessor", f"{vm.id}/{checkpoint.id if checkpoint else ''}", properties, vm)


@cmdlet("Get-VMProcessor")
def get_processor(world: World, p: Bound) -> Iterator[Record]:
    """Return the processors of VMs."""
    for vm, hardware, checkpoint in hardware_of(world, p):
        yield _record(world, vm, hardware.processors, checkpoint)


@cmdlet("Set-VMProcessor")
def set_processor(world: World, p: Bound) -> Iterator[Record]:
    """Change processors: their number only of a VM that is off."""
    for vm in [*(record.owner for record in p.many("VMProcessor")), *vms_of(world, p)]:
        count = p.get("Count")
        resting = count is not None or any(p.get(name) is not None for name in _AT_REST)
        if resting and vm.state != "Off":
            raise wrong_state(vm.name)
        if count is not None and not 1 <= int(count) <= HOST_PROCESSORS:
            raise CmdletError(
                "InvalidParameter", "InvalidArgument", f"Failed to modify device 'Processor'. {count} is not valid."
            )
        if count is not None:
            vm.hardware.processors = int(count)
        kept = vm.hardware.details.setdefault("processor", {})
        kept |= {name: p[name] for name in (*_LIVE, *_AT_REST) if p.get(name) is not None}
        if p.flag("Passthru"):
            yield _record(world, vm, vm.hardware.processors)
