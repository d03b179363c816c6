"""The records: frozen, keyword-only, with no vendor type in any field.

What a backend cannot tell is `None`, never a guess. Sizes are bytes, times are aware UTC.
"""

from typing import TYPE_CHECKING

from hvsdk import _lazy

if TYPE_CHECKING:
    from hvsdk.enums import EventKind, PowerState
    from hvsdk.models._domain import FIELD_GROUPS, DomainInfo
    from hvsdk.models._hardware import Address, CpuTopology, Disk, FenceMark, Lineage, Nic
    from hvsdk.models._host import HostInfo, Network, Node, StoragePoolInfo, VolumeInfo
    from hvsdk.models._mapping import FrozenDict
    from hvsdk.models._runtime import Applied, Console, DomainStats, Extent, SnapshotInfo
    from hvsdk.models._spec import Changes, CloudInit, DiskSpec, DomainSpec, NicSpec, VolumeSpec

__all__ = [
    "FIELD_GROUPS",
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
    "EventKind",
    "Extent",
    "FenceMark",
    "FrozenDict",
    "HostInfo",
    "Lineage",
    "Network",
    "Nic",
    "NicSpec",
    "Node",
    "PowerState",
    "SnapshotInfo",
    "StoragePoolInfo",
    "VolumeInfo",
    "VolumeSpec",
]

__getattr__: "_lazy.Load"
__dir__: "_lazy.Listing"
__getattr__, __dir__ = _lazy.attach(
    __name__,
    {
        "hvsdk.enums": ("EventKind", "PowerState"),
        "hvsdk.models._domain": ("FIELD_GROUPS", "DomainInfo"),
        "hvsdk.models._hardware": ("Address", "CpuTopology", "Disk", "FenceMark", "Lineage", "Nic"),
        "hvsdk.models._host": ("HostInfo", "Network", "Node", "StoragePoolInfo", "VolumeInfo"),
        "hvsdk.models._mapping": ("FrozenDict",),
        "hvsdk.models._runtime": ("Applied", "Console", "DomainStats", "Extent", "SnapshotInfo"),
        "hvsdk.models._spec": ("Changes", "CloudInit", "DiskSpec", "DomainSpec", "NicSpec", "VolumeSpec"),
    },
)
