"""The driver, put together from its parts: one file for each subject."""

from __future__ import annotations

from typing import ClassVar

from hvsdk.driver import Capability, Operation, errors

from hvsdk_kvm._adapters import NicVerbs
from hvsdk_kvm._clone import CloneVerbs
from hvsdk_kvm._console import ConsoleReads
from hvsdk_kvm._create import CreateVerbs
from hvsdk_kvm._delete import DeleteVerbs
from hvsdk_kvm._disk_io import DiskIoVerbs
from hvsdk_kvm._disks import DiskVerbs
from hvsdk_kvm._errors import translate
from hvsdk_kvm._labels import LabelVerbs
from hvsdk_kvm._limits import LimitReads
from hvsdk_kvm._migrate import MigrateVerbs
from hvsdk_kvm._networks import NetworkReads
from hvsdk_kvm._nodes import NodeReads
from hvsdk_kvm._pools import PoolVerbs
from hvsdk_kvm._power import GUARDED_BY_CORE, PowerVerbs
from hvsdk_kvm._reconfigure import ReconfigureVerbs
from hvsdk_kvm._screenshot import ScreenshotReads
from hvsdk_kvm._snapshots import SnapshotVerbs
from hvsdk_kvm._stats import StatsReads
from hvsdk_kvm._watch import WatchReads

__all__ = ["KvmDriver"]


class KvmDriver(
    LimitReads,
    WatchReads,
    PowerVerbs,
    StatsReads,
    ConsoleReads,
    ScreenshotReads,
    NetworkReads,
    NodeReads,
    CreateVerbs,
    DeleteVerbs,
    DiskVerbs,
    NicVerbs,
    ReconfigureVerbs,
    LabelVerbs,
    PoolVerbs,
    SnapshotVerbs,
    CloneVerbs,
    MigrateVerbs,
    DiskIoVerbs,
):
    """One connection to libvirt."""

    max_in_flight = 5
    variants: ClassVar[frozenset[Capability]] = frozenset(
        {
            Capability.HOTPLUG_DISK,
            Capability.HOTPLUG_NIC,
            Capability.RESIZE_DISK_RUNNING,
            Capability.RECONFIGURE_RUNNING,
            Capability.CREATE_WITH_UUID,
            Capability.UEFI,
            Capability.SECURE_BOOT,
            Capability.CLOUD_INIT,
            Capability.SNAPSHOT_RUNNING,
            Capability.SNAPSHOT_MEMORY,
            Capability.SNAPSHOT_QUIESCE,
            Capability.CLONE_LINKED,
            Capability.MIGRATE_LIVE,
            Capability.DISK_RANDOM_READ,
            Capability.DISK_READ_SNAPSHOT,
            Capability.GUEST_INFO,
            Capability.MULTIPROCESS,
        }
    )
    unguarded: ClassVar[frozenset[str]] = GUARDED_BY_CORE

    @staticmethod
    def translate(exc: BaseException, operation: Operation) -> errors.HvsdkError | None:
        return translate(exc, operation)
