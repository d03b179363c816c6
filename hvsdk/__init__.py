"""One interface to KVM, XenServer/XCP-ng, VMware and Hyper-V.

::

    import hvsdk

    host = hvsdk.connect("qemu:///system")
    web = host.domain("web-1")
    web.shutdown(timeout=120, then="power_off")

Names load when they are first used: importing the package costs next to nothing.
"""

import typing

from hvsdk import _lazy

if typing.TYPE_CHECKING:
    from hvsdk import errors
    from hvsdk._backend_status import BackendStatus
    from hvsdk._connect import connect
    from hvsdk._context import context
    from hvsdk._domain import Domain
    from hvsdk._domain_list import DomainList
    from hvsdk._driver.operation import Operation
    from hvsdk._event import Event
    from hvsdk._fleet.duplicates import Duplicate
    from hvsdk._fleet.fleet import Fleet
    from hvsdk._fleet.result import Failure, FleetDomains, FleetList, FleetValue
    from hvsdk._fleet.watch import FleetWatch
    from hvsdk._host import Host
    from hvsdk._inventory.inventory import Inventory
    from hvsdk._inventory.lists import DomainChanges, InventoryDiff, RecordedDomains
    from hvsdk._inventory.records import DomainChange, HostOutcome, InventorySnapshot, RecordedDomain
    from hvsdk._outcome import Outcome
    from hvsdk._registry import backends, register, unregister
    from hvsdk._schema import json_schema
    from hvsdk._snapshot import Snapshot
    from hvsdk._storage import StoragePool, Volume
    from hvsdk._watch import Watch
    from hvsdk.capability import Capability
    from hvsdk.credentials import (
        ASK,
        Credentials,
        KerberosCredentials,
        KeyCredentials,
        PasswordCredentials,
        SecretRef,
        TokenCredentials,
    )
    from hvsdk.enums import EventKind, PowerState
    from hvsdk.hooks import hookimpl
    from hvsdk.models import (
        Address,
        Applied,
        Changes,
        CloudInit,
        Console,
        CpuTopology,
        Disk,
        DiskSpec,
        DomainInfo,
        DomainSpec,
        DomainStats,
        Extent,
        FenceMark,
        HostInfo,
        Lineage,
        Network,
        Nic,
        NicSpec,
        Node,
        SnapshotInfo,
        StoragePoolInfo,
        VolumeInfo,
        VolumeSpec,
    )

__all__ = [
    "ASK",
    "Address",
    "Applied",
    "BackendStatus",
    "Capability",
    "Changes",
    "CloudInit",
    "Console",
    "CpuTopology",
    "Credentials",
    "Disk",
    "DiskSpec",
    "Domain",
    "DomainChange",
    "DomainChanges",
    "DomainInfo",
    "DomainList",
    "DomainSpec",
    "DomainStats",
    "Duplicate",
    "Event",
    "EventKind",
    "Extent",
    "Failure",
    "FenceMark",
    "Fleet",
    "FleetDomains",
    "FleetList",
    "FleetValue",
    "FleetWatch",
    "Host",
    "HostInfo",
    "HostOutcome",
    "Inventory",
    "InventoryDiff",
    "InventorySnapshot",
    "KerberosCredentials",
    "KeyCredentials",
    "Lineage",
    "Network",
    "Nic",
    "NicSpec",
    "Node",
    "Operation",
    "Outcome",
    "PasswordCredentials",
    "PowerState",
    "RecordedDomain",
    "RecordedDomains",
    "SecretRef",
    "Snapshot",
    "SnapshotInfo",
    "StoragePool",
    "StoragePoolInfo",
    "TokenCredentials",
    "Volume",
    "VolumeInfo",
    "VolumeSpec",
    "Watch",
    "backends",
    "connect",
    "context",
    "errors",
    "hookimpl",
    "json_schema",
    "register",
    "unregister",
]

__getattr__: "_lazy.Load"
__dir__: "_lazy.Listing"
__getattr__, __dir__ = _lazy.attach(
    __name__,
    {
        "hvsdk._backend_status": ("BackendStatus",),
        "hvsdk._connect": ("connect",),
        "hvsdk._context": ("context",),
        "hvsdk._domain": ("Domain",),
        "hvsdk._domain_list": ("DomainList",),
        "hvsdk._driver.operation": ("Operation",),
        "hvsdk._event": ("Event",),
        "hvsdk._fleet.duplicates": ("Duplicate",),
        "hvsdk._fleet.fleet": ("Fleet",),
        "hvsdk._fleet.result": ("Failure", "FleetDomains", "FleetList", "FleetValue"),
        "hvsdk._fleet.watch": ("FleetWatch",),
        "hvsdk._host": ("Host",),
        "hvsdk._inventory.inventory": ("Inventory",),
        "hvsdk._inventory.lists": ("DomainChanges", "InventoryDiff", "RecordedDomains"),
        "hvsdk._inventory.records": ("DomainChange", "HostOutcome", "InventorySnapshot", "RecordedDomain"),
        "hvsdk._outcome": ("Outcome",),
        "hvsdk._registry": ("backends", "register", "unregister"),
        "hvsdk._schema": ("json_schema",),
        "hvsdk._snapshot": ("Snapshot",),
        "hvsdk._storage": ("StoragePool", "Volume"),
        "hvsdk._watch": ("Watch",),
        "hvsdk.capability": ("Capability",),
        "hvsdk.credentials": (
            "ASK",
            "Credentials",
            "KerberosCredentials",
            "KeyCredentials",
            "PasswordCredentials",
            "SecretRef",
            "TokenCredentials",
        ),
        "hvsdk.enums": ("EventKind", "PowerState"),
        "hvsdk.errors": ("errors",),
        "hvsdk.hooks": ("hookimpl",),
        "hvsdk.models": (
            "Address",
            "Applied",
            "Changes",
            "CloudInit",
            "Console",
            "CpuTopology",
            "Disk",
            "DiskSpec",
            "DomainInfo",
            "DomainSpec",
            "DomainStats",
            "Extent",
            "FenceMark",
            "HostInfo",
            "Lineage",
            "Network",
            "Nic",
            "NicSpec",
            "Node",
            "SnapshotInfo",
            "StoragePoolInfo",
            "VolumeInfo",
            "VolumeSpec",
        ),
    },
)
