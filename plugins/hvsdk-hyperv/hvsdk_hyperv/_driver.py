"""The driver, put together from its parts: one file for each subject."""

from __future__ import annotations

from typing import ClassVar

from hvsdk.driver import Capability

from hvsdk_hyperv._adapters import AdapterVerbs
from hvsdk_hyperv._clone import CloneVerbs
from hvsdk_hyperv._console import ConsoleReads
from hvsdk_hyperv._create import CreateVerbs
from hvsdk_hyperv._delete import DeleteVerbs
from hvsdk_hyperv._disk_io import DiskIoReads
from hvsdk_hyperv._disks import DiskVerbs
from hvsdk_hyperv._host import HostReads
from hvsdk_hyperv._media import MediaVerbs
from hvsdk_hyperv._migrate import MigrateVerbs
from hvsdk_hyperv._networks import NetworkReads
from hvsdk_hyperv._nodes import NodeReads
from hvsdk_hyperv._pools import PoolReads
from hvsdk_hyperv._power import PowerVerbs
from hvsdk_hyperv._reconfigure import ReconfigureVerbs
from hvsdk_hyperv._revert import RevertVerbs
from hvsdk_hyperv._screenshot import ScreenshotReads
from hvsdk_hyperv._snapshots import SnapshotVerbs
from hvsdk_hyperv._stats import StatsReads
from hvsdk_hyperv._volume_io import VolumeIo
from hvsdk_hyperv._volumes import VolumeVerbs

__all__ = ["HyperVDriver"]


class HyperVDriver(
    CloneVerbs,
    MigrateVerbs,
    RevertVerbs,
    PowerVerbs,
    CreateVerbs,
    ReconfigureVerbs,
    SnapshotVerbs,
    DeleteVerbs,
    DiskVerbs,
    DiskIoReads,
    MediaVerbs,
    PoolReads,
    VolumeVerbs,
    VolumeIo,
    AdapterVerbs,
    ConsoleReads,
    ScreenshotReads,
    StatsReads,
    NetworkReads,
    NodeReads,
    HostReads,
):
    """One connection to a Hyper-V host."""

    variants: ClassVar[frozenset[Capability]] = frozenset(
        {
            Capability.CLONE_LINKED,
            Capability.CLONE_RUNNING,
            Capability.CLOUD_INIT,
            Capability.DISK_RANDOM_READ,
            Capability.DISK_READ_SNAPSHOT,
            Capability.DUPLICATE_NAMES,
            Capability.GUEST_INFO,
            Capability.HOTPLUG_DISK,
            Capability.HOTPLUG_NIC,
            Capability.MIGRATE_LIVE,
            Capability.MIGRATE_NODE,
            Capability.MIGRATE_STORAGE,
            Capability.MULTIPROCESS,
            Capability.RECONFIGURE_RUNNING,
            Capability.RESIZE_DISK_RUNNING,
            Capability.SECURE_BOOT,
            Capability.SNAPSHOT_MEMORY,
            Capability.SNAPSHOT_QUIESCE,
            Capability.SNAPSHOT_RUNNING,
            Capability.UEFI,
        }
    )
