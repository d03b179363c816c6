"""The driver, put together from its parts: one file for each subject."""

from __future__ import annotations

from hvsdk_hyperv._adapters import AdapterVerbs
from hvsdk_hyperv._host import HostReads
from hvsdk_hyperv._networks import NetworkReads
from hvsdk_hyperv._nodes import NodeReads

__all__ = ["HyperVDriver"]


class HyperVDriver(
    AdapterVerbs,
    NetworkReads,
    NodeReads,
    HostReads,
):
    """One connection to a Hyper-V host."""
