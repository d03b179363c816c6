"""The driver, put together from its parts: one file for each subject."""

from __future__ import annotations

from typing import ClassVar

from hvsdk.driver import Capability, Operation, errors

from hvsdk_xen._adapters import NicVerbs
from hvsdk_xen._clone import CloneVerbs
from hvsdk_xen._create import CreateVerbs
from hvsdk_xen._delete import DeleteVerbs
from hvsdk_xen._disk_io import DiskIoVerbs
from hvsdk_xen._disks import DiskVerbs
from hvsdk_xen._errors import translate
from hvsdk_xen._fence import FenceVerbs
from hvsdk_xen._labels import LabelVerbs
from hvsdk_xen._limits import LimitReads
from hvsdk_xen._listing import ListingReads
from hvsdk_xen._media import MediaVerbs
from hvsdk_xen._migrate import MigrateVerbs
from hvsdk_xen._networks import NetworkReads
from hvsdk_xen._nodes import NodeReads
from hvsdk_xen._pools import PoolReads
from hvsdk_xen._power import GUARDED_BY_CORE, PowerVerbs
from hvsdk_xen._reconfigure import ReconfigureVerbs
from hvsdk_xen._screenshot import ScreenshotReads
from hvsdk_xen._snapshots import SnapshotVerbs
from hvsdk_xen._stats import StatsReads
from hvsdk_xen._watch import WatchReads

__all__ = ["XenDriver"]


class XenDriver(
    LimitReads,
    WatchReads,
    StatsReads,
    ScreenshotReads,
    ListingReads,
    NodeReads,
    NetworkReads,
    PoolReads,
    CreateVerbs,
    DeleteVerbs,
    ReconfigureVerbs,
    DiskVerbs,
    NicVerbs,
    MediaVerbs,
    DiskIoVerbs,
    PowerVerbs,
    SnapshotVerbs,
    CloneVerbs,
    MigrateVerbs,
    FenceVerbs,
    LabelVerbs,
):
    """One connection to a pool."""

    max_in_flight = 8
    variants: ClassVar[frozenset[Capability]] = frozenset(
        {
            Capability.DUPLICATE_NAMES,
            Capability.GUEST_INFO,
            Capability.MULTIPROCESS,
            Capability.SNAPSHOT_RUNNING,
            Capability.SNAPSHOT_MEMORY,
            Capability.SNAPSHOT_QUIESCE,
            Capability.CLONE_LINKED,
            Capability.MIGRATE_LIVE,
            Capability.MIGRATE_NODE,
            Capability.MIGRATE_STORAGE,
            Capability.HOTPLUG_DISK,
            Capability.DISK_RANDOM_READ,
            Capability.DISK_READ_SNAPSHOT,
            Capability.HOTPLUG_NIC,
            Capability.RECONFIGURE_RUNNING,
            Capability.UEFI,
            Capability.SECURE_BOOT,
            Capability.CLOUD_INIT,
        }
    )
    unguarded: ClassVar[frozenset[str]] = GUARDED_BY_CORE

    @staticmethod
    def translate(exc: BaseException, operation: Operation) -> errors.HvsdkError | None:
        return translate(exc, operation)
