"""The driver, put together from its parts: one file for each subject."""

from __future__ import annotations

from hvsdk_kvm._session import Session

__all__ = ["KvmDriver"]


class KvmDriver(Session):
    """One connection to libvirt."""

    max_in_flight = 5
