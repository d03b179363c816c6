"""The driver, put together from its parts: one file for each subject."""

from __future__ import annotations

from typing import ClassVar

from hvsdk.driver import Capability, Operation, errors

from hvsdk_xen._errors import translate
from hvsdk_xen._limits import LimitReads

__all__ = ["XenDriver"]


class XenDriver(LimitReads):
    """One connection to a pool."""

    max_in_flight = 8
    variants: ClassVar[frozenset[Capability]] = frozenset({Capability.DUPLICATE_NAMES, Capability.MULTIPROCESS})

    @staticmethod
    def translate(exc: BaseException, operation: Operation) -> errors.HvsdkError | None:
        return translate(exc, operation)
