"""The driver, put together from its parts: one file for each subject."""

from __future__ import annotations

from hvsdk_hyperv._adapters import AdapterVerbs
from hvsdk_hyperv._networks import NetworkReads
from hvsdk_hyperv._nodes import NodeReads
from hvsdk_hyperv._session import HyperVSession

__all__ = ["HyperVDriver"]


class HyperVDriver(
    AdapterVerbs,
    NetworkReads,
    NodeReads,
    HyperVSession,
):
    """One connection to a Hyper-V host."""
