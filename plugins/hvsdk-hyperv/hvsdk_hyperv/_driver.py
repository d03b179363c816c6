"""The driver, put together from its parts: one file for each subject."""

from __future__ import annotations

from hvsdk_hyperv._session import HyperVSession

__all__ = ["HyperVDriver"]


class HyperVDriver(
    HyperVSession,
):
    """One connection to a Hyper-V host."""
