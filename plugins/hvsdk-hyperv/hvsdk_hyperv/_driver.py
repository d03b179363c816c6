"""The driver, put together from its parts: one file for each subject."""

from __future__ import annotations

from hvsdk_hyperv._adapters import AdapterVerbs
from hvsdk_hyperv._console import ConsoleReads
from hvsdk_hyperv._delete import DeleteVerbs
from hvsdk_hyperv._disks import DiskVerbs
from hvsdk_hyperv._host import HostReads
from hvsdk_hyperv._media import MediaVerbs
from hvsdk_hyperv._networks import NetworkReads
from hvsdk_hyperv._nodes import NodeReads
from hvsdk_hyperv._pools import PoolReads
from hvsdk_hyperv._screenshot import ScreenshotReads
from hvsdk_hyperv._stats import StatsReads
from hvsdk_hyperv._volumes import VolumeVerbs

__all__ = ["HyperVDriver"]


class HyperVDriver(
    DeleteVerbs,
    DiskVerbs,
    MediaVerbs,
    PoolReads,
    VolumeVerbs,
    AdapterVerbs,
    ConsoleReads,
    ScreenshotReads,
    StatsReads,
    NetworkReads,
    NodeReads,
    HostReads,
):
    """One connection to a Hyper-V host."""
