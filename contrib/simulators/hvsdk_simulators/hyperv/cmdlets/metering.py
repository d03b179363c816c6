"""Resource metering: reports of what virtual machines used since it was enabled."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hvsdk_simulators.hyperv.vms import Vm

from .errors import CmdletError, not_found
from .names import matches
from .records import Record
from .registry import Bound, cmdlet

if TYPE_CHECKING:
    from hvsdk_simulators.hyperv.world import World

__all__: list[str] = []

_SINCE = "metering since"


@cmdlet("Enable-VMResourceMetering")
def enable(world: World, p: Bound) -> None:
    """Begin to measure."""
    for vm in _asked(world, p):
        vm.metering = True
        vm.details.setdefault(_SINCE, datetime.now(UTC))


@cmdlet("Disable-VMResourceMetering")
def disable(world: World, p: Bound) -> None:
    """Measure no more, and forget what was measured."""
    for vm in _asked(world, p):
        vm.metering = False
        vm.details.pop(_SINCE, None)


@cmdlet("Reset-VMResourceMetering")
def reset(world: World, p: Bound) -> None:
    """Forget what was measured."""
    for vm in _asked(world, p):
        if vm.metering:
            vm.details[_SINCE] = datetime.now(UTC)


@cmdlet("Measure-VM")
def measure(world: World, p: Bound) -> Iterator[Record]:
    """Report what was measured; a machine without metering is an error."""
    for vm in _asked(world, p):
        if not vm.metering:
            text = f"Resource metering is not enabled for '{vm.name}'."
            raise CmdletError("InvalidOperation", "InvalidOperation", text)
        yield _report(vm)


def _report(vm: Vm) -> Record:
    runs = vm.state == "Running"
    memory = vm.hardware.memory_startup >> 20 if runs else 0
    properties: dict[str, Any] = {
        "VMId": vm.id,
        "VMName": vm.name,
        "MeteringDuration": datetime.now(UTC) - vm.details.get(_SINCE, vm.created),
        "AverageProcessorUsage": 170 if runs else 0,
        "AverageMemoryUsage": memory,
        "MaximumMemoryUsage": memory,
        "MinimumMemoryUsage": memory,
        "TotalDiskAllocation": 0,
        "AggregatedAverageNormalizedIOPS": 12 if runs else 0,
        "AggregatedAverageLatency": 0,
        "AggregatedDiskDataRead": 0,
        "AggregatedDiskDataWritten": 0,
        "NetworkMeteredTrafficReport": [],
        "HardDiskMetrics": [],
    }
    return Record("VMMeteringReportForVirtualMachine", str(vm.id), properties, vm)


def _asked(world: World, p: Bound) -> Iterable[Vm]:
    if "VM" in p:
        return [record.owner for record in p.many("VM")]
    names = p.many("VMName") + p.many("Name")
    found = [vm for vm in world.vms.values() if any(matches(vm.name, name) for name in names)]
    if not found:
        raise not_found(f'a virtual machine with name "{", ".join(names)}"')
    return found
