"""The driver, put together from its parts: one file for each subject."""

from __future__ import annotations

from typing import ClassVar

from hvsdk.driver import Capability, Operation, errors

from hvsdk_vmware._adapters import AdapterVerbs
from hvsdk_vmware._changed_blocks import ChangedBlocksReads
from hvsdk_vmware._clone import CloneVerbs
from hvsdk_vmware._console import ConsoleReads
from hvsdk_vmware._create import CreateVerbs
from hvsdk_vmware._delete import DeleteVerbs
from hvsdk_vmware._disk_io import DiskIoVerbs
from hvsdk_vmware._disks import DiskVerbs
from hvsdk_vmware._errors import translate
from hvsdk_vmware._fence import FenceVerbs
from hvsdk_vmware._labels import LabelVerbs
from hvsdk_vmware._limits import LimitReads
from hvsdk_vmware._media import MediaVerbs
from hvsdk_vmware._migrate import MigrateVerbs
from hvsdk_vmware._networks import NetworkReads
from hvsdk_vmware._nodes import NodeReads
from hvsdk_vmware._pools import PoolReads
from hvsdk_vmware._power import GUARDED_BY_CORE, PowerVerbs
from hvsdk_vmware._reconfigure import ReconfigureVerbs
from hvsdk_vmware._revert import RevertVerbs
from hvsdk_vmware._screenshot import ScreenshotReads
from hvsdk_vmware._stats import StatsReads
from hvsdk_vmware._volume_import import VolumeImports
from hvsdk_vmware._watch import WatchReads

__all__ = ["VmwareDriver"]


class VmwareDriver(
    LimitReads,
    MigrateVerbs,
    CloneVerbs,
    CreateVerbs,
    DeleteVerbs,
    FenceVerbs,
    ReconfigureVerbs,
    RevertVerbs,
    DiskVerbs,
    AdapterVerbs,
    MediaVerbs,
    ChangedBlocksReads,
    DiskIoVerbs,
    VolumeImports,
    WatchReads,
    NodeReads,
    NetworkReads,
    PoolReads,
    PowerVerbs,
    LabelVerbs,
    ScreenshotReads,
    ConsoleReads,
    StatsReads,
):
    """One connection to a vCenter or an ESXi host.

    The order of the parts is free, as far as Python takes it: what two of them define either leads on with `super()`
    (`__init__`, `close`, `abandon` and the limits), or replaces what the part that it builds on has.
    """

    max_in_flight = 8
    variants: ClassVar[frozenset[Capability]] = frozenset(
        {
            Capability.CLONE_LINKED,
            Capability.CLONE_RUNNING,
            Capability.CLONE_LINKED_RUNNING,
            Capability.CLOUD_INIT,
            Capability.CREATE_WITH_UUID,
            Capability.DISK_RANDOM_READ,
            Capability.DISK_READ_SNAPSHOT,
            Capability.GUEST_INFO,
            Capability.MIGRATE_LIVE,
            Capability.MIGRATE_NODE,
            Capability.MIGRATE_STORAGE,
            Capability.HOTPLUG_DISK,
            Capability.HOTPLUG_NIC,
            Capability.RESIZE_DISK_RUNNING,
            Capability.MULTIPROCESS,
            Capability.RECONFIGURE_RUNNING,
            Capability.SECURE_BOOT,
            Capability.SNAPSHOT_MEMORY,
            Capability.SNAPSHOT_QUIESCE,
            Capability.SNAPSHOT_RUNNING,
            Capability.UEFI,
        }
    )
    unguarded: ClassVar[frozenset[str]] = GUARDED_BY_CORE | {"clone"}

    @staticmethod
    def translate(exc: BaseException, operation: Operation) -> errors.HvsdkError | None:
        return translate(exc, operation)
