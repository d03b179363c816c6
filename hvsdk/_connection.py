"""One open driver instance, and how it is let go: never on the thread of a caller, whom its destructor could block."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hvsdk import _worker

if TYPE_CHECKING:
    from logging import Logger

    from hvsdk._driver.base import Driver, Unsupported
    from hvsdk.capability import Capability

__all__ = ["Connection", "close_after", "close_in_background", "log"]

_WAITING = 1000
"""More callers than can be in the queue for a connection; all of them are woken when it is given up."""


class Connection:
    """One open driver instance: the unit that is abandoned when it hangs and replaced when it is lost.

    Attributes:
        gone: It was given up; calls that have not begun go to the next one.
        pid: The process that opened it: a forked child must not speak on its parent's sockets.
    """

    __slots__ = ("driver", "gone", "limits", "pid", "renewals", "slots")

    def __init__(self, driver: Driver, limits: Mapping[Capability, Unsupported]) -> None:
        self.driver: Driver = driver
        self.limits: Mapping[Capability, Unsupported] = limits
        self.slots: threading.Semaphore = threading.Semaphore(driver.max_in_flight)
        self.renewals: int = 0
        self.gone: bool = False
        self.pid: int = os.getpid()

    def give_up(self) -> None:
        """Let those go on who wait for a slot that a hanging call may never free."""
        self.gone = True
        self.slots.release(_WAITING)


def close_in_background(driver: Driver) -> None:
    """Close a driver whose connection is of no use any more."""

    def close() -> None:
        try:
            driver.close()
        except Exception as exc:
            log().debug("closing a lost connection: %s", type(exc).__name__)

    _worker.submit(close)


def close_after(running: _worker.Call[Any], driver: Driver) -> None:
    """Close an abandoned driver once the call that hung on it has come back, on a thread of its own."""

    def close() -> None:
        running.wait(float("inf"))
        close_in_background(driver)

    _worker.submit(close)


def log() -> Logger:
    """Return the logger; `logging` is loaded by whoever has something to say."""
    from logging import getLogger

    return getLogger("hvsdk")
