"""The driver: all verbs of the contract, each group in a file of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from hvsdk._driver.base import Unsupported
from hvsdk.capability import Capability
from hvsdk.testing.fake._devices import DeviceVerbs
from hvsdk.testing.fake._labels import LabelVerbs
from hvsdk.testing.fake._making import MakingVerbs
from hvsdk.testing.fake._power import PowerVerbs
from hvsdk.testing.fake._reading import ReadingVerbs
from hvsdk.testing.fake._snapshots import SnapshotVerbs
from hvsdk.testing.fake._storage import StorageVerbs
from hvsdk.testing.fake._watching import WatchVerbs

if TYPE_CHECKING:
    from hvsdk._deadline import Deadline
    from hvsdk.models import DomainInfo
    from hvsdk.testing.fake._control import FakeControl

__all__ = ["FakeDriver"]

_LIFE = (Capability.START, Capability.REBOOT, Capability.RESET, Capability.SUSPEND, Capability.RESUME)
_NOT_FOR_TEMPLATES = (*_LIFE, Capability.SHUTDOWN, Capability.PAUSE, Capability.MIGRATE)
_NOT_FOR_CONTROL = (
    *_NOT_FOR_TEMPLATES,
    Capability.POWER_OFF,
    Capability.DELETE,
    Capability.CLONE,
    Capability.CREATE_SNAPSHOT,
)


class FakeDriver(
    PowerVerbs, MakingVerbs, DeviceVerbs, LabelVerbs, SnapshotVerbs, StorageVerbs, ReadingVerbs, WatchVerbs
):
    """One connection to a world in memory. It has every capability but `MULTIPROCESS`."""

    variants = frozenset(
        {
            Capability.SNAPSHOT_RUNNING,
            Capability.SNAPSHOT_MEMORY,
            Capability.SNAPSHOT_QUIESCE,
            Capability.CLONE_LINKED,
            Capability.CLONE_RUNNING,
            Capability.CLONE_LINKED_RUNNING,
            Capability.MIGRATE_LIVE,
            Capability.MIGRATE_NODE,
            Capability.MIGRATE_STORAGE,
            Capability.HOTPLUG_DISK,
            Capability.HOTPLUG_NIC,
            Capability.RESIZE_DISK_RUNNING,
            Capability.RECONFIGURE_RUNNING,
            Capability.CREATE_WITH_UUID,
            Capability.UEFI,
            Capability.SECURE_BOOT,
            Capability.CLOUD_INIT,
            Capability.GUEST_INFO,
            Capability.DISK_RANDOM_READ,
            Capability.DISK_READ_SNAPSHOT,
            Capability.DUPLICATE_NAMES,
        }
    )
    unguarded = frozenset[str]()

    def domain_limits(self, info: DomainInfo) -> Mapping[Capability, Unsupported]:
        """A template never lives, and a control domain is not to be touched."""
        if info.is_template:
            return dict.fromkeys(_NOT_FOR_TEMPLATES, Unsupported("it is a template; clone it"))
        if info.is_control:
            return dict.fromkeys(_NOT_FOR_CONTROL, Unsupported("it is the control domain of its node"))
        return {}

    def native(self, *, deadline: Deadline) -> FakeControl:
        """Return the side door. It is no call to the product, and counts as none."""
        from hvsdk.testing.fake._control import FakeControl
        from hvsdk.testing.fake._errors import FakeError

        if self._world is None:
            raise FakeError("CONNECTION_LOST", "not connected")
        return FakeControl(self._world)
