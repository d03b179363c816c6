"""A domain as the product keeps it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from hvsdk.enums import PowerState
from hvsdk.testing.fake._errors import FakeError

if TYPE_CHECKING:
    from hvsdk.models._hardware import CpuTopology
    from hvsdk.testing.fake._disks import Adapter, Blocks, Drive, Volume

__all__ = ["Config", "FakeDomain", "Guest", "Snapshot"]

WITH_MEMORY = (PowerState.RUNNING, PowerState.PAUSED, PowerState.SUSPENDED)


class Guest:
    """How the system inside behaves; `FakeControl.guest` sets it.

    Attributes:
        shutdown: `obeys` a request, or `ignores` it.
        agent: `running`, `absent`, `stopped` (installed but switched off) or `starting` (not running yet).
        unplug: `obeys` a request to let a device go, or `ignores` it.
        boot_seconds: How long it boots, deaf to requests.
        shutdown_seconds: How long it takes to switch off once asked.
        dies: It switches off right after each start.
    """

    __slots__ = ("agent", "boot_seconds", "dies", "shutdown", "shutdown_seconds", "unplug")

    def __init__(self, boot_seconds: float = 0.0, shutdown_seconds: float = 0.0) -> None:
        self.shutdown: str = "obeys"
        self.agent: str = "running"
        self.unplug: str = "obeys"
        self.boot_seconds: float = boot_seconds
        self.shutdown_seconds: float = shutdown_seconds
        self.dies: bool = False


class Config:
    """Everything about a domain that its summary does not show. Made when it is first needed."""

    def __init__(self, created_at: datetime | None) -> None:
        self.created_at = created_at
        self.folder: str | None = None
        self.max_vcpus = 1
        self.max_memory = 0
        self.topology: CpuTopology | None = None
        self.drives: list[Drive] = []
        self.adapters: list[Adapter] = []
        self.firmware = "bios"
        self.secure_boot = False
        self.autostart = False
        self.tags: frozenset[str] = frozenset()
        self.notes = ""
        self.metadata: dict[str, str] = {}
        self.details: dict[str, Any] = {}
        self.cloud_init: Any = None
        self.devices: int = 0

    def copy(self) -> Config:
        """Return a copy that no later change reaches; volumes are the same ones."""
        other = Config(self.created_at)
        other.__dict__.update(self.__dict__)
        other.drives = [drive.copy() for drive in self.drives]
        other.adapters = [adapter.copy() for adapter in self.adapters]
        other.metadata = dict(self.metadata)
        other.details = dict(self.details)
        return other

    def device_id(self, prefix: str) -> str:
        """Return an id that no device of this domain has had."""
        self.devices += 1
        return f"{prefix}-{self.devices}"

    def drive(self, drive_id: str) -> Drive:
        """Return the drive of that id."""
        for drive in self.drives:
            if drive.id == drive_id:
                return drive
        raise FakeError("DISK_NOT_FOUND", f"the domain has no disk {drive_id!r}")

    def adapter(self, adapter_id: str) -> Adapter:
        """Return the adapter of that id."""
        for adapter in self.adapters:
            if adapter.id == adapter_id:
                return adapter
        raise FakeError("NIC_NOT_FOUND", f"the domain has no adapter {adapter_id!r}")


class Snapshot:
    """A domain as it was: its settings, the content of its disks, and its memory where that was saved."""

    def __init__(self, snapshot_id: str, name: str, created_at: datetime) -> None:
        self.id = snapshot_id
        self.name = name
        self.created_at = created_at
        self.description = ""
        self.parent: str | None = None
        self.quiesced = False
        self.memory: int | None = None
        self.domain_name = ""
        self.vcpus = 1
        self.memory_bytes = 0
        self.config: Config | None = None
        self.contents: dict[Volume, tuple[Blocks, int]] = {}


class FakeDomain:
    """A domain. Its first fields are the summary, so that ten thousand are quickly made and listed."""

    __slots__ = (
        "blocked",
        "boot",
        "config",
        "current",
        "guest",
        "is_control",
        "is_template",
        "live_memory",
        "live_vcpus",
        "memory",
        "memory_bytes",
        "name",
        "native_id",
        "node",
        "number",
        "run_seconds",
        "run_since",
        "snapshots",
        "started_at",
        "state",
        "up_at",
        "uuid",
        "vcpus",
    )

    def __init__(
        self, number: int, native_id: str, uuid: str, name: str, state: PowerState, node: str, vcpus: int, memory: int
    ) -> None:
        self.number: int = number
        self.native_id: str = native_id
        self.uuid: str = uuid
        self.name: str = name
        self.state: PowerState = state
        self.node: str = node
        self.vcpus: int = vcpus
        self.memory_bytes: int = memory
        self.is_template: bool = False
        self.is_control: bool = False
        self.config: Config | None = None
        self.guest: Guest | None = None
        self.snapshots: list[Snapshot] = []
        self.current: str | None = None
        """Id of the snapshot on which the present state was made."""
        self.blocked: bool = False
        """Whether it is fenced: start, resume and revert are refused."""
        self.boot: int = 0
        """Counts boots, so that what was planned for an earlier one can be told."""
        self.memory: int | None = 0 if state in WITH_MEMORY else None
        """Which boot's memory it has, running, paused or saved; 0 is the boot before the world began."""
        self.up_at: float = 0.0
        self.started_at: datetime | None = None
        self.run_since: float | None = None
        self.run_seconds: float = 0.0
        self.live_vcpus: int = vcpus
        self.live_memory: int = memory

    def snapshot(self, snapshot_id: str) -> Snapshot:
        """Return the snapshot of that id."""
        for snapshot in self.snapshots:
            if snapshot.id == snapshot_id:
                return snapshot
        raise FakeError("SNAPSHOT_NOT_FOUND", f"domain {self.name!r} has no snapshot {snapshot_id!r}")
