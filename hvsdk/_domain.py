"""`Domain`: a virtual machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from hvsdk._domain_devices import DeviceVerbs
from hvsdk._domain_labels import LabelVerbs
from hvsdk._domain_lifecycle import LifecycleVerbs
from hvsdk._domain_reads import Reads
from hvsdk._domain_snapshots import SnapshotVerbs
from hvsdk._fields import Field
from hvsdk.enums import PowerState

if TYPE_CHECKING:
    from datetime import datetime

    from hvsdk._host import Host
    from hvsdk.models import (
        Address,
        CpuTopology,
        Disk,
        DomainInfo,
        FenceMark,
        FrozenDict,
        Lineage,
        Nic,
    )

__all__ = ["Domain"]


class Domain(Reads, LifecycleVerbs, DeviceVerbs, SnapshotVerbs, LabelVerbs):
    """A virtual machine: a handle with the record it was last seen with.

    Attributes are free, methods talk to the host. Every verb returns when it is true, or raises, and leaves the record
    fresh; reaching the state that the domain is already in is success. Equality and hash go by host and native id.

    What the guest tells (`addresses`, `guest_hostname`, `guest_os`, `agent`) is not loaded after a verb, since what was known
    before may be untrue then: `refresh()` reads it, as `host.domain(…)` does.
    """

    __slots__ = ("__weakref__",)

    native_id: Field[str] = Field()
    uuid: Field[str | None] = Field()
    name: Field[str] = Field()
    power_state: Field[PowerState] = Field()
    hypervisor: Field[str | None] = Field()
    node: Field[str | None] = Field()
    is_template: Field[bool] = Field()
    is_control: Field[bool] = Field()
    vcpus: Field[int | None] = Field()
    memory_bytes: Field[int | None] = Field()
    folder: Field[str | None] = Field()
    max_vcpus: Field[int | None] = Field()
    cpu_topology: Field[CpuTopology | None] = Field()
    max_memory_bytes: Field[int | None] = Field()
    disks: Field[tuple[Disk, ...]] = Field()
    nics: Field[tuple[Nic, ...]] = Field()
    firmware: Field[Literal["bios", "uefi"] | None] = Field()
    secure_boot: Field[bool | None] = Field()
    virtualization: Field[Literal["hvm", "pv", "pvh", "pvhvm"] | None] = Field()
    autostart: Field[bool | None] = Field()
    tags: Field[frozenset[str]] = Field()
    notes: Field[str] = Field()
    metadata: Field[FrozenDict[str, str]] = Field()
    moved_from: Field[Lineage | None] = Field()
    superseded_by: Field[Lineage | None] = Field()
    fenced: Field[FenceMark | None] = Field()
    created_at: Field[datetime | None] = Field()
    started_at: Field[datetime | None] = Field()
    details: Field[FrozenDict[str, Any]] = Field()
    addresses: Field[tuple[Address, ...]] = Field()
    guest_hostname: Field[str | None] = Field()
    guest_os: Field[str | None] = Field()
    agent: Field[Literal["running", "stopped", "absent", "unknown"] | None] = Field()
    seen_at: Field[datetime] = Field()

    def __init__(self, host: Host, info: DomainInfo) -> None:
        """Wrap a record; `host.domain(…)` and `host.domains()` make handles."""
        self._host = host
        self._info = info

    def __copy__(self) -> Domain:
        return Domain(self._host, self._info)

    def __reduce__(self) -> tuple[Any, ...]:
        return Domain, (self._host, self._info)
