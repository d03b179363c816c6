"""Figures of virtual machines: the twin of a client's `stats.ps1`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from hvsdk_simulators.hyperv.cmdlets.errors import CmdletError

from .common import the_vm, time_text
from .registry import Host, operation

__all__: list[str] = []

_PROCESSOR = re.compile(r"\A(.*):Hv VP [0-9]+\Z", re.DOTALL)
_ADAPTER = re.compile(r"_([0-9A-Fa-f-]{36})--[0-9A-Fa-f-]{36}\Z")
_DISK_FIGURES = {
    "disk_read_bytes": "ReadBytesPersec",
    "disk_write_bytes": "WriteBytesPersec",
    "disk_read_requests": "ReadOperationsPerSec",
    "disk_write_requests": "WriteOperationsPerSec",
}
_ADAPTER_FIGURES = {
    "net_rx_bytes": "BytesReceivedPersec",
    "net_tx_bytes": "BytesSentPersec",
    "net_rx_packets": "PacketsReceivedPersec",
    "net_tx_packets": "PacketsSentPersec",
}

Table = dict[str, dict[str, int]]


@operation("stats.read")
def _read(host: Host, arguments: dict[str, Any]) -> Any:
    vms = host.run("Get-VM")
    if arguments.get("ids") is None:
        found = [vm for vm in vms if vm["State"] == "Running"]
    else:
        by_id = {str(vm["Id"]): vm for vm in vms}
        found = [by_id.get(id.lower()) or the_vm(host, id) for id in arguments["ids"]]
    running = [vm for vm in found if vm["State"] == "Running"]
    counted: Table = {}
    problem = None
    at = datetime.now(UTC)
    if running:
        try:
            _add_processors(host, counted, vms)
            _add_adapters(host, counted)
            _add_disks(host, counted, host.run("Get-VMHardDiskDrive", VM=running))
        except CmdletError as error:
            problem = error.message
    return {"at": time_text(at), "problem": problem, "vms": [_record(vm, counted) for vm in found]}


def _record(vm: Any, counted: Table) -> dict[str, Any]:
    running = vm["State"] == "Running"
    return {
        "id": str(vm["Id"]),
        "name": vm["Name"],
        "running": running,
        "vcpus": vm["ProcessorCount"],
        "memory": vm["MemoryAssigned"],
        "demand": vm["MemoryDemand"],
        "counters": counted.get(str(vm["Id"]), {}) if running else {},
    }


def _rows(host: Host, name: str, *wanted: str) -> list[Any]:
    return host.run("Get-CimInstance", ClassName=f"Win32_PerfRawData_{name}", Property=["Name", *wanted])


def _add(counted: Table, key: str, row: Any, figures: dict[str, str]) -> None:
    sums = counted.setdefault(key, {})
    for name, property_ in figures.items():
        sums[name] = sums.get(name, 0) + row[property_]


def _add_processors(host: Host, counted: Table, vms: Iterable[Any]) -> None:
    owners: dict[str, str | None] = {}
    for vm in vms:
        name = vm["Name"].lower()
        owners[name] = None if name in owners else str(vm["Id"])
    for row in _rows(host, "HvStats_HyperVHypervisorVirtualProcessor", "PercentTotalRunTime"):
        found = _PROCESSOR.match(row["Name"])
        key = owners.get(found[1].lower()) if found else None
        if key:
            _add(counted, key, row, {"cpu": "PercentTotalRunTime"})


def _add_disks(host: Host, counted: Table, drives: Iterable[Any]) -> None:
    owners = {one["Path"].lower().replace("\\", "-"): str(one["VMId"]) for one in drives if one["Path"]}
    for row in _rows(host, "Counters_HyperVVirtualStorageDevice", *_DISK_FIGURES.values()):
        key = owners.get(row["Name"].removeprefix("--?-").lower())
        if key:
            _add(counted, key, row, _DISK_FIGURES)


def _add_adapters(host: Host, counted: Table) -> None:
    for row in _rows(host, "NvspNicStats_HyperVVirtualNetworkAdapter", *_ADAPTER_FIGURES.values()):
        found = _ADAPTER.search(row["Name"])
        if found:
            _add(counted, found[1].lower(), row, _ADAPTER_FIGURES)
