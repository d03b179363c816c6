"""The memory of virtual machines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hvsdk_simulators.hyperv.vms import Checkpoint, Hardware, Vm
from hvsdk_simulators.hyperv.world import World

from .cim_windows import HOST_MEMORY
from .components import hardware_of, owned, vms_of
from .errors import CmdletError, wrong_state
from .records import Record
from .registry import Bound, cmdlet

__all__: list[str] = []

_STEP = 2 << 20
_LEAST = 32 << 20
_OLD = 2012


def _record(world: World, vm: Vm, hardware: Hardware, checkpoint: Checkpoint | None = None) -> Record:
    properties: dict[str, Any] = {
        "ResourcePoolName": "Primordial",
        "Buffer": hardware.details.get("memory_buffer", 20),
        "DynamicMemoryEnabled": hardware.dynamic_memory,
        "Maximum": hardware.memory_maximum,
        "MaximumPerNumaNode": 1 << 20,
        "Minimum": hardware.memory_minimum,
        "Priority": hardware.details.get("memory_priority", 50),
        "Startup": hardware.memory_startup,
        "Name": "Memory",
        "Id": f"Microsoft:{str(vm.id).upper()}\\4764334d-e001-4176-82ee-5594ec9b530e",
        **owned(world, vm, checkpoint),
    }
    return Record("VMMemory", f"{vm.id}/{checkpoint.id if checkpoint else ''}", properties, vm)


@cmdlet("Get-VMMemory")
def get_memory(world: World, p: Bound) -> Iterator[Record]:
    """Return the memory of VMs."""
    for vm, hardware, checkpoint in hardware_of(world, p):
        yield _record(world, vm, hardware, checkpoint)


@cmdlet("Set-VMMemory")
def set_memory(world: World, p: Bound) -> Iterator[Record]:
    """Change memory: while it runs, the amount of static memory (from 2016 on), and the bounds of dynamic memory outwards."""
    for vm in [*(record.owner for record in p.many("VMMemory")), *vms_of(world, p)]:
        after = _after(vm, p)
        if vm.state != "Off":
            _confirm_live(world, vm, p, after)
        _confirm(vm, after)
        hardware = vm.hardware
        hardware.dynamic_memory, hardware.memory_startup, hardware.memory_minimum, hardware.memory_maximum = after
        for name, key in {"Buffer": "memory_buffer", "Priority": "memory_priority"}.items():
            if p.get(name) is not None:
                hardware.details[key] = p[name]
        if p.flag("Passthru"):
            yield _record(world, vm, hardware)


def _after(vm: Vm, p: Bound) -> tuple[bool, int, int, int]:
    """Return what would be then: dynamic, startup, minimum, maximum."""
    hardware = vm.hardware

    def number(name: str, present: int) -> int:
        return present if p.get(name) is None else int(p[name])

    dynamic = hardware.dynamic_memory if p.get("DynamicMemoryEnabled") is None else bool(p["DynamicMemoryEnabled"])
    return (
        dynamic,
        number("StartupBytes", hardware.memory_startup),
        number("MinimumBytes", hardware.memory_minimum),
        number("MaximumBytes", hardware.memory_maximum),
    )


def _confirm_live(world: World, vm: Vm, p: Bound, after: tuple[bool, int, int, int]) -> None:
    hardware = vm.hardware
    dynamic, startup, minimum, maximum = after
    if vm.state != "Running" or dynamic != hardware.dynamic_memory:
        raise wrong_state(vm.name)
    if startup != hardware.memory_startup and (dynamic or world.options.version == _OLD):
        raise wrong_state(vm.name)
    if dynamic and (minimum > hardware.memory_minimum or maximum < hardware.memory_maximum):
        raise wrong_state(vm.name)


def _confirm(vm: Vm, after: tuple[bool, int, int, int]) -> None:
    dynamic, startup, minimum, maximum = after
    fits = all(size % _STEP == 0 and size >= _LEAST for size in (startup, minimum, maximum))
    if not fits or startup > HOST_MEMORY or (dynamic and not minimum <= startup <= maximum):
        text = f"Failed to modify device 'Memory'. The values for '{vm.name}' are not valid."
        raise CmdletError("InvalidParameter", "InvalidArgument", text)
