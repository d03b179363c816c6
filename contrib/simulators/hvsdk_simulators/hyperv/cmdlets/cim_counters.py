"""Performance counters of virtual machines, raw: they only grow, as long as a machine runs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hvsdk_simulators.hyperv.vms import Vm

from .cim import cim_class, guid_of, instance
from .cim_machines import here, is_up
from .records import Record

if TYPE_CHECKING:
    from hvsdk_simulators.hyperv.world import World

__all__: list[str] = []

_TICKS = 10_000_000
"""Of 100 ns, in a second."""
_BUSY = 0.07
"""What each virtual processor does of its time."""
_PROCESSOR = "Win32_PerfRawData_HvStats_HyperVHypervisorVirtualProcessor"
_STORAGE = "Win32_PerfRawData_Counters_HyperVVirtualStorageDevice"
_NETWORK = "Win32_PerfRawData_NvspNicStats_HyperVVirtualNetworkAdapter"


def _seconds(vm: Vm) -> float:
    """How long it has run, and a little for its start."""
    return 1.0 + (max(0.0, (datetime.now(UTC) - vm.started).total_seconds()) if vm.started else 0.0)


def _running(world: World) -> Iterator[Vm]:
    return (vm for vm in here(world) if is_up(vm))


@cim_class(_PROCESSOR)
def _processors(world: World) -> Iterator[Record]:
    seen: dict[str, int] = {}
    for vm in _running(world):
        for number in range(vm.hardware.processors):
            name = f"{vm.name}:Hv VP {number}"
            seen[name] = again = seen.get(name, -1) + 1
            name += f"#{again}" if again else ""
            ticks = int(_seconds(vm) * _BUSY * _TICKS)
            properties: dict[str, Any] = {
                "Name": name,
                "PercentGuestRunTime": ticks,
                "PercentHypervisorRunTime": ticks // 50,
                "PercentTotalRunTime": ticks + ticks // 50,
                "Timestamp_Sys100NS": int(datetime.now(UTC).timestamp() * _TICKS),
            }
            yield instance(_PROCESSOR, name, properties)


@cim_class(_STORAGE)
def _storage(world: World) -> Iterator[Record]:
    for vm in _running(world):
        for drive in vm.hardware.drives:
            if drive.kind != "disk" or not drive.path:
                continue
            name = "--?-" + drive.path.replace("\\", "-")
            requests = int(_seconds(vm) * 12)
            properties: dict[str, Any] = {
                "Name": name,
                "ReadBytesPersec": requests * 16384,
                "WriteBytesPersec": requests * 8192,
                "ReadOperationsPerSec": requests,
                "WriteOperationsPerSec": requests // 2,
            }
            yield instance(_STORAGE, name, properties)


@cim_class(_NETWORK)
def _network(world: World) -> Iterator[Record]:
    for vm in _running(world):
        for adapter in vm.hardware.adapters:
            name = f"{vm.name}_{adapter.name}_{guid_of(vm)}--{str(adapter.id).upper()}"
            packets = int(_seconds(vm) * 20) if adapter.switch else 0
            properties: dict[str, Any] = {
                "Name": name,
                "BytesReceivedPersec": packets * 700,
                "BytesSentPersec": packets * 300,
                "PacketsReceivedPersec": packets,
                "PacketsSentPersec": packets // 2,
            }
            yield instance(_NETWORK, name, properties)
