"""The driver, put together from its parts: one file for each subject."""

from __future__ import annotations

from typing import ClassVar

from hvsdk.driver import Operation, errors

from hvsdk_kvm._errors import translate
from hvsdk_kvm._listing import ListingReads
from hvsdk_kvm._power import GUARDED_BY_CORE, PowerVerbs

__all__ = ["KvmDriver"]


class KvmDriver(ListingReads, PowerVerbs):
    """One connection to libvirt."""

    max_in_flight = 5
    unguarded: ClassVar[frozenset[str]] = GUARDED_BY_CORE

    @staticmethod
    def translate(exc: BaseException, operation: Operation) -> errors.HvsdkError | None:
        return translate(exc, operation)
