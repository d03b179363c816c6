"""The state of virtual machines: what they are made of, and what they do now."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import attrs

__all__ = ["Adapter", "Checkpoint", "Drive", "Guest", "Hardware", "Vm"]


@attrs.define(kw_only=True)
class Drive:
    """A hard disk drive or a DVD drive at a place of a controller."""

    kind: str
    """`"disk"` or `"dvd"`."""
    controller_type: str
    """`"IDE"` or `"SCSI"`."""
    controller_number: int
    location: int
    path: str | None = None
    """Of the disk's or image's file; None for an empty drive."""
    id: UUID = attrs.field(factory=uuid4)
    shared: bool = False
    """Whether persistent reservations are supported: several VMs may have it."""


@attrs.define(kw_only=True)
class Adapter:
    """A network adapter."""

    name: str = "Network Adapter"
    id: UUID = attrs.field(factory=uuid4)
    mac: str = "000000000000"
    """12 hex digits, upper case; zeros until it is first started when it is dynamic."""
    dynamic_mac: bool = True
    switch: UUID | None = None
    legacy: bool = False
    vlan_mode: str = "Untagged"
    vlan: int = 0
    details: dict[str, Any] = attrs.field(factory=dict)
    """Settings that no other part looks at, by the name of the property."""


@attrs.define(kw_only=True)
class Hardware:
    """All that a checkpoint keeps and a revert brings back."""

    name: str
    notes: str = ""
    processors: int = 1
    memory_startup: int = 1 << 30
    memory_minimum: int = 512 << 20
    memory_maximum: int = 1 << 40
    dynamic_memory: bool = False
    secure_boot: bool = True
    secure_boot_template: str = "MicrosoftWindows"
    scsi_controllers: int = 1
    drives: list[Drive] = attrs.field(factory=list)
    adapters: list[Adapter] = attrs.field(factory=list)
    boot_order: list[UUID] = attrs.field(factory=list)
    """Of generation 2: ids of drives and adapters."""
    startup_order: list[str] = attrs.field(factory=lambda: ["CD", "IDE", "LegacyNetworkAdapter", "Floppy"])
    """Of generation 1."""
    automatic_start_action: str = "StartIfRunning"
    automatic_start_delay: int = 0
    automatic_stop_action: str = "Save"
    checkpoint_type: str = "Production"
    automatic_checkpoints: bool = False
    integration_services: dict[str, bool] = attrs.field(factory=dict)
    """Whether each is enabled, by its English name: see `cmdlets/integration_services.py`."""
    details: dict[str, Any] = attrs.field(factory=dict)
    """Settings that no other part looks at, by the name of the property: `{"ComPort1": …}`."""


@attrs.define(kw_only=True)
class Guest:
    """How the guest system behaves; the control door changes it."""

    tools: bool = True
    """Whether integration services run in it."""
    obeys_shutdown: bool = True
    missed_requests: int = 0
    """How many requests to shut down it misses before it obeys."""
    shutdown_seconds: float = 0.0
    boot_seconds: float = 0.0
    """After which its integration services tell of themselves."""
    quiesces: bool = True
    hostname: str = "guest"
    os: str = "Debian GNU/Linux 12"
    addresses: dict[int, list[str]] = attrs.field(factory=dict)
    """By number of the adapter."""
    boots: int = 0


@attrs.define(kw_only=True)
class Checkpoint:
    """A checkpoint: its own copy of the hardware, with the disks' files as they were."""

    id: UUID = attrs.field(factory=uuid4)
    name: str
    created: datetime = attrs.field(factory=lambda: datetime.now(UTC))
    parent: UUID | None = None
    type: str = "Standard"
    """Of SnapshotType: `Standard`, `Recovery`, …"""
    memory: bool = False
    """Whether it has the memory of a VM that ran: its state is then Running or Paused, else Off."""
    production: bool = False
    hardware: Hardware
    state: str = "Off"
    disks: dict[UUID, str] = attrs.field(factory=dict)
    """Path of the file that holds each drive's content as it was, by the drive's id."""


@attrs.define(kw_only=True, eq=False)
class Vm:
    """A virtual machine."""

    id: UUID = attrs.field(factory=uuid4)
    generation: int = 2
    node: str = ""
    """Name of the host that it is on."""
    path: str = ""
    """Folder of its configuration."""
    hardware: Hardware
    state: str = "Off"
    """Label of VMState."""
    status: str = "Ok"
    """Label of VMOperationalStatus: what goes on beside, such as `MergingDisks`."""
    created: datetime = attrs.field(factory=lambda: datetime.now(UTC))
    started: datetime | None = None
    version: str = ""
    bios_guid: UUID = attrs.field(factory=uuid4)
    bios_serial: str = ""
    guest: Guest = attrs.field(factory=Guest)
    checkpoints: list[Checkpoint] = attrs.field(factory=list)
    current: UUID | None = None
    """The checkpoint that its present state lies on."""
    metering: bool = False
    clustered: bool = False
    details: dict[str, Any] = attrs.field(factory=dict)
    """What no other part looks at."""

    @property
    def name(self) -> str:
        """What it is called now."""
        return self.hardware.name
