"""The driver, put together from its parts: one file for each subject."""

from __future__ import annotations

from typing import ClassVar

from hvsdk.driver import Operation, errors

from hvsdk_kvm._console import ConsoleReads
from hvsdk_kvm._errors import translate
from hvsdk_kvm._limits import LimitReads
from hvsdk_kvm._networks import NetworkReads
from hvsdk_kvm._nodes import NodeReads
from hvsdk_kvm._power import GUARDED_BY_CORE, PowerVerbs
from hvsdk_kvm._screenshot import ScreenshotReads
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
):
    """One connection to libvirt."""

    max_in_flight = 5
    unguarded: ClassVar[frozenset[str]] = GUARDED_BY_CORE

    @staticmethod
    def translate(exc: BaseException, operation: Operation) -> errors.HvsdkError | None:
        return translate(exc, operation)
