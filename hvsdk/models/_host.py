"""Records of a host and of what domains use: nodes, networks, storage."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import attrs

from hvsdk.models._base import Record
from hvsdk.models._mapping import EMPTY, FrozenDict, frozen

__all__ = ["HostInfo", "Network", "Node", "StoragePoolInfo", "VolumeInfo"]


@attrs.frozen(kw_only=True, repr=False)
class HostInfo(Record):
    """What is at the other end of a connection."""

    product: str
    """Such as `"QEMU"`, `"XCP-ng"`, `"VMware vCenter Server"`."""
    version: str | None = None
    name: str | None = None
    """Its own name, as it says."""
    uuid: str | None = None
    api_version: str | None = None
    clock: datetime | None = attrs.field(default=None, eq=False)
    """What time it was there when it was asked, aware UTC; where a pool has several machines, on the one that answers."""
    details: FrozenDict[str, Any] = attrs.field(default=EMPTY, converter=frozen, hash=False)


@attrs.frozen(kw_only=True, repr=False)
class Node(Record):
    """A physical machine behind a host."""

    id: str
    name: str
    state: Literal["up", "down", "maintenance", "unknown"] = "unknown"
    cpus: int | None = None
    """Logical processors."""
    memory_bytes: int | None = None
    free_memory_bytes: int | None = None
    cpu_model: str | None = None
    hypervisor_version: str | None = None
    details: FrozenDict[str, Any] = attrs.field(default=EMPTY, converter=frozen, hash=False)


@attrs.frozen(kw_only=True, repr=False)
class Network(Record):
    """A network that domains can be on."""

    id: str
    name: str
    """What `NicSpec.network` takes."""
    active: bool | None = None
    bridge: str | None = None
    vlan: int | None = None
    mtu: int | None = None
    details: FrozenDict[str, Any] = attrs.field(default=EMPTY, converter=frozen, hash=False)


@attrs.frozen(kw_only=True, repr=False)
class StoragePoolInfo(Record):
    """A place for volumes."""

    id: str
    name: str
    type: str | None = None
    """The product's word: `dir`, `nfs`, `lvm`, `vmfs` …"""
    active: bool | None = None
    capacity_bytes: int | None = None
    allocated_bytes: int | None = None
    free_bytes: int | None = None
    path: str | None = None
    details: FrozenDict[str, Any] = attrs.field(default=EMPTY, converter=frozen, hash=False)


@attrs.frozen(kw_only=True, repr=False)
class VolumeInfo(Record):
    """A volume in a storage pool."""

    id: str
    """Unique within its pool."""
    name: str
    pool: str
    """Id of its pool."""
    capacity_bytes: int | None = None
    """What a guest sees."""
    allocated_bytes: int | None = None
    format: str | None = None
    path: str | None = None
    backing: str | None = None
    """Path or id of the volume it lies on, for a linked clone."""
    details: FrozenDict[str, Any] = attrs.field(default=EMPTY, converter=frozen, hash=False)
